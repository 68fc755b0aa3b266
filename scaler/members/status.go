// SPDX-License-Identifier: Apache-2.0

package members

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

const (
	// fieldManager owns what is here of a MemberCluster's status; other fields have other owners.
	fieldManager = "plimsoll-members"
	// writeEvery is how often a status is written of which only what moves all the time has changed.
	writeEvery = time.Minute
	// writeWithin is how long a write to the hub may take. A member is not judged meanwhile.
	writeWithin = 10 * time.Second
)

// written is the status as it was written last.
type written struct {
	status v1alpha1.MemberClusterStatus
	at     time.Time
}

// report is the status that says what was found and decided. What is not known anew stays as it was.
func (p *prober) report(t *task, v *health.Verdict, doubt health.Doubt, now time.Time) *v1alpha1.MemberClusterStatus {
	s := p.written.status.DeepCopy()
	s.ObservedGeneration = t.member.Generation
	s.State, s.Since = v1alpha1.MemberState(v.State), timeOf(v.Since)
	s.Health = healthOf(&v.Kept)
	f := &p.found
	if f.Cause == health.OK {
		s.LastAnswerTime = timeOf(f.At)
	}
	if f.version != "" {
		s.Version = f.version
	}
	s.ClusterID = p.known.ID
	snapshot := f.snapshot
	switch {
	case v.Cause == health.Duplicate: // what it has is the older one's, and must not be added up
		snapshot, s.Nodes, s.Allocatable, s.Requested, s.Free = nil, nil, nil, nil, ""
	case snapshot != nil:
		showCapacity(s, snapshot)
	}
	reason, message := p.reason(t, v, doubt)
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: statusOf(reason), Reason: reason, Message: message,
		ObservedGeneration: t.member.Generation, LastTransitionTime: metav1.NewTime(now),
	})
	p.c.metrics.show(p.name, s, snapshot)
	return s
}

// reason is that of the Ready condition, with its message.
func (p *prober) reason(t *task, v *health.Verdict, doubt health.Doubt) (reason, message string) {
	reason, message = reasonOf(v), v.Message
	if p.found.reason != "" && v.Cause == p.found.Cause {
		reason = p.found.reason
	}
	if v.Warning != "" {
		message += "; " + v.Warning
	}
	switch known := p.known; {
	case known.Refused && known.ID == "" && v.Cause == health.OK:
		message += "; " + unidentified
	case known.Refused && known.ID != "" && (v.Cause == health.OK || v.Cause == health.Duplicate):
		message += "; " + undecided
	}
	if t.member.Spec.Drain {
		message += "; spec.drain is true, so its replicas move to the other clusters"
	}
	switch {
	case doubt.Suspect && v.Cause != health.Suspended && v.Cause != health.Invalid && v.Cause != health.Duplicate:
		return v1alpha1.MemberHubSuspect, doubt.Message + "; of this one: " + message
	case v.State == health.Healthy && t.member.Spec.Drain:
		return v1alpha1.MemberDraining, message
	case v.State == health.Healthy && v.Warning != "":
		return v1alpha1.MemberClockSkew, message
	}
	return reason, message
}

// reasonOf is the reason for a cause.
func reasonOf(v *health.Verdict) string {
	switch v.Cause {
	case health.OK:
		return v1alpha1.MemberAnswers
	case health.Suspended:
		return v1alpha1.MemberSuspended
	case health.Unreachable:
		return v1alpha1.MemberUnreachable
	case health.Unhealthy:
		return v1alpha1.MemberUnhealthy
	case health.Unauthorized:
		return v1alpha1.MemberUnauthorized
	case health.Untrusted:
		return v1alpha1.MemberUntrusted
	case health.Invalid:
		return v1alpha1.MemberInvalidKubeconfig
	case health.NodesNotReady:
		return v1alpha1.MemberNodesNotReady
	case health.PodsNotReady:
		return v1alpha1.MemberPodsNotReady
	case health.Duplicate:
		return v1alpha1.MemberDuplicateCluster
	case health.Settling:
		if v.Kept.Proven {
			return v1alpha1.MemberReturning
		}
	}
	return v1alpha1.MemberStarting
}

func statusOf(reason string) metav1.ConditionStatus {
	switch reason {
	case v1alpha1.MemberAnswers, v1alpha1.MemberClockSkew, v1alpha1.MemberDraining:
		return metav1.ConditionTrue
	case v1alpha1.MemberStarting, v1alpha1.MemberReturning, v1alpha1.MemberSuspended, v1alpha1.MemberHubSuspect:
		return metav1.ConditionUnknown
	}
	return metav1.ConditionFalse
}

// write writes a status that says something new, and then tells of it. One that cannot be written is tried again with
// the next judgement.
func (p *prober) write(t *task, status *v1alpha1.MemberClusterStatus, now time.Time) {
	age := now.Sub(p.written.at)
	if !p.isNews(status) && (age >= 0 && age < writeEvery || equality.Semantic.DeepEqual(*status, p.written.status)) {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, writeWithin)
	defer cancel()
	err := apply(ctx, p.c.client, t.member, status)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
		return // it is gone, or another one of the same name; Reconcile will hear of it
	case err != nil:
		if p.ctx.Err() == nil {
			klog.FromContext(p.ctx).Error(err, "The status of a MemberCluster cannot be written", "member", p.name)
		}
		return
	}
	p.tellOf(t, status)
	p.written = written{status: *status, at: now}
}

