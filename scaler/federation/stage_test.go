// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/headroom"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// The members and their nodes; each node has room for four pods of play.deploy.
var nodes = map[string]int{"berlin": 3, "paris": 2, "rome": 1}

// patient is how long a member may take to answer here, on a busy machine, before it counts as one that hangs.
const patient = 12 * time.Second

// stage is a hub and its members, with a controller that runs. The tests judge the members' health, and move the clock.
type stage struct {
	whole    *testing.T // of which the scenes are parts
	hub      *clustertest.Cluster
	members  map[string]*clustertest.Cluster
	fleet    *members.Fleet
	registry *prometheus.Registry
	offset   atomic.Int64
	stop     func()
}

func newStage(t *testing.T) *stage {
	s := &stage{whole: t, hub: clustertest.Start(t), members: map[string]*clustertest.Cluster{}}
	for name, n := range nodes {
		s.members[name] = clustertest.Start(t, "--nodes", fmt.Sprint(n), "--node-cpu", "4", "--hpa-sync-period", "1s")
		require.NoError(t, s.hub.Client.Create(t.Context(), &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	s.start()
	return s
}

// start starts a scaler, as after a restart: with nothing that another has kept in memory.
func (s *stage) start() {
	t := s.whole
	mgr := clustertest.NewManager(t, s.hub.RESTConfig)
	s.fleet, s.registry = members.NewFleet(clustertest.Scheme(t)), prometheus.NewRegistry()
	require.NoError(t, Add(mgr, s.fleet, Options{Now: s.now, Registerer: s.registry, AnswerWithin: patient}))
	require.NoError(t, headroom.Add(mgr, s.fleet, headroom.Options{Now: s.now, Every: 5 * time.Second}))
	require.NoError(t, situation.Indexes(t.Context(), mgr.GetFieldIndexer()))
	_, err := workloads.Add(mgr, workloads.Options{Now: s.now, Indexed: true, Poll: time.Second})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range s.members {
		require.NoError(t, s.fleet.Connect(ctx, name, "", c.RESTConfig))
	}
	ended := clustertest.Run(t, mgr)
	s.stop = func() { ended(); cancel() }
}

func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

// judge sets what is thought of a member from now on.
func (s *stage) judge(t *testing.T, name string, state v1alpha1.MemberState) {
	s.judgeSince(t, name, state, s.now())
}

func (s *stage) judgeSince(t *testing.T, name string, state v1alpha1.MemberState, at time.Time) {
	since := metav1.NewTime(at)
	member := &v1alpha1.MemberCluster{}
	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Name: name}, member))
	changed := member.DeepCopy()
	if changed.Status.State != v1alpha1.MemberSuspect || state == v1alpha1.MemberHealthy { // from Suspect to Failed it stays
		changed.Status.Since = &since
	}
	changed.Status.State = state
	require.NoError(t, s.hub.Client.Status().Patch(t.Context(), changed, client.MergeFrom(member)))
}

// play is a namespace in the hub and in every member, with a FederatedScale "shop".
type play struct {
	*stage
	t         *testing.T
	namespace string
}

func (s *stage) scene(t *testing.T) *play {
	one := &play{stage: s, t: t, namespace: fmt.Sprintf("scene-%d", time.Now().UnixNano())}
	for _, c := range append(s.all(), s.hub) {
		require.NoError(t, c.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: one.namespace}}))
	}
	t.Cleanup(func() { // so that the next scene has the nodes to itself
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, client.IgnoreNotFound(s.hub.Client.Delete(ctx, &v1alpha1.FederatedScale{ObjectMeta: one.meta()})))
		for _, c := range s.all() {
			require.NoError(t, c.Client.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(one.namespace)))
			require.NoError(t, c.Client.DeleteAllOf(ctx, &appsv1.StatefulSet{}, client.InNamespace(one.namespace)))
		}
		clustertest.Eventually(t, "the nodes are empty", func() error {
			for _, c := range s.all() {
				var pods corev1.PodList
				if err := c.Client.List(ctx, &pods, client.InNamespace(one.namespace)); err != nil || len(pods.Items) > 0 {
					return fmt.Errorf("%d pods are left: %w", len(pods.Items), err)
				}
			}
			return nil
		})
	})
	for name := range s.members {
		s.judgeSince(t, name, v1alpha1.MemberHealthy, s.now().Add(-time.Hour))
	}
	clustertest.Eventually(t, "the controller knows that the nodes are empty", func() error {
		for name := range s.members {
			member := s.fleet.Member(name)
			if member == nil {
				return fmt.Errorf("%s is not connected", name)
			}
			if snapshot, err := member.Snapshot(t.Context()); err != nil || snapshot.Pods > 0 {
				return fmt.Errorf("%s has pods: %w", name, err)
			}
		}
		return nil
	})
	return one
}

func (s *stage) all() []*clustertest.Cluster {
	var all []*clustertest.Cluster
	for _, c := range s.members {
		all = append(all, c)
	}
	return all
}

func (p *play) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: p.namespace, Name: "shop"}
}

func (p *play) key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.namespace, Name: "shop"}
}

