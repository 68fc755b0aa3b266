// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// selector is what an HPA wants of a scale. No pod of the hub has the label.
func selector(f *v1alpha1.FederatedScale) string {
	return "plimsoll.dev/federated-scale=" + string(f.UID)
}

// invalid is the status of a FederatedScale with a mistake: all stays as it was, but for the condition.
func invalid(f *v1alpha1.FederatedScale, err error, now time.Time) *v1alpha1.FederatedScaleStatus {
	status := f.Status.DeepCopy()
	status.ObservedGeneration, status.Selector = f.Generation, selector(f)
	setReady(status, v1alpha1.FederatedInvalid, err.Error()+"; nothing is changed", now)
	return status
}

// status is what there is to say of a plan, and what the next decision goes on from.
func (s *scene) status(plan *divide.Plan) *v1alpha1.FederatedScaleStatus {
	old := &s.scale.Status
	status := &v1alpha1.FederatedScaleStatus{
		ObservedGeneration: s.scale.Generation, Selector: selector(s.scale), Divided: int32(plan.Replicas),
		Conditions: append([]metav1.Condition(nil), old.Conditions...),
	}
	state := plan.State
	if !s.acts() {
		state = s.state // what is not written is not remembered
	}
	if !s.acts() && s.rule.Enforce {
		status.Divided = old.Divided
	}
	if a := state.Adoption; a != nil {
		status.Adoption = &v1alpha1.FederatedAdoption{Asked: int32(a.Asked), Found: int32(a.Found), Until: metav1.NewTime(a.Until)}
	}
	weights := s.memo.weights
	status.WeightsSampled, status.WeightsReplaced = stamp(weights.Sampled), stamp(weights.Replaced)
	works := 0
	var serving []int64
	for _, one := range s.sights {
		row := one.row(s, plan)
		keep(&row, state)
		row.Weight, row.SmoothWeight = weights.Frozen[one.name], weights.Smooth[one.name]
		one.times(s, &row)
		if !row.Moved() {
			status.Replicas += row.Replicas
		}
		if one.seen {
			status.ReadyReplicas += row.Ready
		}
		if one.seen && !one.cluster.Spec.Drain {
			works++
		}
		serving = append(serving, int64(row.Ready))
		status.Clusters = append(status.Clusters, row)
	}
	for i, percent := range percents(serving) {
		status.Clusters[i].ReadyPercent = percent
	}
	status.Summary = fmt.Sprintf("%d/%d", works, len(s.sights))
	s.complete(plan, status)
	return status
}

// row is what there is to say of one cluster.
func (one *sight) row(s *scene, plan *divide.Plan) v1alpha1.FederatedClusterStatus {
	row := v1alpha1.FederatedClusterStatus{Name: one.name, Goal: int32(plan.Goals[one.name])}
	if one.cluster != nil {
		row.State = one.cluster.Status.State
	}
	target, written := plan.Targets[one.name]
	switch {
	case one.seen && one.target != nil:
		row.Replicas, row.Ready = int32(one.target.replicas), int32(min(one.ready(), divide.MaxReplicas))
	case !one.seen && one.before != nil:
		row.Replicas = one.before.Replicas
		if row.State != v1alpha1.MemberFailed { // its pods may go on serving
			row.Ready = one.before.Ready
		}
	}
	row.Target = row.Replicas
	if written {
		row.Target = int32(target)
	}
	row.Message = short(one.message(s))
	return row
}

// message says what is special about a cluster.
func (one *sight) message(s *scene) string {
	reason, alone := one.leftAlone()
	switch {
	case one.cluster == nil && s.rule.Clusters != nil:
		return "there is no MemberCluster of this name: create it, or remove it from spec.clusters"
	case one.cluster == nil:
		return "its MemberCluster was deleted: its replicas count until another number is asked for"
	case one.asked && !one.seen:
		return one.problem
	case one.memo.failure != "":
		return one.memo.failure
	case one.seen && one.target == nil:
		return s.absent(one)
	case reason != "":
		return alone
	case one.target != nil && one.target.held:
		return fmt.Sprintf("its own scaler holds minReplicas at %d: nothing lower is written until that ends", one.target.replicas)
	}
	return ""
}

