// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// attempts is how often up tries other ports when somebody took one between the check and the use.
const attempts = 3

// errPortTaken says that a component could not listen.
var errPortTaken = errors.New("a port was taken meanwhile")

// Up makes sure that the cluster runs and is ready, and returns its state. A cluster that runs already
// is left as it is; what a crash left behind is ended and removed first.
func (m *Manager) Up(ctx context.Context, options Options) (*State, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	build, err := components.Ensure(ctx, m.Cache, m.Recipe, m.Progress)
	if err != nil {
		return nil, err
	}
	unlock, err := m.lock(ctx, options.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	state, err := Load(options.Dir)
	if err != nil {
		return nil, err
	}
	if state != nil && state.running() {
		return state, m.keep(state, options)
	}
	if state != nil {
		m.say("removing what is left of a cluster that ended in another way than by down")
	}
	for attempt := 1; ; attempt++ {
		if err := m.remove(ctx, options.Dir, state, 0); err != nil {
			return nil, err
		}
		state, err = m.create(ctx, options, build)
		if !errors.Is(err, errPortTaken) || attempt == attempts {
			return state, err
		}
		m.say("%v; trying others", err)
	}
}

// keep leaves a running cluster as it is.
func (m *Manager) keep(state *State, options Options) error {
	m.say("cluster %s runs already", state.Options.Name)
	if !state.Options.same(options) {
		m.say("it runs with the options it was started with, not with these; `down` it first to change them")
	}
	return m.register(state.Options.Dir)
}

// create starts a new cluster in an empty folder and waits until it is ready. If that fails, it ends what
// it started; the logs stay.
func (m *Manager) create(ctx context.Context, options Options, build components.Build) (*State, error) {
	begin := time.Now()
	ports, hold, err := claimPorts(m.Cache)
	if err != nil {
		return nil, err
	}
	defer func() { _ = hold.Close() }() // the processes have their own
	launch := &launch{manager: m, state: newState(options, ports), build: build, hold: hold, ended: make(chan death, 16)}
	limited, cancel := context.WithTimeoutCause(ctx, options.Timeout, fmt.Errorf("the cluster was not ready within %s", options.Timeout))
	defer cancel()
	if err := launch.run(limited); err != nil {
		clean := context.WithoutCancel(ctx)
		return launch.state, errors.Join(launch.explain(err), launch.state.end(clean, 0), launch.state.saveIfThere())
	}
	m.say("cluster %s is ready after %s", options.Name, time.Since(begin).Round(100*time.Millisecond))
	return launch.state, nil
}

// launch is the start of one cluster.
type launch struct {
	manager *Manager
	state   *State
	build   components.Build
	hold    *os.File
	ended   chan death
}

// death is the early end of a component.
type death struct {
	component string
	reason    error
}

// run starts everything in order. The API server needs etcd, and everything else the API server.
func (l *launch) run(ctx context.Context) error {
	if err := l.prepare(); err != nil {
		return err
	}
	if err := l.watchParent(); err != nil {
		return err
	}
	if err := errors.Join(l.state.writePKI(), l.state.writeKubeconfigs(), l.state.writeKwokConfig()); err != nil {
		return err
	}
	connection, err := l.state.connect()
	if err != nil {
		return err
	}
	for _, stage := range l.stages() {
		for _, component := range stage {
			if err := l.start(component); err != nil {
				return err
			}
		}
		for _, component := range stage {
			probe := func(ctx context.Context) error { return l.state.probe(ctx, connection, component) }
			if err := eventually(ctx, l.died, probe); err != nil {
				return err
			}
		}
	}
	return l.populate(ctx, connection)
}

func (l *launch) stages() [][]string {
	last := []string{components.ControllerManager, components.Scheduler, components.Kwok}
	if l.state.Options.PrometheusConfig != "" {
		last = append(last, components.Prometheus)
	}
	return [][]string{{components.Etcd}, {components.APIServer}, last}
}

// prepare creates the folder and writes the state before the first process starts.
func (l *launch) prepare() error {
	if err := os.MkdirAll(l.state.path("logs"), 0o700); err != nil {
		return fmt.Errorf("create the cluster's folder: %w", err)
	}
	if err := l.state.save(); err != nil {
		return err
	}
	return l.manager.register(l.state.Options.Dir)
}

// start starts a component and writes down its identity.
func (l *launch) start(component string) error {
	return l.startProgram(component, l.build.Program(component), l.state.arguments(component))
}

func (l *launch) startProgram(name, path string, arguments []string) error {
	identity, ended, err := process.Start(process.Program{
		Path: path, Arguments: arguments, Log: l.state.logFile(name), Mark: l.state.Instance, Hold: l.hold,
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() { l.ended <- death{name, <-ended} }()
	l.state.put(Process{Identity: identity, Component: name, Path: path, Arguments: arguments})
	return l.state.save()
}

// died returns why a component has ended, if one has.
func (l *launch) died() error {
	select {
	case death := <-l.ended:
		tail := l.state.logTail(death.component)
		err := fmt.Errorf("%s ended while the cluster was starting: %w; the end of its log:\n%s", death.component, death.reason, tail)
		if bytes.Contains(tail, []byte("address already in use")) {
			err = errors.Join(errPortTaken, err)
		}
		return err
	default:
		return nil
	}
}

// populate creates the nodes and waits until pods can run on them.
func (l *launch) populate(ctx context.Context, c *connection) error {
	if err := l.state.createNodes(ctx, c.client); err != nil {
		return err
	}
	ready := func(ctx context.Context) error {
		return errors.Join(l.state.nodesReady(ctx, c.client), defaultAccountReady(ctx, c.client))
	}
	if err := eventually(ctx, l.died, ready); err != nil {
		return err
	}
	l.state.Ready = true
	return l.state.save()
}

// explain adds to an error where to read more.
func (l *launch) explain(err error) error {
	return fmt.Errorf("cluster %s did not start: %w\n(logs are in %s)", l.state.Options.Name, err, l.state.path("logs"))
}
