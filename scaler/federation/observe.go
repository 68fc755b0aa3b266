// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// scene is a FederatedScale and what was observed for it.
type scene struct {
	scale  *v1alpha1.FederatedScale
	rule   v1alpha1.Federation
	now    time.Time
	state  divide.State
	memo   *memo
	hub    string // this hub's identity
	paused string // by what; "": it is not
	taken  string // the older FederatedScale that has the target; "": none
	doubt  string // why the hub suspects itself; "": it does not
	wrong  string // what is wrong with the metrics of the hub's HPA; "": nothing
	// unmeasured is why what is asked for is not by the demand; "": it is.
	unmeasured string
	sights     []*sight
	// weighAt is when the weights take their next step.
	weighAt time.Time
}

// acts says whether anything may be written to members.
func (s *scene) acts() bool { return s.rule.Enforce && s.paused == "" && s.taken == "" }

// sight is one cluster of a FederatedScale.
type sight struct {
	name    string
	cluster *v1alpha1.MemberCluster // nil: there is none of this name
	limits  v1alpha1.FederatedCluster
	before  *v1alpha1.FederatedClusterStatus // nil: it has not been seen before
	memo    *memberMemo
	member  *members.Member // nil: there is no connection
	offer   *newnodes.Offer // of its node groups; nil: nothing is known yet

	asked   bool // it is Healthy, so that it is asked
	seen    bool
	problem string // why it is not seen although it was asked
	// What follows is known only if it is seen.
	target  *target // nil: there is none of the target's name
	missing string  // why not
	pods    pods
	stuck   int64
	more    *int64    // pods that its quotas let through; nil: any number
	owner   string    // the HPA that scales the workload there
	wake    time.Time // when to look again although nothing changes; zero: no need
}

// leftAlone is why a target that is there is not to be written, as a reason and a message; "": it may be.
func (one *sight) leftAlone() (reason, message string) {
	t := one.target
	switch {
	case t == nil:
		return "", ""
	case one.owner != "":
		return v1alpha1.FederatedOwnedByHPA, fmt.Sprintf("HPA %s scales the workload there, so its replicas are left alone", one.owner)
	case t.refused != "":
		return v1alpha1.FederatedTargetRefused, t.refused
	case t.paused():
		return v1alpha1.FederatedPaused, fmt.Sprintf("its target has the annotation %s, so it is left alone", record.PausedAnnotation)
	case t.contested != "":
		return v1alpha1.FederatedReverted, t.contested
	}
	return "", ""
}

func (one *sight) wakeAt(at time.Time) {
	if !at.IsZero() && (one.wake.IsZero() || at.Before(one.wake)) {
		one.wake = at
	}
}

// observe looks at the hub, and then at all members.
func (r *reconciler) observe(ctx context.Context, f *v1alpha1.FederatedScale, rule v1alpha1.Federation, m *memo, now time.Time) (*scene, error) {
	s := &scene{scale: f, rule: rule, now: now, memo: m}
	if rule.Enforce {
		s.state = stateOf(&f.Status)
	}
	var err error
	if s.hub, err = members.HubIdentity(ctx, r.client); err != nil {
		return nil, err
	}
	if s.paused, err = r.pausedBy(ctx, f); err != nil {
		return nil, err
	}
	if s.taken, err = r.takenBy(ctx, f, rule); err != nil {
		return nil, err
	}
	hpas, err := r.hubHPAs(ctx, f)
	if err != nil {
		return nil, err
	}
	s.wrong, s.unmeasured = wrongMetric(hpas), unmeasured(hpas)
	var list v1alpha1.MemberClusterList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list the MemberClusters: %w", err)
	}
	if slices.ContainsFunc(list.Items, func(c v1alpha1.MemberCluster) bool { return doubts(&c) }) {
		s.doubt = "most clusters stopped answering at once, which is rather the hub's own network, so nothing is lowered anywhere"
	}
	s.gather(list.Items)
	r.lookAtAll(ctx, s, false)
	return s, nil
}

func (r *reconciler) pausedBy(ctx context.Context, f *v1alpha1.FederatedScale) (string, error) {
	if f.Annotations[record.PausedAnnotation] == "true" {
		return "FederatedScale " + f.Name, nil
	}
	paused, err := r.namespacePaused(ctx, f.Namespace)
	if err != nil || !paused {
		return "", err
	}
	return "namespace " + f.Namespace, nil
}

