// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// outcome is a change with how its write ended.
type outcome struct {
	change
	err error
}

// errMoved says that somebody else changed the number in between: look again.
var errMoved = errors.New("the number was changed in between; it is looked at again")

// scaleTries is how often a scale is written again when its object changed in between in another field.
const scaleTries = 5

// again is when to look again after a write.
func (o *outcome) again() time.Duration {
	switch {
	case o.err == nil:
		return settled
	case errors.Is(o.err, errMoved), o.refused():
		return atOnce
	}
	return soon
}

// refused says whether the member answered that it does not want the number: by admission, or for lack of a right.
func (o *outcome) refused() bool {
	var status apierrors.APIStatus
	if o.to <= o.from || !errors.As(o.err, &status) {
		return false
	}
	switch code := status.Status().Code; code {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// act writes what was decided: first all that rises, then what sinks.
func (r *reconciler) act(ctx context.Context, s *scene, plan *divide.Plan) []outcome {
	raises, lowers := s.changes(plan)
	return append(r.writeAll(ctx, s, raises), r.writeAll(ctx, s, lowers)...)
}

// writeAll writes to members beside each other, so that one that hangs delays no other for longer than answerWithin.
func (r *reconciler) writeAll(ctx context.Context, s *scene, changes []change) []outcome {
	outcomes := make([]outcome, len(changes))
	var wait sync.WaitGroup
	for i, c := range changes {
		wait.Go(func() {
			timed, cancel := context.WithTimeout(ctx, r.answerWithin)
			defer cancel()
			err := s.write(timed, c)
			if !errors.Is(err, errMoved) {
				r.hung.note(ctx, c.one.name, err)
			}
			outcomes[i] = outcome{c, err}
			c.one.remember(&outcomes[i], s.now)
			log := klog.FromContext(ctx).WithValues("member", c.one.name, "from", c.from, "to", c.to)
			switch {
			case err == nil:
				log.Info("Replicas of a member written", "bounds", s.rule.Bounds)
			case errors.Is(err, errMoved):
				log.V(2).Info("Somebody else wrote first; it is looked at again")
			default:
				log.Info("Replicas of a member could not be written", "err", err)
			}
		})
	}
	wait.Wait()
	return outcomes
}

// refusesAfter is for how long a member may fail to take a number before that counts as a refusal.
const refusesAfter = 10 * time.Second

// remember keeps what the next look must know.
func (one *sight) remember(o *outcome, now time.Time) {
	m := one.memo
	if o.err == nil {
		m.failure, m.failingSince, m.scale = "", time.Time{}, nil
		return
	}
	m.readAt = time.Time{}
	if errors.Is(o.err, errMoved) {
		return
	}
	if m.failingSince.IsZero() {
		m.failingSince = now
	}
	m.failure = told(o.err)
	m.refused = o.refused() || o.to > o.from && now.Sub(m.failingSince) >= refusesAfter
}

// decided forgets a refusal of which the decision has taken note. Of a member that was not seen, as one that has just hung
// in a write, it has not.
func (one *sight) decided() {
	if one.seen {
		one.memo.refused = false
	}
}

func (s *scene) write(ctx context.Context, c change) error {
	if s.rule.Bounds {
		return s.writeFloor(ctx, c)
	}
	return s.writeScale(ctx, c)
}

// writeScale writes the number of replicas, if it still is the one that was observed.
func (s *scene) writeScale(ctx context.Context, c change) error {
	kind := schema.FromAPIVersionAndKind(s.rule.Target.APIVersion, s.rule.Target.Kind)
	key := types.NamespacedName{Namespace: s.scale.Namespace, Name: s.rule.Target.Name}
	for range scaleTries {
		scale, err := getScale(ctx, c.one.member, kind, key)
		if err != nil {
			return fmt.Errorf("read the scale of %s %s: %w", kind.Kind, key.Name, err)
		}
		if scale.UID != c.one.target.uid || int64(scale.Spec.Replicas) != c.from {
			return errMoved
		}
		scale.Spec.Replicas = int32(c.to)
		written, err := putScale(ctx, c.one, kind, key, scale)
		if err == nil {
			c.one.memo.note(scale.UID, written)
			return nil
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("set the replicas of %s %s from %d to %d: %w", kind.Kind, key.Name, c.from, c.to, err)
		}
	}
	return errMoved
}

// putScale writes a scale, with its resourceVersion as the condition, and returns the new one.
func putScale(ctx context.Context, one *sight, kind schema.GroupVersionKind, key types.NamespacedName, scale *autoscalingv1.Scale) (string, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scale)
	if err != nil {
		return "", fmt.Errorf("write down a scale: %w", err)
	}
	body := &unstructured.Unstructured{Object: content}
	body.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err = one.member.SubResource("scale").Update(ctx, namedObject(kind, key), client.WithSubResourceBody(body), client.FieldOwner(record.HubManager))
	return body.GetResourceVersion(), err
}
