// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// NewManager returns a manager that does not run yet and serves nothing. Several may have controllers of one name.
func NewManager(t *testing.T, restConfig *rest.Config) manager.Manager {
	t.Helper()
	yes := true
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme: Scheme(t), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: &yes},
	})
	require.NoError(t, err)
	return mgr
}

// Run lets a manager run until stop, which returns when it has ended, or until the end of the test.
func Run(t *testing.T, mgr manager.Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Told returns the events that a recorder has got since the last call.
func Told(recorder *events.FakeRecorder) []string {
	var all []string
	for {
		select {
		case text := <-recorder.Events:
			all = append(all, text)
		default:
			return all
		}
	}
}