func (s *scene) absent(one *sight) string {
	return fmt.Sprintf("there is no %s %s in namespace %s of %s (%s); create it there, or name the clusters without %s in spec.clusters",
		s.rule.Target.Kind, s.rule.Target.Name, s.scale.Namespace, one.name, one.missing, one.name)
}

// keep writes down what the next decision needs to know of a cluster.
func keep(row *v1alpha1.FederatedClusterStatus, state divide.State) {
	kept, known := state.Members[row.Name]
	if !known {
		return
	}
	row.Written, row.Away, row.Stage = new(int32(kept.Replicas)), kept.Away, int32(kept.Stage)
	row.StageSince = stamp(kept.StageSince)
	if c := kept.Cap; c != nil {
		row.Cap = &v1alpha1.FederatedCap{Replicas: int32(c.Replicas), Until: metav1.NewTime(c.Until), Times: int32(c.Times)}
	}
}

// times are those of the cluster's last failover.
func (one *sight) times(s *scene, row *v1alpha1.FederatedClusterStatus) {
	var was v1alpha1.FederatedClusterStatus
	if one.before != nil {
		was = *one.before
	}
	row.FailedSince, row.MovedAt, row.ReadyAt = was.FailedSince, was.MovedAt, was.ReadyAt
	now := metav1.NewMicroTime(s.now)
	if row.State == v1alpha1.MemberFailed && was.State != v1alpha1.MemberFailed && !was.Away {
		row.FailedSince, row.MovedAt, row.ReadyAt = &now, nil, nil
	}
	switch {
	case row.FailedSince == nil || !s.acts():
	case row.MovedAt == nil && row.Away:
		row.MovedAt = &now
	case row.MovedAt != nil && row.ReadyAt == nil && row.Away && s.othersReady():
		row.ReadyAt = &now
	}
}

// othersReady says whether every cluster that answers has its share, and it is Ready.
func (s *scene) othersReady() bool {
	for _, one := range s.sights {
		if one.asked && !one.seen {
			return false
		}
		if one.before == nil || one.target == nil {
			continue
		}
		if goal := int64(one.before.Goal); one.target.replicas < goal || one.ready() < goal {
			return false
		}
	}
	return true
}

func stamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// store writes the status if it says something new, and nobody has changed the object since it was read: what was decided
// from an older one, by a leader that was stopped for a while, must not count.
func (r *reconciler) store(ctx context.Context, f *v1alpha1.FederatedScale, m *memo, status *v1alpha1.FederatedScaleStatus, now time.Time) error {
	if says(&f.Status, status, now) {
		return nil
	}
	changed := f.DeepCopy()
	changed.Status = *status
	if err := r.client.Status().Patch(ctx, changed, client.MergeFromWithOptions(f, client.MergeFromWithOptimisticLock{}), client.FieldOwner(record.Manager)); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("write the status: %w", err)
	}
	m.version, m.written = changed.ResourceVersion, time.Now()
	return nil
}

// says: the old status says what the new one does. Weights that follow slowly are no news by themselves.
func says(old, status *v1alpha1.FederatedScaleStatus, now time.Time) bool {
	if old.WeightsSampled != nil && status.WeightsSampled != nil && now.Sub(old.WeightsSampled.Time) < keepWeights {
		status = status.DeepCopy()
		status.WeightsSampled = old.WeightsSampled
		for i := range status.Clusters {
			if i < len(old.Clusters) && old.Clusters[i].Name == status.Clusters[i].Name {
				status.Clusters[i].SmoothWeight = old.Clusters[i].SmoothWeight
			}
		}
	}
	return equality.Semantic.DeepEqual(*old, *status)
}

// setReady sets the condition.
func setReady(status *v1alpha1.FederatedScaleStatus, reason, message string, now time.Time) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: readiness(reason), Reason: reason, Message: message,
		ObservedGeneration: status.ObservedGeneration, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
}

// short keeps a message within what the API takes.
func short(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
