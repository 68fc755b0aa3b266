// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// maxima compares what is asked for with what the HPAs allow.
func (c *checker) maxima() {
	for _, t := range c.eventTargets() {
		if owner := c.owner(t.hpa.Namespace, t.hpa.Kind, t.hpa.Name); standsFor(t.hpa) && owner != "" {
			c.add(Check{Check: "target", For: t.name(), State: Short,
				ToDo: fmt.Sprintf("the %s %s is scaled by the HPA %s, so a schedule of its replicas is refused: name the HPA as the target", t.hpa.Kind, t.name(), owner)})
		}
		worst := t.steps[0]
		for _, s := range t.steps {
			if short, most := s.want-s.bounds.Min, worst.want-worst.bounds.Min; short > most || short == most && s.want > worst.want {
				worst = s
			}
		}
		check := Check{
			Check: "maxReplicas", For: t.name(), Need: fmt.Sprint(worst.want), Have: fmt.Sprint(worst.bounds.Max), State: OK, When: c.when(worst.at),
		}
		if standsFor(t.hpa) && worst.bounds.Max == math.MaxInt32 {
			check.Check, check.Have = "replicas", "no HPA"
		} else if worst.bounds.Max != t.base.Max {
			check.Detail = fmt.Sprintf("the HPA's own maximum is %d; the schedule states %d", t.base.Max, worst.bounds.Max)
		}
		if worst.bounds.Min < worst.want {
			check.State = Short
			check.ToDo = fmt.Sprintf("%s asks for %d replicas of %s, which stop at maxReplicas %d: state maxReplicas: %d in the window, or raise the HPA's maxReplicas",
				worst.by, worst.want, t.name(), worst.bounds.Max, worst.want)
		}
		c.add(check)
		if slices.ContainsFunc(t.steps, func(s step) bool { return s.noGoal }) {
			c.add(Check{Check: "target", For: t.name(), State: Unknown,
				ToDo: fmt.Sprintf("a window of %s states a demand, but the HPA has no single metric with an AverageValue target to divide it by: use minReplicas instead", t.name())})
		}
	}
}

// when is a time in the zone of the event's first window.
func (c *checker) when(at time.Time) *time.Time {
	local := at.In(c.out.Windows[0].Start.Location())
	return &local
}

// room compares what is needed at the worst moments with quotas and nodes.
func (c *checker) room(moments []moment) {
	for _, t := range c.eventTargets() {
		one := c.known[t]
		switch {
		case c.federations[t] != nil: // its pods are in the members
		case one.pod == nil:
			ref := t.hpa.Spec.ScaleTargetRef
			c.add(Check{Check: "nodes", For: t.name(), State: Unknown,
				ToDo: fmt.Sprintf("the pods of %s are not known, because the %s %s was not found, may not be read, or has no pod template: give its manifest with -f", t.name(), ref.Kind, ref.Name)})
		case one.workload.FromFile || one.create == 0:
			if broken := outside(&one.pod.Spec, c.limitsOf(t.hpa.Namespace)); broken != "" {
				c.add(Check{Check: "limits", For: t.name(), State: Short, ToDo: broken + ": such pods are refused; change the pods or the LimitRange"})
			}
		}
	}
	if why, unread := c.Unread[unreadLimits]; unread {
		c.add(Check{Check: "limits", For: strings.Join(c.namespaces(), ","), State: Unknown, ToDo: cannotRead(unreadLimits, why)})
	}
	c.quotas(moments)
	c.onNodes(moments)
}

func cannotRead(what, why string) string {
	return fmt.Sprintf("the %s could not be read, so this is not known (%s); try: kubectl auth can-i list %s -A", what, why, what)
}

// quotas shows every quota at the moment that leaves the least of it.
func (c *checker) quotas(moments []moment) {
	if why, unread := c.Unread[unreadQuotas]; unread {
		c.add(Check{Check: "quota", For: strings.Join(c.namespaces(), ","), State: Unknown, ToDo: cannotRead(unreadQuotas, why)})
		return
	}
	worst, order := map[string]Check{}, []string(nil)
	most := map[string]int64{}
	for _, m := range moments {
		for _, n := range c.quotaNeeds(m.crews) {
			key := fmt.Sprintf("%s/%s %s", n.quota.Namespace, n.quota.Name, n.name)
			if !slices.Contains(c.namespaces(), n.quota.Namespace) {
				continue // of somebody else's
			}
			if _, seen := worst[key]; seen && n.need-n.left <= most[key] {
				continue
			} else if !seen {
				order = append(order, key)
			}
			worst[key], most[key] = c.quotaCheck(key, n, m.at), n.need-n.left
		}
	}
	for _, key := range order {
		c.add(worst[key])
	}
}

