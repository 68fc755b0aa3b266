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

	"github.com/plimsoll/plimsoll/scaler/members"
)

// The values of the label served of plimsoll_headroom_surge_seconds.
const (
	servedReserve = "reserve"  // a node that was there when the pod was made
	servedNewNode = "new-node" // one that is younger than the pod
)

// latency measures how long pods of divided workloads take from their creation until they are Ready for the first time.
type latency struct {
	seconds *prometheus.HistogramVec

	mu       sync.Mutex
	followed map[followed]bool
	unborn   map[string]map[types.UID]bool // pods that were not Ready when they were first seen, by member
}

// followed is a workload in a member.
type followed struct{ member, kind, namespace, name string }

func newLatency() *latency {
	return &latency{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "plimsoll_headroom_surge_seconds",
			Help:    "Seconds from the creation of a pod of a FederatedScale's workload to its first being Ready, by member, and by whether its node was there (reserve) or came for it (new-node).",
			Buckets: []float64{1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200},
		}, []string{"member", "served"}),
		followed: map[followed]bool{}, unborn: map[string]map[types.UID]bool{},
	}
}

// follow says whose pods count.
func (l *latency) follow(all []*workload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followed = map[followed]bool{}
	for _, one := range all {
		for member, p := range one.in {
			if p.kind != "" {
				l.followed[followed{member, p.kind, one.scale.Namespace, p.name}] = true
			}
		}
	}
}

// watch sees the pods of a member; a connection that follows another one begins anew.
func (l *latency) watch(ctx context.Context, m *members.Member) error {
	l.mu.Lock()
	l.unborn[m.Name()] = map[types.UID]bool{}
	l.mu.Unlock()
	informer, err := m.Cache().GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the pods of member %s: %w", m.Name(), err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { l.see(ctx, m, object) },
		UpdateFunc: func(_, object any) { l.see(ctx, m, object) },
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

// see notes pods that are not Ready yet, and measures them when they are.
func (l *latency) see(ctx context.Context, m *members.Member, object any) {
	pod, is := object.(*corev1.Pod)
	if !is {
		return
	}
	ready := readySince(pod)
	l.mu.Lock()
	unborn, ours := l.unborn[m.Name()], l.ours(m.Name(), pod)
	was := unborn[pod.UID]
	if ready.IsZero() && ours && never(pod) {
		unborn[pod.UID] = true
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
	l.seconds.WithLabelValues(m.Name(), served).Observe(max(ready.Sub(pod.CreationTimestamp.Time).Seconds(), 0))
}

// never says that the pod cannot have been Ready yet: it has no node, or nothing but its scheduling has happened.
func never(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodPending
}

// ours says whether a pod belongs to a workload that is followed. The lock is held.
func (l *latency) ours(member string, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return false
	}
	f := followed{member, owner.Kind, pod.Namespace, owner.Name}
	if maker, made := strings.CutSuffix(owner.Name, "-"+pod.Labels["pod-template-hash"]); owner.Kind == "ReplicaSet" && made {
		f.kind, f.name = "Deployment", maker
	}
	return l.followed[f]
}

// readySince is when a pod became Ready; the zero time: it is not.
func readySince(pod *corev1.Pod) time.Time {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if i < 0 || pod.Status.Conditions[i].Status != corev1.ConditionTrue {
		return time.Time{}
	}
	return pod.Status.Conditions[i].LastTransitionTime.Time
}
