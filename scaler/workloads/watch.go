// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Add adds the controller to a manager. It needs the ScaleSchedules, HPAs, Pods and Namespaces of the manager's cache;
// workloads are read past it.
func Add(mgr manager.Manager, o Options) (*Controller, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Poll == 0 {
		o.Poll = 30 * time.Second
	}
	observer, err := NewObserver(mgr.GetConfig(), mgr.GetClient(), mgr.GetAPIReader(), mgr.GetRESTMapper())
	if err != nil {
		return nil, err
	}
	observer.Around.Indexed, observer.Around.Zones, observer.Around.Now = o.Indexed, o.Zones, o.Now
	c := &Controller{
		Observer: observer, writer: Writer{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Scales: observer.Scales, Now: o.Now},
		recorder: mgr.GetEventRecorder("plimsoll-scaler"), now: o.Now, poll: o.Poll,
	}
	finder, err := newFinder(mgr)
	if err != nil {
		return nil, err
	}
	err = builder.TypedControllerManagedBy[Key](mgr).
		Named("workloads").
		WatchesRawSource(source.TypedKind(mgr.GetCache(), &v1alpha1.ScaleSchedule{}, ofSchedules())).
		WatchesRawSource(source.TypedKind(mgr.GetCache(), &autoscalingv2.HorizontalPodAutoscaler{}, c.ofHPAs())).
		WatchesRawSource(source.TypedFunc[Key](finder.start)).
		WithOptions(controller.TypedOptions[Key]{
			MaxConcurrentReconciles: o.Concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[Key](retryFirst, retryMost),
		}).
		WithLogConstructor(func(key *Key) klog.Logger {
			if key == nil {
				return mgr.GetLogger().WithName("workloads")
			}
			return mgr.GetLogger().WithName("workloads").WithValues("namespace", key.Namespace, "workload", key.String())
		}).
		Complete(c)
	if err != nil {
		return nil, fmt.Errorf("set up the controller of workloads: %w", err)
	}
	return c, nil
}

// A look that failed is repeated after retryFirst, then twice as long each time, at most retryMost: a window begins on
// time also after a long outage of the API server.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 30 * time.Second
)

type queue = workqueue.TypedRateLimitingInterface[Key]

// ofSchedules has the workload looked at that a schedule names or named.
func ofSchedules() handler.TypedEventHandler[*v1alpha1.ScaleSchedule, Key] {
	add := func(s *v1alpha1.ScaleSchedule, q queue) {
		if key, ok := KeyOf(s); ok {
			q.Add(key)
		}
	}
	return handler.TypedFuncs[*v1alpha1.ScaleSchedule, Key]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*v1alpha1.ScaleSchedule], q queue) { add(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*v1alpha1.ScaleSchedule], q queue) {
			if e.ObjectOld.Generation != e.ObjectNew.Generation || e.ObjectNew.DeletionTimestamp != nil {
				add(e.ObjectOld, q)
				add(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*v1alpha1.ScaleSchedule], q queue) { add(e.Object, q) },
	}
}

// ofHPAs has a workload looked at when an HPA begins or ends to scale it.
func (c *Controller) ofHPAs() handler.TypedEventHandler[*autoscalingv2.HorizontalPodAutoscaler, Key] {
	add := func(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, q queue) {
		key := keyOfHPA(hpa)
		if found, err := c.Observer.schedules(ctx, key); err == nil && len(found) > 0 {
			named, _ := KeyOf(&found[0]) // the version of the API in the schedule is the one that is looked at
			q.Add(named)
		}
	}
	return handler.TypedFuncs[*autoscalingv2.HorizontalPodAutoscaler, Key]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*autoscalingv2.HorizontalPodAutoscaler], q queue) {
			add(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*autoscalingv2.HorizontalPodAutoscaler], q queue) {
			if e.ObjectOld.Spec.ScaleTargetRef != e.ObjectNew.Spec.ScaleTargetRef {
				add(ctx, e.ObjectOld, q)
				add(ctx, e.ObjectNew, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*autoscalingv2.HorizontalPodAutoscaler], q queue) {
			add(ctx, e.Object, q)
		},
	}
}

// finder finds workloads with a record, once at the start: their schedules may have been deleted while nobody looked.
type finder struct {
	live  client.Reader
	kinds discovery.DiscoveryInterface
}

func newFinder(mgr manager.Manager) (*finder, error) {
	kinds, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	return &finder{live: mgr.GetAPIReader(), kinds: kinds}, nil
}

// findAgain is the time between two attempts to find workloads.
const findAgain = 10 * time.Second

func (f *finder) start(ctx context.Context, q queue) error {
	go func() {
		for {
			keys, err := f.find(ctx)
			for _, key := range keys {
				q.Add(key)
			}
			if err == nil {
				return
			}
			klog.FromContext(ctx).Error(err, "Workloads whose replicas are held cannot be listed yet; their schedules still hold them")
			select {
			case <-ctx.Done():
				return
			case <-time.After(findAgain):
			}
		}
	}()
	return nil
}

// find lists the workloads that have HeldLabel, of every kind with a scale subresource that may be listed.
func (f *finder) find(ctx context.Context) ([]Key, error) {
	_, resources, err := f.kinds.ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("ask which kinds have a scale subresource: %w", err)
	}
	var keys []Key
	for _, kind := range scalable(resources) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		err := f.live.List(ctx, list, client.HasLabels{HeldLabel})
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
			continue // a kind that we may not scale has nothing of ours
		case err != nil:
			return keys, fmt.Errorf("list %s in %s: %w", kind.Kind, kind.GroupVersion(), err)
		}
		for i := range list.Items {
			keys = append(keys, Key{Namespace: list.Items[i].Namespace, APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Name: list.Items[i].Name})
		}
	}
	return keys, nil
}

// scalable are the kinds with a scale subresource, each in the first version that has one.
func scalable(lists []*metav1.APIResourceList) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	seen := map[schema.GroupResource]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		kindOf := map[string]string{}
		for _, r := range list.APIResources {
			kindOf[r.Name] = r.Kind
		}
		for _, r := range list.APIResources {
			name, isScale := strings.CutSuffix(r.Name, "/scale")
			resource := schema.GroupResource{Group: version.Group, Resource: name}
			if isScale && kindOf[name] != "" && !seen[resource] {
				seen[resource] = true
				kinds = append(kinds, version.WithKind(kindOf[name]))
			}
		}
	}
	return kinds
}