func (c *checker) quotaCheck(key string, n quotaNeed, at time.Time) Check {
	check := Check{Check: "quota", For: key, Need: quantity(n.name, n.need), Have: quantity(n.name, max(n.left, 0)), State: OK, When: c.when(at)}
	if check.ToDo = n.advice(); check.ToDo != "" {
		check.State = Short
	}
	return check
}

// onNodes shows for every target the moment at which the most of its pods find no place.
func (c *checker) onNodes(moments []moment) {
	for _, what := range []string{unreadNodes, unreadPods, unreadHPAs, unreadSchedules} {
		if why, unread := c.Unread[what]; unread {
			c.add(Check{Check: "nodes", For: "all", State: Unknown, ToDo: cannotRead(what, why)})
			return
		}
	}
	if len(c.Nodes) == 0 {
		c.add(Check{Check: "nodes", For: "all", State: Unknown, ToDo: "no nodes are known: give them with -f (kubectl get nodes -o yaml), and the pods too"})
		return
	}
	c.snapshot = capacity.New(c.Nodes, c.Pods)
	c.nodes = c.snapshot.Left()
	worst := map[string]Check{}
	least := map[string][2]int64{}
	for _, m := range moments {
		for i, check := range c.momentOnNodes(m) {
			one := m.crews[i]
			rank := [2]int64{one.place - check.placed, one.place}
			if old, seen := least[one.target.name()]; !seen || rank[0] > old[0] || rank[0] == old[0] && rank[1] > old[1] {
				least[one.target.name()], worst[one.target.name()] = rank, check.Check
			}
		}
	}
	for _, t := range c.targets {
		if check, there := worst[t.name()]; there && (t.event || check.State != OK) {
			c.add(check)
		}
	}
}

// nodeCheck is a Check with how many pods have a place.
type nodeCheck struct {
	Check
	placed int64
}

// momentOnNodes places everything that one moment needs, as the scheduler would.
func (c *checker) momentOnNodes(m moment) []nodeCheck {
	demands := make([]fit.Demand, len(m.crews))
	for i, one := range m.crews {
		demands[i] = fit.Demand{Shape: c.shapeOf(one), Count: one.place}
	}
	spread := fit.Place(c.nodes, demands, fit.Spread)
	var packed []fit.Placement
	out := make([]nodeCheck, len(m.crews))
	for i, one := range m.crews {
		n := nodeCheck{placed: spread[i].Placed}
		n.Check = Check{Check: "nodes", For: one.target.name(), Need: fmt.Sprint(one.place), Have: fmt.Sprint(n.placed), State: OK, When: c.when(m.at), Detail: c.detail(one)}
		if n.placed < one.place {
			if packed == nil {
				packed = fit.Place(c.nodes, demands, fit.Pack)
			}
			n.State, n.ToDo = Short, c.nodesToDo(one, one.place-n.placed, demands[i], everything(demands, packed))
		}
		out[i] = n
	}
	return out
}

func everything(demands []fit.Demand, placed []fit.Placement) bool {
	for i := range demands {
		if placed[i].Placed < demands[i].Count {
			return false
		}
	}
	return true
}

func (c *checker) shapeOf(one crew) fit.Shape {
	of, cached := c.shapes[one.target]
	if !cached {
		of = shapeOn(c.snapshot, one.pod)
		c.shapes[one.target] = of
	}
	return of.Shape
}

// detail says what was counted of one pod and which nodes were not.
func (c *checker) detail(one crew) string {
	c.shapeOf(one)
	return c.shapes[one.target].text(one.pod)
}

func requestsText(r fit.Resources) string {
	var parts []string
	for name, amount := range r {
		if amount > 0 {
			parts = append(parts, unit(name, amount)+" "+name)
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	slices.Sort(parts)
	return strings.Join(parts, " and ")
}

func (c *checker) nodesToDo(one crew, short int64, d fit.Demand, packed bool) string {
	text := fmt.Sprintf("%d of %d new pods of %s have no place: ", short, one.place, one.target.name())
	if packed {
		return text + "they would only if all pods were packed as tightly as possible, which the scheduler does not do by itself; add a node, or ask for less"
	}
	return text + moreNodes(c.nodes, d.Shape, short)
}

// ramps warns of floors that jump.
func (c *checker) ramps() {
	for _, w := range c.out.Windows {
		if w.Jump {
			c.add(Check{Check: "ramp", For: w.Target, Need: fmt.Sprint(w.Floor), Have: fmt.Sprint(w.Before), State: Warning, When: &w.Full, ToDo: w.jumpAdvice()})
		}
	}
}
