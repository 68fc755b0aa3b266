// SPDX-License-Identifier: Apache-2.0

// Package scaler is the scaler as a function: schedules, forecasts and overrides become the bounds of HPAs, and workloads of
// several clusters are divided over them. Its packages for bounds: record (what is kept on an HPA), ownership (whose its fields are), situation (what is
// observed of one HPA, and the decision), target (writes the bounds), schedules, workloads and forecasts (their kinds'
// statuses, and replicas where no HPA is). For several clusters: members (connections and health), capacity (what fits),
// federation (divides replicas), headroom (keeps room), nodegroups (asks for nodes) and newnodes (which those may be). Only
// the leader of several scalers acts; all that it must remember is on the objects themselves, so that the next leader sees
// what it saw.
package scaler

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// endWithin is how long what is under way may take at the end. A pod has 30 s by default.
const endWithin = 20 * time.Second

// reconcileWithin is how long one object may take; what is not done then is tried again.
const reconcileWithin = 2 * time.Minute

// Run runs a scaler until the context ends, and returns nil then. It returns an error when it cannot start, and when it
// loses the leadership: the process must then end, so that nothing of it goes on acting beside the next leader.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	restConfig, err := o.restConfig()
	if err != nil {
		return err
	}
	ctrl.SetLogger(klog.Background())
	mgr, err := newManager(ctx, restConfig, o)
	if err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, o); err != nil {
		return err
	}
	if err := addProbes(ctx, mgr); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the scaler: %w", err)
	}
	return nil
}

func newManager(ctx context.Context, restConfig *rest.Config, o Options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	end := endWithin
	options := manager.Options{
		Scheme:                        scheme,
		Logger:                        klog.Background(),
		BaseContext:                   func() context.Context { return klog.NewContext(context.WithoutCancel(ctx), klog.Background()) },
		Cache:                         cacheOptions(o.MembersNamespace),
		HealthProbeBindAddress:        o.HealthAddress,
		LivenessEndpointName:          "/livez",
		ReadinessEndpointName:         "/readyz",
		Metrics:                       o.Metrics.server(),
		LeaderElection:                o.Leader.Enabled,
		LeaderElectionNamespace:       o.Leader.Namespace,
		LeaderElectionID:              o.Leader.Name,
		LeaderElectionReleaseOnCancel: true, // the process ends right after Start, as this demands
		LeaseDuration:                 &o.Leader.LeaseDuration,
		RenewDeadline:                 &o.Leader.RenewDeadline,
		RetryPeriod:                   &o.Leader.RetryPeriod,
		GracefulShutdownTimeout:       &end,
		Controller:                    config.Controller{MaxConcurrentReconciles: o.Concurrency, ReconciliationTimeout: reconcileWithin},
	}
	mgr, err := manager.New(restConfig, options)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}

// server is the metrics' server in controller-runtime's words.
func (m Metrics) server() metricsserver.Options {
	options := metricsserver.Options{BindAddress: m.Address, SecureServing: m.Secure, CertDir: m.CertDir}
	if m.Secure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return options
}
