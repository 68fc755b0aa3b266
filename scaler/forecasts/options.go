// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Options of the forecast loop.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// RESTConfig reaches the kube-apiserver whose query.plimsoll.dev is asked, with the scaler's own credentials.
	// Default: the manager's.
	RESTConfig *rest.Config
	// Observer looks at HPAs. Default: through the manager's client, without indexes.
	Observer situation.Observer
	// Workers is how many forecasts are worked on at once. Default: 8.
	Workers int
	// Loading is how many of the workers may read history at once. Default: 2.
	Loading int
	// Registerer takes the forecasts' metrics. Default: controller-runtime's registry.
	Registerer prometheus.Registerer
	// WriteProblem says why the bounds of an HPA could not be written lately; "" or a nil function: no trouble is known.
	WriteProblem func(hpa types.NamespacedName) string
}

const (
	defaultWorkers = 8
	defaultLoading = 2
)

// withDefaults fills in what was left out.
func (o Options) withDefaults(mgr manager.Manager) (Options, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers == 0 {
		o.Workers = defaultWorkers
	}
	if o.Loading == 0 {
		o.Loading = min(defaultLoading, o.Workers)
	}
	if o.RESTConfig == nil {
		o.RESTConfig = mgr.GetConfig()
	}
	if o.Observer.Reader == nil {
		o.Observer.Reader = mgr.GetClient()
	}
	if o.Observer.Now == nil {
		o.Observer.Now = o.Now
	}
	if o.Registerer == nil {
		o.Registerer = metrics.Registry
	}
	if o.Workers < 1 || o.Loading < 1 || o.Loading > o.Workers {
		return o, fmt.Errorf("forecasts: %d workers of which %d may read history; there must be at least one of each, and not more readers than workers", o.Workers, o.Loading)
	}
	if o.RESTConfig == nil {
		return o, errors.New("forecasts: there is no configuration to reach the API server's query.plimsoll.dev")
	}
	return o, nil
}

// newSource is the client of the query API.
func (o Options) newSource() (*history.Client, error) { return history.New(o.RESTConfig, o.Now) }
