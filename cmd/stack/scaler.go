// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// restartAfter is how long a scaler that ended by itself stays away. A kubelet begins with 10 s and goes on to minutes.
const restartAfter = time.Second

// scaler is one replica, a process of its own, which is started again when it ends by itself, for example because it
// has lost its Lease.
type scaler struct {
	program, log  string
	flags         []string
	probes, serve int // ports

	mu      sync.Mutex // of child and leaving
	child   *child
	leaving bool          // whoever ends it has begun to
	left    chan struct{} // closed when nothing starts it again
}

// ScalerAddress returns the host and port where a scaler serves /metrics over HTTP; "" if there is none.
func (s *Stack) ScalerAddress(name string) string {
	if running := s.scalers[name]; running != nil {
		return loopback(running.serve)
	}
	return ""
}

// ScalerPID returns the number of the scaler's process; 0 if there is none.
func (s *Stack) ScalerPID(name string) int {
	running := s.scalers[name]
	if running == nil {
		return 0
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	return running.child.command.Process.Pid
}

// StartScaler starts one more scaler, with further flags, and returns when it is ready, which is not yet to say that it
// leads. Its name is one that the caller chooses; its log is the file of that name under Dir/scalers. A scaler that ends by
// itself is started again.
func (s *Stack) StartScaler(ctx context.Context, name string, flags ...string) error {
	if s.scalers[name] != nil {
		return fmt.Errorf("start scaler %s: it runs already", name)
	}
	started := &scaler{program: s.binaries.scaler, log: filepath.Join(s.Dir, "scalers", name+".log"), left: make(chan struct{})}
	if err := s.prepareScaler(ctx, started); err != nil {
		return fmt.Errorf("start scaler %s: %w", name, err)
	}
	started.flags = append(s.scalerFlags(started), flags...)
	var err error
	if started.child, err = startChild(started.program, started.log, started.flags); err != nil {
		s.spare = append(s.spare, started.probes, started.serve)
		return fmt.Errorf("start scaler %s: %w", name, err)
	}
	s.scalers[name] = started
	err = untilReady(ctx, started.child, "http://"+loopback(started.probes))
	go started.keepRunning()
	if err != nil {
		return errors.Join(fmt.Errorf("start scaler %s: %w", name, err), s.KillScaler(name))
	}
	return nil
}

// prepareScaler gets what a scaler needs: ports, and with the first one the rights of its account.
func (s *Stack) prepareScaler(ctx context.Context, started *scaler) error {
	if s.scalerIdentity == nil {
		folder := filepath.Join(s.Dir, "scalers")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		identity, err := newIdentity(ctx, s.RESTConfig, Namespace, Scaler, folder)
		if err != nil {
			return err
		}
		if err := identity.untilMay(ctx, scalerRights); err != nil {
			return err
		}
		s.scalerIdentity = identity
		go identity.keepFresh(s.alive)
	}
	var err error
	if started.probes, err = s.takePort(); err != nil {
		return err
	}
	if started.serve, err = s.takePort(); err != nil {
		s.spare = append(s.spare, started.probes)
	}
	return err
}

// scalerFlags are the flags of every scaler; the last of equal flags wins.
func (s *Stack) scalerFlags(started *scaler) []string {
	return append([]string{
		"--kubeconfig=" + s.scalerIdentity.kubeconfig,
		"--leader-elect-lease-namespace=" + Namespace,
		"--health-probe-bind-address=127.0.0.1:" + strconv.Itoa(started.probes),
		"--metrics-bind-address=127.0.0.1:" + strconv.Itoa(started.serve),
		"--metrics-secure=false",
	}, s.options.ScalerArguments...)
}

// keepRunning starts the scaler again whenever it has ended by itself.
func (r *scaler) keepRunning() {
	defer close(r.left)
	for {
		<-r.child.done
		if !r.again() {
			return
		}
	}
}

// again starts the scaler once more, unless somebody ends it.
func (r *scaler) again() bool {
	if r.isLeaving() {
		return false
	}
	time.Sleep(restartAfter)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving {
		return false
	}
	next, err := startChild(r.program, r.log, r.flags)
	if err != nil {
		klog.ErrorS(err, "A scaler that had ended could not be started again", "log", r.log)
		return false
	}
	r.child = next
	return true
}

func (r *scaler) isLeaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving
}

// StopScaler asks a scaler to end and waits until it has; its exit status counts.
func (s *Stack) StopScaler(name string) error { return s.endScaler(name, syscall.SIGTERM) }

// KillScaler ends a scaler without giving it a chance to say good-bye. Nothing starts it again but StartScaler.
func (s *Stack) KillScaler(name string) error { return s.endScaler(name, syscall.SIGKILL) }

func (s *Stack) endScaler(name string, signal syscall.Signal) error {
	running := s.scalers[name]
	if running == nil {
		return fmt.Errorf("end scaler %s: there is none of that name", name)
	}
	delete(s.scalers, name)
	s.spare = append(s.spare, running.probes, running.serve)
	running.mu.Lock()
	running.leaving = true
	err := running.child.end(signal)
	running.mu.Unlock()
	<-running.left
	if err != nil {
		return fmt.Errorf("end scaler %s: %w", name, err)
	}
	return nil
}

// SignalScaler sends a signal, such as SIGSTOP, to a scaler that goes on belonging to the stack.
func (s *Stack) SignalScaler(name string, signal syscall.Signal) error {
	running := s.scalers[name]
	if running == nil {
		return fmt.Errorf("signal scaler %s: there is none of that name", name)
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	return running.child.command.Process.Signal(signal)
}
