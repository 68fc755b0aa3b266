// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// stuckAfter is how long one reconcile may run before the process counts as dead: every reconcile has a time limit, so
// one that is still running then does not listen to it.
const stuckAfter = 3 * reconcileWithin

// longestRunning is the metric in which controller-runtime says how long the oldest running reconcile has taken.
const longestRunning = "workqueue_longest_running_processor_seconds"

// addProbes fills /readyz and /livez. Ready is a scaler whose caches are filled, leader or not: only then can it act as
// soon as it leads. Alive is one whose controllers turn.
func addProbes(ctx context.Context, mgr manager.Manager) error {
	var informers []cache.Informer
	for _, object := range watched() {
		informer, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		informers = append(informers, informer)
	}
	synced := func(*http.Request) error {
		for _, informer := range informers {
			if !informer.HasSynced() {
				return errors.New("the caches are not filled yet")
			}
		}
		return nil
	}
	turning := func(*http.Request) error { return turning(ctrlmetrics.Registry, stuckAfter) }
	return errors.Join(mgr.AddReadyzCheck("caches", synced), mgr.AddHealthzCheck("controllers", turning))
}

// turning returns an error if a reconcile has been running for longer than the limit.
func turning(from prometheus.Gatherer, limit time.Duration) error {
	families, err := from.Gather()
	if err != nil {
		return nil //nolint:nilerr // a metric that cannot be read is no reason to end the process
	}
	for _, family := range families {
		if family.GetName() != longestRunning {
			continue
		}
		for _, metric := range family.GetMetric() {
			if seconds := metric.GetGauge().GetValue(); seconds > limit.Seconds() {
				return fmt.Errorf("a reconcile has been running for %s", time.Duration(seconds*float64(time.Second)).Round(time.Second))
			}
		}
	}
	return nil
}
