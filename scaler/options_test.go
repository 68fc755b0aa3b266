// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"":                        func(*Options) {},
		"--concurrency is 0":      func(o *Options) { o.Concurrency = 0 },
		"--forecast-histories":    func(o *Options) { o.Histories = 0 },
		"--kube-api-qps is 0":     func(o *Options) { o.QPS = 0 },
		"--kube-api-burst 0":      func(o *Options) { o.Burst = 0 },
		"--health-probe-bind-add": func(o *Options) { o.HealthAddress = "8081" },
		"--metrics-bind-address is \"x\": write host:port":    func(o *Options) { o.Metrics.Address = "x" },
		"--metrics-bind-address is \":8080\" with --metrics-": func(o *Options) { o.Metrics = Metrics{Address: ":8080"} },
		"--leader-elect-lease-name is empty":                  func(o *Options) { o.Leader.Name = "" },
		"--leader-elect-lease-duration 10s must be more":      func(o *Options) { o.Leader.LeaseDuration = o.Leader.RenewDeadline },
	} {
		o := DefaultOptions()
		change(&o)
		err := o.Validate()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

func TestValidateTakes(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"plain metrics on loopback": func(o *Options) { o.Metrics = Metrics{Address: "127.0.0.1:8080"} },
		"plain metrics on ::1":      func(o *Options) { o.Metrics = Metrics{Address: "[::1]:8080"} },
		"no metrics":                func(o *Options) { o.Metrics = Metrics{Address: "0"} },
		"no probes":                 func(o *Options) { o.HealthAddress = "0" },
		"no limit":                  func(o *Options) { o.QPS, o.Burst = -1, 0 },
		"no leader election":        func(o *Options) { o.Leader = LeaderElection{} },
	} {
		o := DefaultOptions()
		change(&o)
		require.NoError(t, o.Validate(), name)
	}
}

// A wrong option is told before anything is asked of a cluster.
func TestRunRefuses(t *testing.T) {
	o := DefaultOptions()
	o.Concurrency = -1
	o.Kubeconfig = "/nonexistent"
	require.ErrorContains(t, Run(t.Context(), o), "--concurrency is -1")
	o.Concurrency = 1
	require.ErrorContains(t, Run(t.Context(), o), "no way to the API server")
}
