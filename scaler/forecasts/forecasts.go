// SPDX-License-Identifier: Apache-2.0

// Package forecasts runs ScaleForecasts: it reads the history of a demand from the query API, learns it point by point,
// and writes into the status of each ScaleForecast what is to be expected, how good that was lately, and how many
// replicas that takes. The status is the only way in which a forecast reaches the bounds of an HPA.
package forecasts

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// controllerName is that of the loop in logs and in the metrics of its work queue.
const controllerName = "forecasts"

// After an error of the API server a forecast is looked at again, soon at first, and twice as late each time. The default
// goes up to 16 minutes, for which a floor would stay as it is.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// Add puts the forecast loop into a manager. It runs where the manager leads.
func Add(mgr manager.Manager, o Options) error {
	o, err := o.withDefaults(mgr)
	if err != nil {
		return err
	}
	l, err := newLoop(o, mgr.GetClient())
	if err != nil {
		return err
	}
	l.events = mgr.GetEventRecorder(record.Manager)
	if err := l.metrics.register(o.Registerer); err != nil {
		return err
	}
	err = builder.ControllerManagedBy(mgr).Named(controllerName).
		For(&v1alpha1.ScaleForecast{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, l.othersStatus()))).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(l.forecastsOf), builder.WithPredicates(hpaChanges())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.Workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstBackoff, lastBackoff),
		}).
		Complete(l)
	if err != nil {
		return fmt.Errorf("cannot add the forecast loop: %w", err)
	}
	return nil
}

func newLoop(o Options, c client.Client) (*loop, error) {
	source, err := o.newSource()
	if err != nil {
		return nil, fmt.Errorf("forecasts: %w", err)
	}
	known := &entries{all: map[types.NamespacedName]*entry{}}
	return &loop{
		options: o, client: c, source: source, entries: known, observer: o.Observer,
		loading: make(chan struct{}, o.Loading), metrics: newMeters(known, o.Now),
	}, nil
}

// forecastsOf are the forecasts that name an HPA.
func (l *loop) forecastsOf(ctx context.Context, hpa client.Object) []reconcile.Request {
	var list v1alpha1.ScaleForecastList
	options := []client.ListOption{client.InNamespace(hpa.GetNamespace()), client.UnsafeDisableDeepCopy}
	if l.observer.Indexed {
		options = append(options, client.MatchingFields{situation.ForecastTargetIndex: hpa.GetName()})
	}
	if err := l.observer.Reader.List(ctx, &list, options...); err != nil {
		return nil // the cache is being stopped
	}
	var out []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.TargetRef.Name == hpa.GetName() {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}

// othersStatus are changes by others of what the bounds are made from: the loop writes back what it decided.
func (l *loop) othersStatus() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, isForecast := e.ObjectOld.(*v1alpha1.ScaleForecast)
			is, isStill := e.ObjectNew.(*v1alpha1.ScaleForecast)
			if !isForecast || !isStill {
				return true
			}
			changed := was.Status.Effective != is.Status.Effective || was.Status.Target != is.Status.Target ||
				!ptr.Equal(was.Status.Floor, is.Status.Floor)
			return changed && !l.entries.wrote(is)
		},
	}
}

// hpaChanges are those that a floor depends on. An HPA's status changes every 15 seconds, mostly in its metrics only.
func hpaChanges() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, isHPA := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
			is, isStill := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
			if !isHPA || !isStill {
				return true
			}
			return was.Generation != is.Generation || was.Status.CurrentReplicas != is.Status.CurrentReplicas ||
				was.Annotations[record.PausedAnnotation] != is.Annotations[record.PausedAnnotation] ||
				was.Annotations[record.BaseAnnotation] != is.Annotations[record.BaseAnnotation]
		},
	}
}