// namespacePaused says whether a namespace of the hub is paused; one that is gone is not.
func (r *reconciler) namespacePaused(ctx context.Context, name string) (bool, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.client.Get(ctx, types.NamespacedName{Name: name}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("cannot read namespace %s: %w", name, err)
	}
	return namespace.Annotations[record.PausedAnnotation] == "true", nil
}

// gather finds the clusters of the FederatedScale: those that it names, or all. One that had replicas and whose
// MemberCluster was deleted stays, silent, until another number is asked for or the clusters are named without it:
// deleting a MemberCluster changes no replicas.
func (s *scene) gather(all []v1alpha1.MemberCluster) {
	sights := map[string]*sight{}
	for name, limits := range s.rule.Clusters {
		sights[name] = &sight{name: name, limits: limits}
	}
	for i := range all {
		cluster := &all[i]
		if !cluster.DeletionTimestamp.IsZero() {
			continue
		}
		if s.rule.Clusters == nil {
			sights[cluster.Name] = &sight{name: cluster.Name}
		}
		if one := sights[cluster.Name]; one != nil {
			one.cluster = cluster
		}
	}
	for i := range s.scale.Status.Clusters {
		row := &s.scale.Status.Clusters[i]
		unasked := s.rule.Clusters == nil && int64(s.scale.Status.Divided) == s.rule.Replicas && row.Replicas > 0
		if sights[row.Name] == nil && unasked {
			sights[row.Name] = &sight{name: row.Name}
		}
		if one := sights[row.Name]; one != nil {
			one.before = row
		}
	}
	s.sights = slices.SortedFunc(maps.Values(sights), func(a, b *sight) int { return strings.Compare(a.name, b.name) })
	for _, one := range s.sights {
		one.memo = s.memo.of(one.name)
	}
	for name := range s.memo.members {
		if sights[name] == nil {
			delete(s.memo.members, name)
		}
	}
}

// lookAtAll looks at the members beside each other, so that one that hangs delays no other for longer than answerWithin.
func (r *reconciler) lookAtAll(ctx context.Context, s *scene, live bool) {
	var wait sync.WaitGroup
	for _, one := range s.sights {
		wait.Go(func() { r.look(ctx, s, one, live) })
	}
	wait.Wait()
}

// look looks at one member: into its caches if they will do, else, or if told to, past them.
func (r *reconciler) look(ctx context.Context, s *scene, one *sight, live bool) {
	one.seen, one.problem, one.target, one.missing, one.wake = false, "", nil, "", time.Time{}
	one.asked = one.cluster != nil && !one.cluster.Spec.Suspend && one.cluster.Status.State == v1alpha1.MemberHealthy
	if !one.asked {
		one.memo.away() // what its caches show when it is back is from before
		return
	}
	one.member, one.offer = r.fleet.Member(one.name), r.fleet.Offered(one.name)
	if one.member != nil {
		one.memo.apartSince = time.Time{}
	}
	switch {
	case one.member == nil:
		if one.memo.apartSince.IsZero() {
			one.memo.apartSince = s.now
		}
		one.problem = "there is no connection to it yet"
		return
	case r.hung.is(one.name):
		one.problem = "it did not answer in time just now"
		return
	}
	if err := r.read(ctx, s, one, live); err != nil {
		one.problem = told(err)
		klog.FromContext(ctx).V(2).Info("A member cannot be read", "member", one.name, "err", err)
	}
}

// read reads the target in one member, and then what is around it.
func (r *reconciler) read(ctx context.Context, s *scene, one *sight, live bool) error {
	t, err := r.readTarget(ctx, s, one, live)
	if isMissing(err) {
		one.seen, one.missing = true, err.Error()
		one.memo.nothingMissing()
		return nil
	}
	if err != nil {
		return err
	}
	one.target, one.more, one.owner, one.pods = t, nil, "", pods{}
	if s.rule.Bounds {
		t.judgeFloor(s.hub, s.now)
		one.wakeAt(t.until)
	}
	from := reader{member: one.member}
	if t.work != nil {
		if one.pods, err = from.countPods(ctx, t.work, s.scale.Namespace); err != nil {
			return err
		}
		one.memo.waiting = one.pods.time(one.memo.waiting, s.now, s.rule.PendingTimeout)
		if one.more, err = from.quota(ctx, s.scale.Namespace, t.work.podTemplate(&one.pods)); err != nil {
			return err
		}
	}
	if !s.rule.Bounds {
		if one.owner, err = from.ownerHPA(ctx, t.work, s.scale.Namespace); err != nil {
			return err
		}
	}
	one.seen = true
	one.judge(s)
	return nil
}

