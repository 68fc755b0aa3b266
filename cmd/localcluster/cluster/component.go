// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// Verb is something that can be done to one component of a running cluster.
type Verb string

// The verbs. Kill gives no time to end; Pause lets the process stand still with its connections open.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Kill    Verb = "kill"
	Restart Verb = "restart"
	Pause   Verb = "pause"
	Resume  Verb = "resume"
)

// Apply does the verb to a component of the cluster in dir, and returns when it is done: stopped means
// ended, started means ready.
func (m *Manager) Apply(ctx context.Context, dir string, verb Verb, component string) error {
	unlock, err := m.lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	state, err := Load(dir)
	if err != nil {
		return err
	}
	if state == nil {
		return fmt.Errorf("no cluster in %s", dir)
	}
	entry := state.process(component)
	if entry == nil {
		return fmt.Errorf("cluster %s has no component %s; it has %s", state.Options.Name, component, strings.Join(state.components(), ", "))
	}
	if err := state.apply(ctx, verb, entry); err != nil {
		return fmt.Errorf("%s %s: %w", verb, component, err)
	}
	return nil
}

func (s *State) components() []string {
	var names []string
	for _, entry := range s.Processes {
		names = append(names, entry.Component)
	}
	return names
}

func (s *State) apply(ctx context.Context, verb Verb, entry *Process) error {
	switch verb {
	case Pause:
		return entry.Signal(unix.SIGSTOP)
	case Resume:
		return entry.Signal(unix.SIGCONT)
	case Stop:
		return entry.End(ctx, grace)
	case Kill:
		return entry.End(ctx, 0)
	case Restart:
		return errors.Join(entry.End(ctx, grace), s.startAgain(ctx, entry))
	case Start:
		return s.startAgain(ctx, entry)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

// startAgain starts a component with the arguments that it had, and waits until it is ready.
func (s *State) startAgain(ctx context.Context, entry *Process) error {
	if entry.Alive() {
		return nil
	}
	identity, ended, err := process.Start(process.Program{
		Path: entry.Path, Arguments: entry.Arguments, Log: s.logFile(entry.Component), Mark: s.Instance,
	})
	if err != nil {
		return err
	}
	entry.Identity = identity
	if err := s.save(); err != nil {
		return err
	}
	if s.probeURL(entry.Component) == "" {
		return nil
	}
	connection, err := s.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.Options.Timeout, fmt.Errorf("not ready within %s", s.Options.Timeout))
	defer cancel()
	died := func() error {
		select {
		case reason := <-ended:
			return fmt.Errorf("it ended: %w; the end of its log:\n%s", reason, s.logTail(entry.Component))
		default:
			return nil
		}
	}
	return eventually(ctx, died, func(ctx context.Context) error { return s.probe(ctx, connection, entry.Component) })
}

// ComponentStatus is what a user wants to know about a component.
type ComponentStatus struct {
	Component string `json:"component"`
	PID       int    `json:"pid"`
	State     string `json:"state"`
	Log       string `json:"log"`
}

// Word says in one word how the cluster is: running, incomplete (some of its processes have ended) or
// ended.
func (s *State) Word() string {
	alive := 0
	for _, entry := range s.Processes {
		if entry.Alive() {
			alive++
		}
	}
	switch {
	case alive == 0:
		return "ended"
	case alive < len(s.Processes) || !s.Ready:
		return "incomplete"
	}
	return "running"
}

// Status returns one entry per component, and whether all of them run.
func (s *State) Status() (entries []ComponentStatus, running bool) {
	running = s.Ready
	for _, entry := range s.Processes {
		status := ComponentStatus{Component: entry.Component, PID: entry.PID, State: "running", Log: s.logFile(entry.Component)}
		switch {
		case !entry.Alive():
			status.State, running = "ended", false
		case entry.Stopped():
			status.State = "paused"
		}
		entries = append(entries, status)
	}
	return entries, running
}
