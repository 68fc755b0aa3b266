// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// adapter is one replica, a process of its own.
type adapter struct {
	*child
	port int
}

// AdapterAddress returns the adapter's own host and port, where its probes and metrics are.
func (s *Stack) AdapterAddress(name string) string {
	if running := s.adapters[name]; running != nil {
		return loopback(running.port)
	}
	return ""
}

// AdapterPID returns the number of the adapter's process; 0 if there is none.
func (s *Stack) AdapterPID(name string) int {
	if running := s.adapters[name]; running != nil {
		return running.command.Process.Pid
	}
	return 0
}

// StartAdapter starts one more adapter, with further flags, and returns when it is ready. Its name is one that the caller
// chooses; the adapter's folder and log under Dir/adapters have it.
func (s *Stack) StartAdapter(ctx context.Context, name string, flags ...string) error {
	if s.adapters[name] != nil {
		return fmt.Errorf("start adapter %s: it runs already", name)
	}
	if s.options.Direct && len(s.adapters) > 0 {
		return fmt.Errorf("start adapter %s: Direct is for one adapter", name)
	}
	port, err := s.adapterPort()
	if err != nil {
		return fmt.Errorf("start adapter %s: %w", name, err)
	}
	dir := filepath.Join(s.Dir, "adapters", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start adapter %s: %w", name, err)
	}
	child, err := startChild(s.binaries.adapter, dir+".log", append(s.adapterFlags(dir, port), flags...))
	if err != nil {
		s.spare = append(s.spare, port)
		return fmt.Errorf("start adapter %s: %w", name, err)
	}
	started := &adapter{child: child, port: port}
	s.adapters[name] = started
	if err := untilReady(ctx, child, "https://"+loopback(port)); err != nil {
		return errors.Join(fmt.Errorf("start adapter %s: %w", name, err), s.KillAdapter(name))
	}
	if s.balancer != nil {
		s.balancer.add(port)
	}
	return nil
}

func (s *Stack) adapterPort() (int, error) {
	if s.options.Direct {
		return s.port, nil
	}
	return s.takePort()
}

// adapterFlags are the flags of the adapter whose folder is dir; the last of equal flags wins.
func (s *Stack) adapterFlags(dir string, port int) []string {
	kubeconfig := s.identity.kubeconfig
	flags := []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--cert-dir=" + filepath.Join(dir, "certs"),
		"--identity=" + filepath.Base(dir),
	}
	switch {
	case s.options.ScrapeConfig != "":
		flags = append(flags, "--scrape-config="+s.options.ScrapeConfig, "--storage-dir="+filepath.Join(dir, "samples"))
	case s.PrometheusURL != "":
		flags = append(flags, "--prometheus-url="+s.PrometheusURL)
	}
	return append(flags, s.options.AdapterArguments...)
}

// StopAdapter asks an adapter to end and waits until it has; its exit status counts.
func (s *Stack) StopAdapter(name string) error { return s.endAdapter(name, syscall.SIGTERM) }

// KillAdapter ends an adapter without giving it a chance to say good-bye.
func (s *Stack) KillAdapter(name string) error { return s.endAdapter(name, syscall.SIGKILL) }

func (s *Stack) endAdapter(name string, signal syscall.Signal) error {
	running := s.adapters[name]
	if running == nil {
		return fmt.Errorf("end adapter %s: there is none of that name", name)
	}
	delete(s.adapters, name)
	if s.balancer != nil && signal == syscall.SIGKILL {
		// A killed pod stays in its Service until a probe fails; here the failing connection alone tells.
		defer s.balancer.remove(running.port)
	} else if s.balancer != nil {
		s.balancer.remove(running.port)
	}
	if !s.options.Direct {
		s.spare = append(s.spare, running.port)
	}
	if err := running.end(signal); err != nil {
		return fmt.Errorf("end adapter %s: %w", name, err)
	}
	return nil
}

// SignalAdapter sends a signal, such as SIGSTOP, to an adapter that goes on belonging to the stack.
func (s *Stack) SignalAdapter(name string, signal syscall.Signal) error {
	running := s.adapters[name]
	if running == nil {
		return fmt.Errorf("signal adapter %s: there is none of that name", name)
	}
	return running.command.Process.Signal(signal)
}
