// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/plimsoll/plimsoll/scaler/forecasts"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/target"
)

// addControllers gives the manager one controller per kind of decision. Only the leader's run; they register their
// metrics where controller-runtime has its own.
func addControllers(ctx context.Context, mgr manager.Manager, o Options) error {
	if err := situation.Indexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := target.Add(mgr, target.Options{Now: o.Now, Concurrency: o.Concurrency, Registerer: ctrlmetrics.Registry}); err != nil {
		return fmt.Errorf("set up the controller of bounds: %w", err)
	}
	err := forecasts.Add(mgr, forecasts.Options{Now: o.Now, Workers: o.Concurrency, Loading: o.Histories, Registerer: ctrlmetrics.Registry})
	if err != nil {
		return fmt.Errorf("set up the controller of ScaleForecasts: %w", err)
	}
	return nil
}
