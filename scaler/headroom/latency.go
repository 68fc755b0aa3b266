// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
)

// The values of the label served.
const (
	servedReserve = "reserve"  // a node that was there when the pod was made
	servedNewNode = "new-node" // one that is younger than the pod
)

// bornWithin is how long after a higher number of replicas was asked for a new pod may be one of it: a node comes later
// than the pod, but what makes the pod does not.
const bornWithin = time.Minute

// latency measures how long pods of divided workloads take until they are Ready for the first time, from the decision that
// brought them and from their creation.
type latency struct {
	surges, pods *prometheus.HistogramVec
	now          func() time.Time

	mu       sync.Mutex
	followed map[followed]types.NamespacedName // the FederatedScale
	raises   map[types.NamespacedName][]raise
	unborn   map[string]map[types.UID]time.Time // pods that were not Ready when they were first seen, by member: since when they are wanted; zero: not known
}

// followed is a workload in a member.
type followed struct{ member, kind, namespace, name string }

// raise is a higher number of replicas than before, as the hub saw it: by its own clock, as are the pods that become Ready.
type raise struct {
	at   time.Time
	left int64 // pods that have not been seen yet
}

func newLatency(now func() time.Time) *latency {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help + ", by member, and by whether its node was there (reserve) or came for it (new-node).",
			Buckets: []float64{1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200},
		}, []string{"member", "served"})
	}
	return &latency{
		surges: histogram("plimsoll_headroom_surge_seconds", "Seconds from the decision for more replicas (an HPA's write to a FederatedScale, as the hub sees it) to a pod that it brought being Ready"),
		pods:   histogram("plimsoll_headroom_pod_seconds", "Seconds from the creation of a pod of a FederatedScale's workload, whatever made it, to its first being Ready"),
		now:    now, followed: map[followed]types.NamespacedName{}, raises: map[types.NamespacedName][]raise{}, unborn: map[string]map[types.UID]time.Time{},
	}
}

// asked sees a FederatedScale change.
func (l *latency) asked(old, now *v1alpha1.FederatedScale) {
	more := wanted(now) - wanted(old)
	if more <= 0 || now.Spec.Mode != v1alpha1.ModeEnforce {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key, at := client.ObjectKeyFromObject(now), l.now()
	l.raises[key] = append(l.recent(key, at), raise{at, more})
}

// gone forgets a FederatedScale.
func (l *latency) gone(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.raises, key)
}

func wanted(f *v1alpha1.FederatedScale) int64 {
	if f.Spec.Replicas == nil {
		return 1
	}
	return int64(*f.Spec.Replicas)
}

// recent are the raises of which pods are still to come. The lock is held.
func (l *latency) recent(key types.NamespacedName, now time.Time) []raise {
	return slices.DeleteFunc(l.raises[key], func(r raise) bool { return r.left == 0 || now.Sub(r.at) > bornWithin })
}

// wantedSince says when the oldest raise was asked for of which pods are still to come, and takes one of them; the zero time: there
// is none, so that a new pod comes of something else. The lock is held.
func (l *latency) wantedSince(key types.NamespacedName) time.Time {
	all := l.recent(key, l.now())
	if l.raises[key] = all; len(all) == 0 {
		delete(l.raises, key)
		return time.Time{}
	}
	all[0].left--
	return all[0].at
}

