// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// stateFile is the name of the state in a cluster's folder.
const stateFile = "state.json"

// State is what is known about a cluster, kept in its folder.
type State struct {
	Options Options `json:"options"`
	// Instance is the random mark of this run of the cluster and of its processes.
	Instance string    `json:"instance"`
	Created  time.Time `json:"created"`
	// Ready is set once the cluster has been ready.
	Ready bool `json:"ready"`

	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	// PrometheusURL is empty without a Prometheus.
	PrometheusURL string `json:"prometheusURL,omitempty"`
	Ports         Ports  `json:"ports"`

	Processes []Process `json:"processes"`
}

// Process is one process of a cluster.
type Process struct {
	process.Identity
	Component string   `json:"component"`
	Path      string   `json:"path"`
	Arguments []string `json:"arguments"`
}

func newState(options Options, ports Ports) *State {
	state := &State{
		Options:  options,
		Instance: rand.Text(),
		Created:  time.Now().UTC().Truncate(time.Second),
		Ports:    ports,
		Server:   fmt.Sprintf("https://127.0.0.1:%d", ports.APIServer),
	}
	state.Kubeconfig = state.path("kubeconfig")
	if options.PrometheusConfig != "" {
		state.PrometheusURL = fmt.Sprintf("http://127.0.0.1:%d", ports.Prometheus)
	}
	return state
}

// path joins names to the cluster's folder.
func (s *State) path(names ...string) string {
	return filepath.Join(append([]string{s.Options.Dir}, names...)...)
}

// logFile returns the path of a component's log.
func (s *State) logFile(component string) string {
	return s.path("logs", component+".log")
}

// process returns the entry of a component, or nil.
func (s *State) process(component string) *Process {
	i := slices.IndexFunc(s.Processes, func(p Process) bool { return p.Component == component })
	if i < 0 {
		return nil
	}
	return &s.Processes[i]
}

// put adds or replaces a component's entry.
func (s *State) put(entry Process) {
	if existing := s.process(entry.Component); existing != nil {
		*existing = entry
		return
	}
	s.Processes = append(s.Processes, entry)
}

// running tells whether the cluster has been ready and all its processes still run.
func (s *State) running() bool {
	dead := slices.ContainsFunc(s.Processes, func(p Process) bool { return !p.Alive() })
	return s.Ready && !dead
}

// save writes the state so that a reader sees the old or the new one, never a part.
func (s *State) save() error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the cluster's state: %w", err)
	}
	temporary := s.path("." + stateFile)
	if err := os.WriteFile(temporary, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	if err := os.Rename(temporary, s.path(stateFile)); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	return nil
}

// Load reads the state of the cluster in dir; nil if there is none.
func Load(dir string) (*State, error) {
	path := filepath.Join(dir, stateFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster's state: %w", err)
	}
	state := &State{}
	if err := json.Unmarshal(content, state); err != nil {
		return nil, fmt.Errorf("the cluster's state %s cannot be read: %w; end its processes by hand and delete the file", path, err)
	}
	// The folder may have been moved; it is where we found it.
	state.Options.Dir = dir
	return state, nil
}
