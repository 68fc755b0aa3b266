// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// grace is the time that a component gets to end by itself. An API server with open watches would take
// up to a minute to say good-bye to them; a local cluster's data is thrown away.
const grace = 2 * time.Second

// ownFiles are the entries of a cluster's folder that we made. Others are the user's and stay.
var ownFiles = [...]string{"etcd", "kubeconfig", "kwok.yaml", "logs", "pki", "prometheus", stateFile, "." + stateFile}

// Down ends the cluster in dir, if there is one, and removes its files.
func (m *Manager) Down(ctx context.Context, dir string) error {
	return m.down(ctx, dir, grace)
}

func (m *Manager) down(ctx context.Context, dir string, grace time.Duration) error {
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
		m.say("no cluster in %s", dir)
	}
	if err := m.remove(ctx, dir, state, grace); err != nil {
		return err
	}
	if state != nil {
		m.say("cluster %s is down", state.Options.Name)
	}
	return nil
}

// remove ends the processes of a cluster (nil: there are none) and removes its files.
func (m *Manager) remove(ctx context.Context, dir string, state *State, grace time.Duration) error {
	if state != nil {
		if err := state.end(ctx, grace); err != nil {
			return err
		}
	}
	var problems []error
	for _, name := range ownFiles {
		problems = append(problems, os.RemoveAll(filepath.Join(dir, name)))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove the cluster's files: %w", err)
	}
	// A folder that holds nothing else goes too.
	err := os.Remove(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	return m.unregister(dir)
}

// end ends the cluster's processes: clients first, then the API server, then etcd.
func (s *State) end(ctx context.Context, grace time.Duration) error {
	for _, group := range s.endOrder() {
		if err := endAll(ctx, group, grace); err != nil {
			return err
		}
	}
	// A process that was started but not yet written down is found by its mark.
	rest, err := process.Marked(s.Instance)
	if err != nil {
		return err
	}
	rest = slices.DeleteFunc(rest, func(i process.Identity) bool { return i.PID == os.Getpid() })
	return endAll(ctx, rest, 0)
}

func (s *State) endOrder() [][]process.Identity {
	groups := make([][]process.Identity, 3)
	for _, entry := range s.Processes {
		group := 0
		switch {
		case entry.PID == os.Getpid():
			continue // the watcher, on its last errand
		case entry.Component == components.APIServer:
			group = 1
		case entry.Component == components.Etcd:
			group = 2
		}
		groups[group] = append(groups[group], entry.Identity)
	}
	return groups
}

func endAll(ctx context.Context, identities []process.Identity, grace time.Duration) error {
	var group errgroup.Group
	for _, identity := range identities {
		group.Go(func() error { return identity.End(ctx, grace) })
	}
	return group.Wait()
}

// saveIfThere writes the state unless its folder could not even be made.
func (s *State) saveIfThere() error {
	if _, err := os.Stat(s.Options.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return s.save()
}

// tailLines is how many lines of a log explain a failure.
const tailLines = 12

// logTail returns the last lines of a component's log.
func (s *State) logTail(component string) []byte {
	content, err := os.ReadFile(s.logFile(component))
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n"))
}
