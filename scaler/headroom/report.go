// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// amountsFor is how long amounts that change with every pod are not written down by themselves, and amountsSoon the same
// after something else has changed.
const (
	amountsFor  = time.Minute
	amountsSoon = 5 * time.Second
)

// report writes the statuses, then the events, the members' verdicts and the metrics.
func (r *reconciler) report(ctx context.Context, w *world) error {
	due := w.now.Sub(r.said) >= amountsFor || w.now.Before(r.said)
	if due {
		r.said = w.now
	}
	var errs []error
	for _, s := range w.scenes {
		errs = append(errs, r.write(ctx, s, due))
		for _, loss := range s.plan.Losses {
			if one := s.row(loss.Cluster); one != nil && one.sight != nil {
				errs = append(errs, r.writeLoss(ctx, one.cluster, string(loss.Verdict)))
			}
		}
	}
	r.metrics.show(w)
	return errors.Join(errs...)
}

// write writes a status if it says something new, and then the event.
func (r *reconciler) write(ctx context.Context, s *scene, due bool) error {
	old, status := s.headroom, s.status()
	condition := status.Conditions[0]
	status.Conditions = append([]metav1.Condition(nil), old.Status.Conditions...)
	meta.SetStatusCondition(&status.Conditions, condition)
	same := equality.Semantic.DeepEqual(still(&old.Status), still(&status))
	if equality.Semantic.DeepEqual(old.Status, status) || !due && same {
		return nil
	}
	if !same { // the amounts follow soon: a snapshot may be a few seconds old
		r.said = s.now.Add(amountsSoon - amountsFor)
	}
	changed := old.DeepCopy()
	changed.Status = status
	if err := r.client.Status().Patch(ctx, changed, client.MergeFrom(old), client.FieldOwner(record.Manager)); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil
		}
		return fmt.Errorf("write the status of Headroom %s: %w", old.Name, err)
	}
	if was := meta.FindStatusCondition(old.Status.Conditions, v1alpha1.ConditionReady); was == nil || was.Reason != condition.Reason {
		kind := corev1.EventTypeNormal
		if condition.Status == metav1.ConditionFalse {
			kind = corev1.EventTypeWarning
		}
		r.events.Eventf(changed, nil, kind, condition.Reason, "KeepHeadroom", "%s", condition.Message)
	}
	return nil
}

// still is a status without what changes with every pod.
func still(status *v1alpha1.HeadroomStatus) v1alpha1.HeadroomStatus {
	out := *status.DeepCopy()
	out.Reserved, out.Free, out.CostPerHour = "", "", ""
	for i := range out.Conditions {
		out.Conditions[i].Message = ""
	}
	for i := range out.Clusters {
		c := &out.Clusters[i]
		c.Allocatable, c.Free, c.Wanted, c.Held, c.Message = v1alpha1.Amounts{}, v1alpha1.Amounts{}, v1alpha1.Amounts{}, v1alpha1.Amounts{}, ""
	}
	for i := range out.Surges {
		out.Surges[i].AtOnce, out.Surges[i].Together = 0, 0
	}
	for i := range out.Losses {
		l := &out.Losses[i]
		l.Replicas, l.Fit, l.NeedNodes, l.Homeless = 0, 0, 0, 0
	}
	return out
}

// writeLoss writes the one field of a MemberCluster's status that is ours.
func (r *reconciler) writeLoss(ctx context.Context, c *v1alpha1.MemberCluster, verdict string) error {
	if c.Status.IfLost == verdict {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"ifLost": verdict}})
	if err != nil {
		return fmt.Errorf("write down what becomes of the replicas of %s: %w", c.Name, err)
	}
	err = r.client.Status().Patch(ctx, c.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(record.Manager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write what becomes of the replicas of MemberCluster %s: %w", c.Name, err)
	}
	return nil
}

func logger(ctx context.Context, member string) klog.Logger {
	return klog.FromContext(ctx).WithValues("member", member)
}
