// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// Manager works on the clusters of this user.
type Manager struct {
	Cache  components.Cache
	Recipe components.Recipe
	// Executable is our own program, which also watches over parents.
	Executable string
	// Progress gets a line for each step that takes time.
	Progress io.Writer
}

func (m *Manager) say(format string, values ...any) {
	fmt.Fprintf(m.Progress, format+"\n", values...)
}

// DefaultDir is the folder of a cluster of that name when the user names none.
func (m *Manager) DefaultDir(name string) string {
	return m.Cache.Path("clusters", name)
}

// lock makes sure that one command at a time works on the cluster in dir. The lock lies outside of the
// folder, which comes and goes with the cluster.
func (m *Manager) lock(ctx context.Context, dir string) (unlock func(), err error) {
	return process.Lock(ctx, m.Cache.Path("locks", nameOf(dir)+".lock"), func() {
		m.say("another command works on %s; waiting for it", dir)
	})
}

// nameOf returns a file name that stands for a path.
func nameOf(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// register notes that there is a cluster in dir, so that List finds it.
func (m *Manager) register(dir string) error {
	file := m.Cache.Path("registry", nameOf(dir))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("register the cluster: %w", err)
	}
	if err := os.WriteFile(file, []byte(dir), 0o600); err != nil {
		return fmt.Errorf("register the cluster: %w", err)
	}
	return nil
}

func (m *Manager) unregister(dir string) error {
	if err := os.Remove(m.Cache.Path("registry", nameOf(dir))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the cluster: %w", err)
	}
	return nil
}

// List returns the state of every cluster of this user, running or not.
func (m *Manager) List() ([]*State, error) {
	files, err := filepath.Glob(m.Cache.Path("registry", "*"))
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var states []*State
	for _, file := range files {
		dir, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		state, err := Load(string(dir))
		if err != nil {
			return nil, err
		}
		if state == nil { // somebody deleted the folder, and with it what we know
			if err := m.unregister(string(dir)); err != nil {
				return nil, err
			}
			continue
		}
		states = append(states, state)
	}
	return states, nil
}

// Find returns the folder of the cluster of that name.
func (m *Manager) Find(name string) (string, error) {
	states, err := m.List()
	if err != nil {
		return "", err
	}
	var dirs []string
	for _, state := range states {
		if state.Options.Name == name {
			dirs = append(dirs, state.Options.Dir)
		}
	}
	switch len(dirs) {
	case 0:
		return m.DefaultDir(name), nil
	case 1:
		return dirs[0], nil
	}
	return "", fmt.Errorf("%d clusters have the name %s: choose one by --dir: %s", len(dirs), name, strings.Join(dirs, ", "))
}
