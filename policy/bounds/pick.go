// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"fmt"
	"strings"
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

// less orders sources, so that equal wishes have the same winner whatever their order.
func less(a, b Source) bool {
	return strings.Compare(a.Kind+"\x00"+a.Name+"\x00"+a.Part, b.Kind+"\x00"+b.Name+"\x00"+b.Part) < 0
}

// beforeEqual decides between two equal wishes: the one that cuts nothing, then by name.
func (c Contribution) beforeEqual(d Contribution) bool {
	if c.HardMax != d.HardMax {
		return d.HardMax
	}
	return less(c.Source, d.Source)
}

// pick returns the index of the contribution that wins with number, or -1: the highest rank, then the largest number.
func (e *evaluation) pick(number func(Contribution) (int32, bool)) (int, int32) {
	best, bestValue := -1, int32(0)
	for i, c := range e.Contributions {
		n, states := number(c)
		if !states {
			continue
		}
		if best < 0 {
			best, bestValue = i, n
			continue
		}
		rank := c.outranks(e.Contributions[best])
		if rank > 0 || rank == 0 && (n > bestValue || n == bestValue && c.beforeEqual(e.Contributions[best])) {
			best, bestValue = i, n
		}
	}
	return best, bestValue
}

// pickMax returns the maximum that should be.
func (e *evaluation) pickMax() claim {
	i, n := e.pick(Contribution.ceiling)
	if i < 0 {
		return claim{value: e.Base.Max, by: Source{Kind: KindBase}, contribution: -1}
	}
	c := e.Contributions[i]
	e.explainLosers(Contribution.ceiling, i, n, "maximum")
	return claim{value: n, by: c.Source, contribution: i, hard: c.HardMax}
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
	for i, c := range e.Contributions {
		if !c.raises() {
			continue
		}
		n, states := e.floor(c)
		if c.Freeze {
			e.out.State.FrozenAt = max(e.out.State.FrozenAt, min(n, max(top.value, e.Observed.Replicas)))
			e.note(Frozen, "%s keeps at least %d replicas", c.Source, n)
		}
		if !states || setter >= 0 && c.outranks(e.Contributions[setter]) < 0 {
			continue
		}
		if n > floor.value || n == floor.value && floor.contribution >= 0 && floor.contribution != setter && less(c.Source, floor.by) {
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
			v.Why = fmt.Sprintf("the override %s beats it", w.Source)
		case w.outranks(c) > 0:
			v.Why = fmt.Sprintf("its priority %d is below %d of %s", c.Priority, w.Priority, w.Source)
		default:
			v.Why = fmt.Sprintf("its %s %d is not above %d of %s", what, n, value, w.Source)
		}
	}
}