// isNews is whether a status says more than what moves all the time.
func (p *prober) isNews(status *v1alpha1.MemberClusterStatus) bool {
	old := &p.written.status
	if keptIn(status).Changed(keptIn(old)) || (old.Allocatable == nil) != (status.Allocatable == nil) {
		return true
	}
	a, b := *status, *old
	for _, s := range []*v1alpha1.MemberClusterStatus{&a, &b} {
		s.LastAnswerTime, s.Health, s.Allocatable, s.Requested, s.Free = nil, nil, nil, nil, ""
	}
	return !equality.Semantic.DeepEqual(a, b)
}

// apply writes the fields that are ours. The name of an object that is gone may be another's by now.
func apply(ctx context.Context, c client.Client, member *v1alpha1.MemberCluster, status *v1alpha1.MemberClusterStatus) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return fmt.Errorf("make the status of MemberCluster %s: %w", member.Name, err)
	}
	delete(fields, "ifLost")
	delete(fields, "distributed")
	object := &unstructured.Unstructured{Object: map[string]any{"status": fields}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("MemberCluster"))
	object.SetName(member.Name)
	object.SetUID(member.UID)
	return c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager), client.ForceOwnership)
}

// tellOf makes an event of a change, in the words of the status.
func (p *prober) tellOf(t *task, status *v1alpha1.MemberClusterStatus) {
	old := meta.FindStatusCondition(p.written.status.Conditions, v1alpha1.ConditionReady)
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || old != nil && old.Reason == ready.Reason && p.written.status.State == status.State {
		return
	}
	kind, reason := corev1.EventTypeNormal, ready.Reason
	if was := p.written.status.State; was != status.State && was != "" {
		reason = "Member" + string(status.State)
	}
	if status.State == v1alpha1.MemberFailed || ready.Status == metav1.ConditionFalse || ready.Reason == v1alpha1.MemberHubSuspect {
		kind = corev1.EventTypeWarning
	}
	p.c.events.Eventf(t.member, nil, kind, reason, "Judge", "%s is %s: %s", p.name, status.State, ready.Message)
	klog.FromContext(p.ctx).Info("A member is judged differently", "member", p.name, "state", status.State, "reason", ready.Reason, "message", ready.Message)
}

// keptIn is what a status keeps for the next judgement.
func keptIn(s *v1alpha1.MemberClusterStatus) health.Kept {
	h := s.Health
	if h == nil {
		return health.Kept{}
	}
	return health.Kept{
		State: health.State(s.State), Since: at(s.Since), Cause: health.Cause(h.Cause), Proven: h.Proven,
		Looked: at(h.Looked), Watched: at(h.Watched), Probed: at(h.Probed), Bad: h.Bad,
		Failures: h.Failures, FailingSince: at(h.FailingSince), Successes: h.Successes, GoodSince: at(h.GoodSince),
		NodesLowSince: at(h.NodesLowSince), PodsLowSince: at(h.PodsLowSince), Demand: at(h.DemandSeen),
	}
}

func healthOf(k *health.Kept) *v1alpha1.MemberHealth {
	return &v1alpha1.MemberHealth{
		Cause: string(k.Cause), Proven: k.Proven,
		Looked: timeOf(k.Looked), Watched: timeOf(k.Watched), Probed: timeOf(k.Probed), Bad: k.Bad,
		Failures: k.Failures, FailingSince: timeOf(k.FailingSince), Successes: k.Successes, GoodSince: timeOf(k.GoodSince),
		NodesLowSince: timeOf(k.NodesLowSince), PodsLowSince: timeOf(k.PodsLowSince), DemandSeen: timeOf(k.Demand),
	}
}

// asMember is how the question whether it is the hub sees a member.
func asMember(k health.Kept, of *v1alpha1.MemberCluster) health.Member {
	return health.Member{State: cmp.Or(k.State, health.Suspect), Since: k.Since, Cause: k.Cause, Proven: k.Proven, Drain: of.Spec.Drain}
}

func at(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// showCapacity says what the nodes have, by the rules of headroom where nothing else is said.
func showCapacity(s *v1alpha1.MemberClusterStatus, snapshot *capacity.Snapshot) {
	sums := sum(snapshot)
	s.Nodes = &v1alpha1.MemberNodes{
		Total: clamp(snapshot.Total), Ready: clamp(snapshot.Ready), Counted: clamp(sums.base.Nodes),
		Summary: fmt.Sprintf("%d/%d", snapshot.Ready, snapshot.Total),
	}
	s.Allocatable, s.Requested, s.Free = amounts(sums.base.Allocatable), amounts(sums.requested), forPeople(sums.base.Free)
}