// watchHub sees what is asked of the FederatedScales.
func (l *latency) watchHub(ctx context.Context, hub cache.Cache) error {
	informer, err := hub.GetInformer(ctx, &v1alpha1.FederatedScale{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the FederatedScales: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, object any) {
			old, isOld := before.(*v1alpha1.FederatedScale)
			if f, is := object.(*v1alpha1.FederatedScale); is && isOld {
				l.asked(old, f)
			}
		},
		DeleteFunc: func(object any) {
			if last, is := object.(toolscache.DeletedFinalStateUnknown); is {
				object = last.Obj
			}
			if f, is := object.(*v1alpha1.FederatedScale); is {
				l.gone(client.ObjectKeyFromObject(f))
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch the FederatedScales: %w", err)
	}
	return nil
}

// follow says whose pods count.
func (l *latency) follow(all []*workload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followed = map[followed]types.NamespacedName{}
	for _, one := range all {
		for member, p := range one.in {
			if p.kind != "" {
				l.followed[followed{member, p.kind, one.scale.Namespace, p.name}] = client.ObjectKeyFromObject(one.scale)
			}
		}
	}
}

// watch sees the pods of a member; a connection that follows another one begins anew.
func (l *latency) watch(ctx context.Context, m *members.Member) error {
	l.mu.Lock()
	l.unborn[m.Name()] = map[types.UID]time.Time{}
	l.mu.Unlock()
	informer, err := m.Cache().GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the pods of member %s: %w", m.Name(), err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(object any, initially bool) { l.see(ctx, m, object, !initially) },
		UpdateFunc: func(_, object any) { l.see(ctx, m, object, false) },
		DeleteFunc: func(object any) {
			if gone, is := object.(toolscache.DeletedFinalStateUnknown); is {
				object = gone.Obj
			}
			if pod, is := object.(*corev1.Pod); is {
				l.mu.Lock()
				delete(l.unborn[m.Name()], pod.UID)
				l.mu.Unlock()
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch the pods of member %s: %w", m.Name(), err)
	}
	return nil
}

// see notes pods that are not Ready yet, and measures them when they are. A new pod may be one that was asked for.
func (l *latency) see(ctx context.Context, m *members.Member, object any, isNew bool) {
	pod, is := object.(*corev1.Pod)
	if !is {
		return
	}
	ready := readySince(pod)
	l.mu.Lock()
	unborn := l.unborn[m.Name()]
	since, was := unborn[pod.UID]
	if scale, ours := l.scaleOf(m.Name(), pod); ready.IsZero() && ours && !was && never(pod) {
		unborn[pod.UID] = time.Time{}
		if isNew {
			unborn[pod.UID] = l.wantedSince(scale)
		}
	}
	if !ready.IsZero() {
		delete(unborn, pod.UID)
	}
	l.mu.Unlock()
	if !was || ready.IsZero() {
		return
	}
	var node corev1.Node
	if err := m.Get(ctx, types.NamespacedName{Name: pod.Spec.NodeName}, &node); err != nil {
		return // the node is gone, or not seen yet: it is not known who served
	}
	served := servedReserve
	if node.CreationTimestamp.After(pod.CreationTimestamp.Time) {
		served = servedNewNode
	}
	l.pods.WithLabelValues(m.Name(), served).Observe(max(ready.Sub(pod.CreationTimestamp.Time).Seconds(), 0))
	if !since.IsZero() {
		l.surges.WithLabelValues(m.Name(), served).Observe(max(l.now().Sub(since).Seconds(), 0))
	}
}

// never says that the pod cannot have been Ready yet: it has no node, or nothing but its scheduling has happened.
func never(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodPending
}

// scaleOf is the FederatedScale of a pod's workload, if there is one. The lock is held.
func (l *latency) scaleOf(member string, pod *corev1.Pod) (types.NamespacedName, bool) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return types.NamespacedName{}, false
	}
	f := followed{member, owner.Kind, pod.Namespace, owner.Name}
	if maker, made := strings.CutSuffix(owner.Name, "-"+pod.Labels["pod-template-hash"]); owner.Kind == "ReplicaSet" && made {
		f.kind, f.name = "Deployment", maker
	}
	scale, ours := l.followed[f]
	return scale, ours
}

// readySince is when a pod became Ready; the zero time: it is not.
func readySince(pod *corev1.Pod) time.Time {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if i < 0 || pod.Status.Conditions[i].Status != corev1.ConditionTrue {
		return time.Time{}
	}
	return pod.Status.Conditions[i].LastTransitionTime.Time
}
