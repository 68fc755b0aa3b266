// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
)

// weigh lets the weights follow what fits into the members, a step each divide.Smoothing's interval. A cluster without a
// weight gets one at once, and so does one whose weight an operator has set or removed.
func (r *reconciler) weigh(ctx context.Context, s *scene) {
	smoothing := divide.DefaultSmoothing()
	if s.memo.weights == nil {
		weights := weightsOf(&s.scale.Status)
		s.memo.weights, s.memo.weighed, s.memo.began = &weights, map[string]bool{}, s.now
	}
	w := *s.memo.weights
	due, known := s.operators(&w), w.Sampled.Add(smoothing.Interval)
	if !due && s.now.Before(known) && !w.Sampled.After(s.now) && !s.unweighed(w) {
		s.weighAt = known
		return
	}
	if !w.Sampled.IsZero() && !s.now.Before(known) {
		w.Sampled = s.now.Add(-smoothing.Interval) // one step, however long nobody looked
	}
	if w.Sampled.After(s.now) {
		w.Sampled = s.now // the clock was ahead
	}
	next, why := w.Next(s.capacities(ctx, w), smoothing, s.now)
	if why != "" {
		klog.FromContext(ctx).Info("Weights replaced", "because", why)
	}
	s.memo.weights, s.weighAt = &next, s.now.Add(smoothing.Interval)
}

// operators puts the weights that operators have set in force, and says whether that changed anything.
func (s *scene) operators(w *divide.Weights) bool {
	frozen, smooth := map[string]int64{}, map[string]int64{}
	changed := false
	for name := range w.Frozen {
		frozen[name], smooth[name] = w.Frozen[name], w.Smooth[name]
	}
	for _, one := range s.sights {
		if one.cluster == nil {
			continue
		}
		set := one.cluster.Spec.Weight
		switch {
		case set != nil:
			if weight := int64(*set); frozen[one.name] != weight {
				frozen[one.name], smooth[one.name], changed = weight, 1000*weight, true
			}
		case s.memo.weighed[one.name]:
			delete(frozen, one.name)
			delete(smooth, one.name)
			changed = true
		}
		s.memo.weighed[one.name] = set != nil
	}
	w.Frozen, w.Smooth = frozen, smooth
	return changed
}

// unweighed says whether a member that answers has no weight yet.
func (s *scene) unweighed(w divide.Weights) bool {
	for _, one := range s.sights {
		if _, known := w.Frozen[one.name]; one.seen && one.target != nil && !known {
			return true
		}
	}
	return false
}

// capacities measures what fits into the members that answer. One of which it is not known yet what nodes it may get keeps
// the weight that it has.
func (s *scene) capacities(ctx context.Context, w divide.Weights) divide.Capacities {
	c := divide.Capacities{Replicas: s.asked(), Measured: map[string]int64{}}
	for _, one := range s.sights {
		if one.absent() {
			continue
		}
		m := one.divided(s)
		c.Clusters = append(c.Clusters, divide.Cluster{Name: one.name, Min: orDefault(m.Min, 1), Max: m.Max})
		c.Hold = c.Hold || !one.seen && !m.Drain || one.before != nil && one.before.Away
		switch {
		case one.cluster != nil && one.cluster.Spec.Weight != nil:
			c.Measured[one.name] = int64(*one.cluster.Spec.Weight)
		case one.seen && one.target != nil:
			weight, whole, err := s.fits(ctx, one)
			if err != nil {
				klog.FromContext(ctx).V(2).Info("What fits into a member is not known", "member", one.name, "err", err)
				continue
			}
			if _, weighs := w.Frozen[one.name]; whole || !weighs {
				c.Measured[one.name] = weight
			}
		}
	}
	return c
}

func orDefault(n *int64, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	return *n
}

// fits is how many replicas the member could hold, those counted that it has, and whether that is the whole: new nodes
// count as soon as it is known which there may be.
//
// The room that a reserve holds is free: any pod may take it, so nothing of it is promised to anybody
// (divide.Capacity.Promised). Where it counted as taken, a cluster would weigh more whenever a surge has eaten its reserve.
func (s *scene) fits(ctx context.Context, one *sight) (weight int64, whole bool, err error) {
	if one.target.work == nil {
		return 0, true, nil
	}
	snapshot, err := one.member.Snapshot(ctx)
	if err != nil {
		return 0, false, err
	}
	template := one.target.work.podTemplate(&one.pods)
	nodes, shape := snapshot.Fit(s.scale.Namespace, template)
	c := divide.Capacity{Nodes: nodes, Shape: shape, Own: one.pods.placed, Quota: one.more, ExpandablePercent: one.cluster.ExpandablePercent()}
	c.Expandable, whole = s.newNodes(one, template)
	return c.Weight(), whole, nil
}

// newNodes is how many pods of a template fit on nodes that the member's node groups may still add, and whether that is
// known. What was known last counts for newnodes.HoldFor; as long is waited for it after a start.
func (s *scene) newNodes(one *sight, template *corev1.PodTemplateSpec) (pods int64, known bool) {
	if one.cluster.ExpandablePercent() == 0 {
		return 0, true
	}
	since := s.memo.began
	if one.offer != nil {
		since = one.offer.Since()
	}
	switch {
	case s.now.Sub(since) >= newnodes.HoldFor:
		return 0, true
	case one.offer == nil:
		return 0, false
	}
	return one.offer.Fits(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.scale.Namespace, Labels: template.Labels}, Spec: template.Spec,
	}), true
}

// keepWeights is how long weights that follow slowly are not written down by themselves.
const keepWeights = 10 * time.Minute
