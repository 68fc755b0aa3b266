// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// asked is how many replicas are to be divided. While the hub's HPA has a metric that it cannot read rightly, a lower
// number is none that anybody wants.
func (s *scene) asked() int64 {
	asked := s.rule.Replicas
	if s.wrong != "" && s.rule.Enforce {
		asked = max(asked, int64(s.scale.Status.Divided))
	}
	if s.rule.Bounds {
		asked = max(asked, 1) // an HPA's minReplicas is 1 at least
	}
	return asked
}

// observed is the scene in policy's words.
func (s *scene) observed() divide.Observed {
	o := divide.Observed{Replicas: s.asked(), Salt: s.scale.Namespace + "/" + s.scale.Name, HubSuspects: s.doubt, Unmeasured: s.unmeasured, Options: s.rule.Options}
	for _, one := range s.sights {
		if one.absent() {
			continue
		}
		m := one.divided(s)
		m.Weight = s.memo.weights.Frozen[one.name]
		o.Members = append(o.Members, m)
	}
	return o
}

// absent: it never got replicas, and there is no MemberCluster of its name, or none that was ever Healthy: one with a wrong
// kubeconfig is not waited for.
func (one *sight) absent() bool {
	if one.before != nil && one.before.Written != nil {
		return false
	}
	if one.cluster == nil {
		return true
	}
	status := &one.cluster.Status
	return status.State != v1alpha1.MemberHealthy && (status.Health == nil || !status.Health.Proven)
}

// divided is a cluster in policy's words, without its weight. One whose MemberCluster is gone may have failed.
func (one *sight) divided(s *scene) divide.Member {
	m := divide.Member{Name: one.name, Min: widen(one.limits.MinReplicas), Max: widen(one.limits.MaxReplicas)}
	if c := one.cluster; c != nil {
		m.Health, m.Drain, m.Suspend, m.Answers = healthOf(c.Status.State), c.Spec.Drain, c.Spec.Suspend, answersAgain(c)
		if c.Status.Since != nil {
			m.Since = c.Status.Since.Time
		}
	}
	if s.rule.Bounds {
		m.Min = new(max(orDefault(m.Min, 1), 1))
	}
	if !one.seen {
		return m
	}
	m.Seen = true
	if one.target == nil {
		m.Min, m.Max = new(int64(0)), new(int64(0))
		return m
	}
	m.Replicas, m.Ready, m.Stuck, m.Refused = one.target.replicas, one.ready(), one.stuck, one.memo.refused
	if reason, _ := one.leftAlone(); reason != "" {
		m.Min, m.Max, m.Stuck, m.Refused = new(m.Replicas), new(m.Replicas), 0, false
		return m
	}
	m.Max = lesser(m.Max, lesser(one.target.most, quotaLimit(one.more, &one.pods, m.Replicas)))
	return m
}

// ready is how many pods are surely Ready: both the pods and their workload say so.
func (one *sight) ready() int64 {
	ready := one.pods.ready
	if work := one.target.work; work != nil && work.ready != nil {
		if work.anonymous() {
			return *work.ready
		}
		ready = min(ready, *work.ready)
	}
	return ready
}

func healthOf(state v1alpha1.MemberState) divide.Health {
	switch state {
	case v1alpha1.MemberHealthy:
		return divide.Healthy
	case v1alpha1.MemberFailed:
		return divide.Failed
	}
	return divide.Suspect
}

func widen(n *int32) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

func lesser(a, b *int64) *int64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// change is what is to be written to one member.
type change struct {
	one      *sight
	from, to int64
}

// changes are what a plan has to have written: raises and lowers.
func (s *scene) changes(plan *divide.Plan) (raises, lowers []change) {
	for _, one := range s.sights {
		to, due := plan.Targets[one.name]
		if !due || one.target == nil {
			continue
		}
		switch from := one.target.replicas; {
		case to > from:
			raises = append(raises, change{one, from, to})
		case to < from:
			lowers = append(lowers, change{one, from, to})
		}
	}
	return raises, lowers
}

// leave takes out of a plan what must not be written: anything where the target is left alone, a lower floor while the
// member's own scaler holds a higher one, and a floor of 0, which an HPA does not take.
func (s *scene) leave(plan *divide.Plan) {
	for _, one := range s.sights {
		to, due := plan.Targets[one.name]
		if !due || one.target == nil {
			continue
		}
		from := one.target.replicas
		if reason, _ := one.leftAlone(); reason != "" || one.target.held && to < from {
			to = from
		}
		if s.rule.Bounds {
			to = max(to, min(from, 1))
		}
		plan.Targets[one.name] = to
		if kept, known := plan.State.Members[one.name]; known {
			kept.Replicas = to
			plan.State.Members[one.name] = kept
		}
	}
}

// forgive forgets a write that failed once nothing is left to be written. A member that is capped because it refused keeps
// its words for as long as that lasts.
func (s *scene) forgive(plan *divide.Plan) {
	for _, one := range s.sights {
		to, due := plan.Targets[one.name]
		kept := plan.State.Members[one.name].Cap
		capped := kept != nil && s.now.Before(kept.Until)
		if due && one.seen && (one.target == nil || to == one.target.replicas) && !capped {
			one.memo.failure, one.memo.failingSince = "", time.Time{}
		}
	}
}

func (s *scene) lowers(plan *divide.Plan) bool {
	_, lowers := s.changes(plan)
	return len(lowers) > 0
}

// stateOf is what the status keeps for the next decision.
func stateOf(status *v1alpha1.FederatedScaleStatus) divide.State {
	state := divide.State{Replicas: int64(status.Divided)}
	if a := status.Adoption; a != nil {
		state.Adoption = &divide.Adoption{Asked: int64(a.Asked), Found: int64(a.Found), Until: a.Until.UTC()}
	}
	for i := range status.Clusters {
		row := &status.Clusters[i]
		if row.Written == nil {
			continue
		}
		kept := divide.Kept{Replicas: int64(*row.Written), Seen: int64(row.Replicas), Away: row.Away, Stage: int64(row.Stage)}
		if row.StageSince != nil {
			kept.StageSince = row.StageSince.UTC()
		}
		if row.Cap != nil {
			kept.Cap = &divide.Cap{Replicas: int64(row.Cap.Replicas), Until: row.Cap.Until.UTC(), Times: int64(row.Cap.Times)}
		}
		if state.Members == nil {
			state.Members = map[string]divide.Kept{}
		}
		state.Members[row.Name] = kept
	}
	if state.Members == nil && state.Adoption == nil {
		return divide.State{} // it has only been observed
	}
	return state
}

// weightsOf are the weights that the status keeps.
func weightsOf(status *v1alpha1.FederatedScaleStatus) divide.Weights {
	w := divide.Weights{Frozen: map[string]int64{}, Smooth: map[string]int64{}}
	for i := range status.Clusters {
		if row := &status.Clusters[i]; row.Weight > 0 || row.SmoothWeight > 0 {
			w.Frozen[row.Name], w.Smooth[row.Name] = row.Weight, row.SmoothWeight
		}
	}
	if status.WeightsSampled != nil {
		w.Sampled = status.WeightsSampled.Time
	}
	if status.WeightsReplaced != nil {
		w.Replaced = status.WeightsReplaced.Time
	}
	return w
}