// scaleFor is how long the scale of a kind that is not cached counts as read.
const scaleFor = 15 * time.Second

func (r *reconciler) readTarget(ctx context.Context, s *scene, one *sight, live bool) (*target, error) {
	uncached := !isCached(s.rule.Target.Kind, s.rule.Target.APIVersion)
	live = live || one.memo.readAt.IsZero() || one.cluster.Status.Since != nil && one.memo.readAt.Before(one.cluster.Status.Since.Time)
	if !live && uncached && one.memo.scale != nil && s.now.Sub(one.memo.readAt) < scaleFor {
		one.wakeAt(one.memo.readAt.Add(scaleFor))
		return one.memo.scale, nil
	}
	if !live && !uncached {
		t, err := reader{member: one.member}.target(ctx, s.rule.Target, s.scale.Namespace)
		if err != nil || !one.memo.behind(t.uid, t.version) {
			return t, err
		}
	}
	timed, cancel := context.WithTimeout(ctx, r.answerWithin)
	defer cancel()
	t, err := reader{member: one.member, live: true}.target(timed, s.rule.Target, s.scale.Namespace)
	r.hung.note(ctx, one.name, err)
	if err != nil && !isMissing(err) {
		return nil, err
	}
	one.memo.readAt, one.memo.scale = s.now, nil
	if t != nil {
		one.memo.note(t.uid, t.version)
	}
	if uncached && err == nil {
		one.memo.scale = t
		one.wakeAt(s.now.Add(scaleFor))
	}
	return t, err
}

func isCached(kind, apiVersion string) bool {
	return kind == v1alpha1.DefaultTargetKind || strings.HasPrefix(apiVersion, "apps/") && (kind == v1alpha1.DefaultWorkloadKind || kind == kindStatefulSet)
}

// judge decides which pods are stuck: those that wait for a node for too long, and those that nobody creates though
// nothing else is being waited for. Of a floor it is what it lacks: the member's own HPA may want more than that.
func (one *sight) judge(s *scene) {
	one.stuckPods(s)
	if s.rule.Bounds {
		one.stuck = min(one.stuck, max(one.target.replicas-one.pods.placed, 0))
	}
}

// rejectsAfter is for how long a member may reject pods, where PendingTimeout is longer. It often passes: a webhook restarts, a
// new namespace has no service account yet.
const rejectsAfter = 30 * time.Second

func (one *sight) stuckPods(s *scene) {
	one.stuck = one.pods.overdue
	one.wakeAt(one.pods.due)
	work := one.target.work
	if work == nil || work.anonymous() {
		return
	}
	missing := min(work.wanted, one.target.replicas) - one.pods.all
	inOrder := work.kind == kindStatefulSet
	switch {
	case missing <= 0:
		one.memo.nothingMissing()
	case inOrder && one.pods.overdue > 0:
		one.stuck += missing // those that come after it
	case inOrder && one.pods.ready < one.pods.all:
		one.memo.nothingMissing() // the next comes when they are Ready
	default:
		if at := one.memo.missingUntil(one.pods.all, work.failing, s.rule.PendingTimeout, s.now); s.now.Before(at) {
			one.wakeAt(at)
		} else {
			one.stuck += missing
		}
	}
}

// missingUntil is until when missing pods are waited for, of which there are some: none was created for timeout, or the
// member has been rejecting them for rejectsAfter, however slowly others come.
func (m *memberMemo) missingUntil(all int64, rejects bool, timeout time.Duration, now time.Time) time.Time {
	if m.missingSince.IsZero() || all > m.most {
		m.missingSince, m.most = now, all
	}
	until := m.missingSince.Add(timeout)
	switch {
	case !rejects:
		m.rejectedSince = time.Time{}
		return until
	case m.rejectedSince.IsZero():
		m.rejectedSince = now
	}
	if at := m.rejectedSince.Add(min(timeout, rejectsAfter)); at.Before(until) {
		return at
	}
	return until
}
