// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/plimsoll/plimsoll/scaler/forecasts"
)

// addControllers gives the manager one controller per kind of decision. All of them have the leader's right to act and
// register their metrics where controller-runtime has its own.
func addControllers(mgr manager.Manager, o Options) error {
	err := forecasts.Add(mgr, forecasts.Options{Now: o.Now, Workers: o.Concurrency, Loading: o.Histories, Registerer: ctrlmetrics.Registry})
	if err != nil {
		return fmt.Errorf("set up the controller of ScaleForecasts: %w", err)
	}
	return nil
}
