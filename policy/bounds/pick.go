// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"cmp"
	"fmt"
	"slices"
)

// outranks compares by override, then priority: positive when c is above d.
func (c Contribution) outranks(d Contribution) int {
	switch {
	case c.Override != d.Override:
		if c.Override {
			return 1
		}
		return -1
	case c.Priority > d.Priority:
		return 1
	case c.Priority < d.Priority:
		return -1
	}
	return 0
}

// compare orders contributions, so that equal wishes have the same winner however they arrive. Of equals the one that
// cuts nothing comes first.
func (c Contribution) compare(d Contribution) int {
	return cmp.Or(
		compareBool(c.HardMax, d.HardMax),
		cmp.Compare(c.Source.Kind, d.Source.Kind), cmp.Compare(c.Source.Name, d.Source.Name), cmp.Compare(c.Source.Part, d.Source.Part),
		comparePointer(c.MaxReplicas, d.MaxReplicas), comparePointer(c.MinReplicas, d.MinReplicas),
		compareBool(c.Exact, d.Exact), compareBool(c.Freeze, d.Freeze), compareBool(c.Sinking, d.Sinking), c.RampEnds.Compare(d.RampEnds), compareBool(c.RaiseOnly, d.RaiseOnly),
		d.outranks(c),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// comparePointer puts larger numbers first and nil last.
func comparePointer(a, b *int32) int {
	switch {
	case a == nil || b == nil:
		return compareBool(a == nil, b == nil)
	}
	return cmp.Compare(*b, *a)
}

// sorted are the indices of the contributions in their order.
func (e *evaluation) sorted() []int {
	order := make([]int, len(e.Contributions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return e.Contributions[i].compare(e.Contributions[j]) })
	return order
}

// pick returns the index of the contribution that wins with number, or -1: the highest rank, then the largest number.
func (e *evaluation) pick(number func(Contribution) (int32, bool)) (int, int32) {
	best, bestValue := -1, int32(0)
	for _, i := range e.order {
		c := e.Contributions[i]
		n, states := number(c)
		if !states {
			continue
		}
		if best >= 0 {
			rank := c.outranks(e.Contributions[best])
			if rank < 0 || rank == 0 && n <= bestValue {
				continue
			}
		}
		best, bestValue = i, n
	}
	return best, bestValue
}

// pickMax returns the maximum that should be: of those that set it, raised by those that only raise (ramps, which need
// room) and do not rank lower.
func (e *evaluation) pickMax() claim {
	top := claim{value: e.Base.Max, by: Source{Kind: KindBase}, contribution: -1}
	setter, n := e.pick(func(c Contribution) (int32, bool) {
		if c.RaiseOnly {
			return 0, false
		}
		return c.ceiling()
	})
	if setter >= 0 {
		c := e.Contributions[setter]
		e.explainLosers(Contribution.ceiling, setter, n, "maximum")
		top = claim{value: n, by: c.Source, contribution: setter, hard: c.HardMax}
	}
	for _, i := range e.order {
		c := e.Contributions[i]
		n, states := c.ceiling()
		if !c.RaiseOnly || !states || setter >= 0 && c.outranks(e.Contributions[setter]) < 0 {
			continue
		}
		if n > top.value {
			top = claim{value: n, by: c.Source, contribution: i}
		}
	}
	return top
}

// pickFloor returns the floor that active contributions ask for: one of those that set it, raised by those that only
// raise and do not rank lower.
func (e *evaluation) pickFloor(top claim) claim {
	sets := func(c Contribution) (int32, bool) {
		if c.raises() {
			return 0, false
		}
		return e.floor(c)
	}
	floor := claim{value: e.Base.Min, by: Source{Kind: KindBase}, contribution: -1}
	setter, n := e.pick(sets)
	if setter >= 0 {
		c := e.Contributions[setter]
		floor = claim{value: n, by: c.Source, contribution: setter, override: c.Override}
		e.explainLosers(e.floor, setter, n, "minimum")
	}
	for _, i := range e.order {
		c := e.Contributions[i]
		if !c.raises() {
			continue
		}
		n, states := e.floor(c)
		if c.Freeze {
			e.out.State.FrozenAt = max(e.out.State.FrozenAt, min(n, max(top.value, e.Observed.Replicas, e.State.FrozenAt)))
			e.note(Frozen, "%s keeps at least %d replicas", c.Source, n)
		}
		if !states || setter >= 0 && c.outranks(e.Contributions[setter]) < 0 {
			continue
		}
		if n > floor.value {
			floor = claim{value: n, by: c.Source, contribution: i, override: floor.override}
		}
	}
	e.explainOvertaken(floor)
	return floor
}

// explainOvertaken says so to everybody who states a floor that another one is above.
func (e *evaluation) explainOvertaken(floor claim) {
	for i, c := range e.Contributions {
		v := &e.out.Verdicts[i]
		if n, states := e.floor(c); states && i != floor.contribution && v.Why == "" {
			v.Why = fmt.Sprintf("its minimum %d is not above %d of %s", n, floor.value, floor.by)
		}
	}
}

// explainLosers says for everybody who states the number why it is not the winner.
func (e *evaluation) explainLosers(number func(Contribution) (int32, bool), winner int, value int32, what string) {
	for i, c := range e.Contributions {
		n, states := number(c)
		if i == winner || !states {
			continue
		}
		w := e.Contributions[winner]
		v := &e.out.Verdicts[i]
		switch {
		case w.outranks(c) > 0 && w.Override && !c.Override:
			v.Why = fmt.Sprintf("%s beats it", w.Source)
		case w.outranks(c) > 0:
			v.Why = fmt.Sprintf("its priority %d is below %d of %s", c.Priority, w.Priority, w.Source)
		default:
			v.Why = fmt.Sprintf("its %s %d is not above %d of %s", what, n, value, w.Source)
		}
	}
}
