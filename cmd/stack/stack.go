// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/plimsoll/plimsoll/manifests"
)

// The names that the manifests give to the installation.
const (
	Namespace = "plimsoll-system"
	Adapter   = "plimsoll-adapter"
	Scaler    = "plimsoll-scaler"
)

// overlay is the folder of the manifests that Start applies.
const overlay = "overlays/local"

// Options say what a stack is like.
type Options struct {
	// ClusterOptions describe the cluster; an empty Dir is a new folder that Stop removes.
	ClusterOptions
	// ScrapeConfig is the file with which the adapters' embedded engine scrapes. If it is "", the adapters ask the
	// cluster's Prometheus, if there is one.
	ScrapeConfig string
	// Adapters is the number of adapters to start, named adapter-0 and so on. Default: 1; negative: none.
	Adapters int
	// AdapterArguments are further flags of every adapter.
	AdapterArguments []string
	// Scalers is the number of scalers to start, named scaler-0 and so on. Default: none.
	Scalers int
	// ScalerArguments are further flags of every scaler.
	ScalerArguments []string
	// Direct leads the API server straight to the only adapter, without a balancer between them.
	Direct bool
}

// Stack is a running stage. Its methods are not for several goroutines at once.
type Stack struct {
	*Cluster
	// Dir holds the logs of the adapters (in adapters), of the scalers (in scalers) and of the cluster's components (in
	// cluster/logs).
	Dir string

	options   Options
	binaries  binaries
	temporary bool
	identity  *identity
	// port is where the API server looks for the adapters.
	port     int
	balancer *balancer
	adapters map[string]*adapter

	scalerIdentity *identity // nil before the first scaler
	scalers        map[string]*scaler

	alive  context.Context //nolint:containedctx // the stack's own life, for what runs beside it
	cancel context.CancelFunc
}

// Start starts everything and returns when the API server reaches the adapters. On an error it has ended what it
// started. The stack then lives until Stop, whatever becomes of the context.
func Start(ctx context.Context, options Options) (*Stack, error) {
	options.complete()
	if options.Adapters == 0 {
		options.Adapters = 1
	}
	if options.Direct && options.Adapters > 1 {
		return nil, errors.New("start a stack: Direct is for one adapter")
	}
	found, err := findBinaries(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	s := &Stack{options: options, binaries: found, adapters: make(map[string]*adapter), scalers: make(map[string]*scaler)}
	s.alive, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.makeDir(); err != nil {
		s.cancel()
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a stack: %w", err), s.Stop())
	}
	return s, nil
}

func (s *Stack) makeDir() error {
	s.Dir, s.temporary = s.options.Dir, s.options.Dir == ""
	if s.temporary {
		dir, err := os.MkdirTemp("", "plimsoll-")
		if err != nil {
			return fmt.Errorf("make a folder for the stack: %w", err)
		}
		s.Dir = dir
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	s.Dir, s.options.Dir = dir, filepath.Join(dir, "cluster")
	if err := os.MkdirAll(filepath.Join(dir, "adapters"), 0o700); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	return nil
}

func (s *Stack) start(ctx context.Context) error {
	begin := time.Now()
	var err error
	if s.Cluster, err = startCluster(ctx, s.binaries.localcluster, s.options.ClusterOptions); err != nil {
		return err
	}
	if s.port, err = s.takePort(); err != nil {
		return err
	}
	if err := s.install(ctx); err != nil {
		return err
	}
	if !s.options.Direct {
		if s.balancer, err = listen(s.port, probePeriod); err != nil {
			return err
		}
	}
	for i := range s.options.Adapters {
		if err := s.StartAdapter(ctx, fmt.Sprintf("adapter-%d", i)); err != nil {
			return err
		}
	}
	if s.options.Adapters > 0 {
		if err := s.WaitAvailable(ctx); err != nil {
			return err
		}
	}
	for i := range s.options.Scalers {
		if err := s.StartScaler(ctx, fmt.Sprintf("scaler-%d", i)); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.options.Progress, "the stack is ready after %s\n", time.Since(begin).Round(100*time.Millisecond))
	return nil
}

// install applies the manifests and gets the adapters' rights.
func (s *Stack) install(ctx context.Context) error {
	objects, err := manifests.Render(overlay)
	if err != nil {
		return err
	}
	if err := leadTo(s.port, objects); err != nil {
		return err
	}
	if err := s.Apply(ctx, objects...); err != nil {
		return err
	}
	s.identity, err = newIdentity(ctx, s.RESTConfig, Namespace, Adapter, filepath.Join(s.Dir, "adapters"))
	if err != nil {
		return err
	}
	go s.identity.keepFresh(s.alive)
	return s.identity.untilMay(ctx, adapterRights)
}

// leadTo sets the port of every APIService: the Service is a name for localhost and has no ports of its own.
func leadTo(port int, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetKind() != "APIService" {
			continue
		}
		if err := unstructured.SetNestedField(object.Object, int64(port), "spec", "service", "port"); err != nil {
			return fmt.Errorf("set the port of APIService %s: %w", object.GetName(), err)
		}
	}
	return nil
}

// Stop ends everything that the stack started, and removes its folder if it made it.
func (s *Stack) Stop() error {
	s.cancel()
	var problems []error
	for name := range s.scalers {
		problems = append(problems, s.KillScaler(name))
	}
	for name := range s.adapters {
		problems = append(problems, s.KillAdapter(name))
	}
	if s.balancer != nil {
		problems = append(problems, s.balancer.close())
	}
	if s.Cluster != nil {
		problems = append(problems, s.Cluster.Stop())
	}
	if s.temporary {
		problems = append(problems, os.RemoveAll(s.Dir))
	}
	return errors.Join(problems...)
}
