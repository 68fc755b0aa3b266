// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/federation"
	"github.com/plimsoll/plimsoll/scaler/forecasts"
	"github.com/plimsoll/plimsoll/scaler/headroom"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/members/distribute"
	"github.com/plimsoll/plimsoll/scaler/schedules"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/target"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// addControllers gives the manager one controller per kind of decision. Only the leader's run; they register their
// metrics where controller-runtime has its own.
func addControllers(ctx context.Context, mgr manager.Manager, o Options) error {
	if err := situation.Indexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := ctrlmetrics.Registry.Register(newConditions(mgr.GetCache())); err != nil {
		return fmt.Errorf("register the metric of conditions: %w", err)
	}
	failures := new(schedules.Failures)
	if err := target.Add(mgr, target.Options{Now: o.Now, Concurrency: o.Concurrency, Registerer: ctrlmetrics.Registry, Wrote: failures.Note}); err != nil {
		return fmt.Errorf("set up the controller of bounds: %w", err)
	}
	zones := new(schedule.Zones)
	replicas, err := workloads.Add(mgr, workloads.Options{Now: o.Now, Concurrency: o.Concurrency, Indexed: true, Zones: zones})
	if err != nil {
		return fmt.Errorf("set up the controller of workloads: %w", err)
	}
	if err := schedules.Add(mgr, schedules.Options{Now: o.Now, Concurrency: o.Concurrency, Workloads: replicas, Failures: failures}); err != nil {
		return err
	}
	err = forecasts.Add(mgr, forecasts.Options{
		Now: o.Now, Workers: o.Concurrency, Loading: o.Histories, Registerer: ctrlmetrics.Registry,
		Observer: situation.Observer{Reader: mgr.GetClient(), Indexed: true, Zones: zones, Now: o.Now},
		WriteProblem: func(hpa types.NamespacedName) string {
			if err := failures.Of(hpa); err != nil {
				return err.Error()
			}
			return ""
		},
	})
	if err != nil {
		return fmt.Errorf("set up the controller of ScaleForecasts: %w", err)
	}
	return addClusters(mgr, o)
}

// addClusters gives the manager the controllers of member clusters and of what is divided over them.
func addClusters(mgr manager.Manager, o Options) error {
	fleet, err := members.Add(mgr, members.Options{
		Now: o.Now, Namespace: o.MembersNamespace, Registerer: ctrlmetrics.Registry, Concurrency: o.Concurrency,
	})
	if err != nil {
		return fmt.Errorf("set up the controller of MemberClusters: %w", err)
	}
	if err := distribute.Add(mgr, fleet); err != nil {
		return err
	}
	if err := federation.Add(mgr, fleet, federation.Options{Now: o.Now, Concurrency: o.Concurrency, Registerer: ctrlmetrics.Registry}); err != nil {
		return fmt.Errorf("set up the controller of FederatedScales: %w", err)
	}
	if err := headroom.Add(mgr, fleet, headroom.Options{Now: o.Now, Namespace: o.MembersNamespace, Registerer: ctrlmetrics.Registry}); err != nil {
		return fmt.Errorf("set up the controller of Headrooms: %w", err)
	}
	return nil
}