// deploy creates the workload in some members; each pod needs one cpu.
func (p *play) deploy(replicas int, in ...string) {
	for _, name := range in {
		p.members[name].Create(p.t, p.namespace, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: %d,
			selector: {matchLabels: {app: shop}}, template: {metadata: {labels: {app: shop}}, spec: {terminationGracePeriodSeconds: 0,
			containers: [{name: shop, image: shop, resources: {requests: {cpu: "1"}}}]}}}}`, replicas))
	}
	clustertest.Eventually(p.t, "the controller knows the pods", func() error {
		for _, name := range in {
			snapshot, err := p.fleet.Member(name).Snapshot(p.t.Context())
			if err != nil {
				return err
			}
			if snapshot.Pods != replicas {
				return fmt.Errorf("%s has %d pods", name, snapshot.Pods)
			}
		}
		return nil
	})
}

// create creates the FederatedScale; spec is the inside of braces.
func (p *play) create(spec string) {
	p.hub.Create(p.t, p.namespace, `{apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, metadata: {name: shop}, spec: {mode: Enforce, targetRef: {}, `+spec+`}}`)
}

// patch merges something into the FederatedScale.
func (p *play) patch(patch string) {
	f := &v1alpha1.FederatedScale{ObjectMeta: p.meta()}
	require.NoError(p.t, p.hub.Client.Patch(p.t.Context(), f, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// scaleTo asks for a number as `kubectl scale` and an HPA do.
func (p *play) scaleTo(replicas int32) {
	f := &v1alpha1.FederatedScale{ObjectMeta: p.meta()}
	body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	require.NoError(p.t, p.hub.Client.SubResource("scale").Update(p.t.Context(), f, client.WithSubResourceBody(body)))
}

// pass lets time pass, and has the controller look.
func (p *play) pass(d time.Duration) {
	p.offset.Add(int64(d))
	p.patch(fmt.Sprintf(`{"metadata":{"annotations":{"looked":"%d"}}}`, time.Now().UnixNano()))
}

func (p *play) get() *v1alpha1.FederatedScale {
	f := &v1alpha1.FederatedScale{}
	require.NoError(p.t, p.hub.Client.Get(p.t.Context(), p.key(), f))
	return f
}

// replicas are those in a member's Deployment, and how many of them are Ready; -1: nobody knows.
func (p *play) replicas(name string) (replicas, ready int32) {
	d := &appsv1.Deployment{}
	if err := p.members[name].Client.Get(p.t.Context(), p.key(), d); err != nil {
		return -1, -1
	}
	return *d.Spec.Replicas, d.Status.ReadyReplicas
}

type counts map[string]int32

// wants waits until the members have so many replicas, all of them Ready.
func (p *play) wants(what string, want counts) {
	p.t.Helper()
	p.eventually(what, func() error {
		for name, n := range want {
			if replicas, ready := p.replicas(name); replicas != n || ready != n {
				return fmt.Errorf("%s has %d replicas, %d of them Ready, not %d", name, replicas, ready, n)
			}
		}
		return nil
	})
}

// wantsAll is wants after the FederatedScale is gone.
func (p *play) wantsAll(what string, want counts) {
	p.t.Helper()
	clustertest.Eventually(p.t, what, func() error {
		for name, n := range want {
			if replicas, ready := p.replicas(name); replicas != n || ready != n {
				return fmt.Errorf("%s has %d replicas, %d of them Ready, not %d", name, replicas, ready, n)
			}
		}
		return nil
	})
}

// reason waits for the condition's reason and returns the object.
func (p *play) reason(want string) *v1alpha1.FederatedScale {
	p.t.Helper()
	var f *v1alpha1.FederatedScale
	p.eventually("the reason is "+want, func() error {
		f = p.get()
		if c := meta.FindStatusCondition(f.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != want {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
	return f
}

// eventually is clustertest's, with what the hub thinks in the error.
func (p *play) eventually(what string, check func() error) {
	p.t.Helper()
	clustertest.Eventually(p.t, what, func() error {
		if err := check(); err != nil {
			status, _ := json.Marshal(p.get().Status)
			return fmt.Errorf("%w (%s)", err, status)
		}
		return nil
	})
}

// noted waits for a note on a cluster ("": on the whole).
func (p *play) noted(cluster, reason string) {
	p.t.Helper()
	p.eventually("noted: "+reason, func() error {
		if !noted(p.get().Status.Notes, v1alpha1.FederatedNote{Cluster: cluster, Reason: reason}) {
			return fmt.Errorf("no note %s of %q", reason, cluster)
		}
		return nil
	})
}

func row(f *v1alpha1.FederatedScale, name string) v1alpha1.FederatedClusterStatus {
	if found := find(f.Status.Clusters, name); found != nil {
		return *found
	}
	return v1alpha1.FederatedClusterStatus{}
}

// lowest watches how many replicas are Ready in some members together, until it is asked for the lowest number. They are
// asked one after the other: name first who loses replicas that others have gained before. One that does not answer is asked
// again.
func (p *play) lowest(in ...string) func() int32 {
	stop, lowest := make(chan struct{}), make(chan int32)
	sum := func() int32 {
		var all int32
		for _, name := range in {
			d := &appsv1.Deployment{}
			err := p.members[name].Client.Get(p.t.Context(), p.key(), d)
			for ; err != nil && !apierrors.IsNotFound(err) && p.t.Context().Err() == nil; time.Sleep(20 * time.Millisecond) {
				err = p.members[name].Client.Get(p.t.Context(), p.key(), d)
			}
			all += d.Status.ReadyReplicas
		}
		return all
	}
	go func() {
		least := sum()
		for {
			select {
			case <-stop:
				lowest <- min(least, sum())
				return
			case <-time.After(20 * time.Millisecond):
				least = min(least, sum())
			}
		}
	}()
	return func() int32 { close(stop); return <-lowest }
}

// told says whether an event with these words was recorded.
func (p *play) told(words string) {
	p.t.Helper()
	p.eventually("an event says "+words, func() error {
		var list eventsv1.EventList
		require.NoError(p.t, p.hub.Client.List(p.t.Context(), &list, client.InNamespace(p.namespace)))
		var notes []string
		for i := range list.Items {
			if list.Items[i].Note == words {
				return nil
			}
			notes = append(notes, list.Items[i].Note)
		}
		return fmt.Errorf("the events say %q", notes)
	})
}
