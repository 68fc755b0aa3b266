// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"cmp"
	"slices"
	"time"
)

// capAll limits the members that refuse pods or leave them waiting to what they run. A cap is lifted after its time, to
// try again.
func (d *decision) capAll() {
	for _, m := range d.members {
		if m.silent() {
			continue
		}
		runs := max(m.Replicas-m.Stuck, m.ready())
		c := m.kept.Cap
		active := c != nil && d.now.Before(c.Until)
		switch {
		case active:
			limit := max(c.Replicas, m.ready())
			if m.Stuck > 0 || m.Refused {
				limit = max(min(limit, runs), m.ready())
			}
			m.kept.Cap = &Cap{Replicas: limit, Until: c.Until, Times: c.Times}
		case m.Stuck > 0 || m.Refused:
			times := int64(1)
			if c != nil && d.now.Sub(c.Until) < d.Options.CoolDown {
				times = min(c.Times+1, 4)
			}
			m.kept.Cap = &Cap{Replicas: runs, Times: times, Until: stamp(d.now.Add(d.Options.CoolDown << (times - 1)))}
		case c != nil && d.now.Sub(c.Until) >= d.Options.CoolDown:
			m.kept.Cap = nil // the series is over
		}
		if limit := m.capped(d.now); limit != nil {
			d.wake(m.kept.Cap.Until)
			d.note(m, Capped, "member %s refused pods or left them waiting: it gets no more than %d until %s", m.Name, *limit, m.kept.Cap.Until.Format(time.RFC3339))
		}
	}
}

// capped is the most replicas of a member that is capped now, nil if it is not.
func (m *member) capped(now time.Time) *int64 {
	if m.kept.Cap == nil || !now.Before(m.kept.Cap.Until) {
		return nil
	}
	return &m.kept.Cap.Replicas
}

// limit is the most seats that a member may have now.
func (d *decision) limit(m *member) *int64 {
	switch {
	case m.Drain || m.moved():
		return new(int64(0))
	case m.silent():
		if !m.known {
			return m.Max // it may have its share: nobody else is raised for it
		}
		return lesser(m.Max, new(m.surely())) // it cannot be raised: what is new goes to the others
	case d.holds && d.settles(m) && !m.kept.Away:
		return lesser(m.Max, lesser(&m.Replicas, m.capped(d.now)))
	case m.back:
		return lesser(m.Max, lesser(&m.kept.Stage, m.capped(d.now)))
	}
	return lesser(m.Max, m.capped(d.now))
}

// surely is how many replicas a silent member has: what was last written, and of a raise that it may not have got before
// it failed only what was seen.
func (m *member) surely() int64 {
	if m.unread() {
		return m.kept.Replicas // it was written just now
	}
	return min(m.kept.Replicas, m.kept.Seen)
}

func lesser(a, b *int64) *int64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// seats divides among the members with limits.
func (d *decision) seats(replicas int64, limit func(*member) *int64) map[string]int64 {
	return d.division(replicas, func(m *member) Cluster {
		least := int64(1)
		if m.Min != nil {
			least = *m.Min
		}
		return Cluster{Name: m.Name, Weight: m.Weight, Min: least, Max: limit(m)}
	}).Seats
}

func (d *decision) division(replicas int64, of func(*member) Cluster) Division {
	clusters := make([]Cluster, len(d.members))
	for i, m := range d.members {
		clusters[i] = of(m)
	}
	out, err := Divide(replicas, clusters, d.Salt)
	if err != nil { // Observed.problem has found it
		return Division{Unplaced: replicas}
	}
	return out
}

// divide sets the goals. Seats that nobody takes go on to those that are held back: first to members that are on their
// way back, as far as they run them already, which is how all keep theirs after the hub was cut off; then to these
// beyond that, then to capped ones (pods that wait let node groups grow), last to drained ones, which keep them.
func (d *decision) divide() {
	goals := d.seats(d.plan.Replicas, d.limit)
	for _, relaxed := range []func(*member) *int64{d.limitKept, d.limitBack, d.limitCapped, d.limitDrained} {
		if total(goals) >= d.plan.Replicas {
			break
		}
		goals = d.division(d.plan.Replicas, func(m *member) Cluster {
			most := max(goals[m.Name], orMost(d.limit(m)))
			switch {
			case !m.silent():
				most = max(most, orMost(relaxed(m)))
			case m.unread():
				most = max(most, min(m.Replicas, orMost(relaxed(m))))
			}
			return Cluster{Name: m.Name, Weight: m.Weight, Min: goals[m.Name], Max: &most}
		}).Seats
	}
	for _, m := range d.members {
		m.goal = goals[m.Name]
	}
	switch sum := total(goals); {
	case sum > d.plan.Replicas:
		d.note(nil, MinimumRaised, "%d replicas were asked for; the members' minimums need %d", d.plan.Replicas, sum)
	case sum < d.plan.Replicas:
		d.note(nil, Unplaced, "no member takes %d of %d replicas", d.plan.Replicas-sum, d.plan.Replicas)
	}
}

// limitKept lets members that are on their way back keep what they run.
func (d *decision) limitKept(m *member) *int64 {
	if m.Drain || !m.kept.Away {
		return d.limit(m)
	}
	return lesser(m.Max, lesser(&m.Replicas, m.capped(d.now)))
}

// limitBack lets members have all their seats that are on their way back.
func (d *decision) limitBack(m *member) *int64 {
	if m.Drain {
		return d.limit(m)
	}
	return lesser(m.Max, m.capped(d.now))
}

// limitCapped lets them have more than they are capped at.
func (*decision) limitCapped(m *member) *int64 {
	if m.Drain {
		return new(int64(0))
	}
	return m.Max
}

// limitDrained lets members that are drained keep what they have.
func (d *decision) limitDrained(m *member) *int64 {
	if m.Drain {
		return &m.Replicas
	}
	return d.limitCapped(m)
}

func orMost(limit *int64) int64 {
	if limit == nil {
		return MaxReplicas
	}
	return *limit
}

func total(seats map[string]int64) int64 { return Division{Seats: seats}.Total() }

// aim sets the targets: raises at once, lowers only what is Ready beyond the goals. Where the others lack ready pods a
// member above its goal keeps, besides its own, as many that are starting: they may be ready first, and then count.
func (d *decision) aim() {
	var spare int64
	var above []*member
	for _, m := range d.members {
		if m.silent() || m.returning() && m.goal == 0 {
			if !m.silent() {
				d.plan.Targets[m.Name] = m.Replicas
			}
			continue
		}
		spare += m.ready() - m.goal
		if d.plan.Targets[m.Name] = max(m.goal, m.Replicas); m.goal < m.Replicas && !d.still && !m.returning() {
			above = append(above, m)
		}
	}
	slices.SortStableFunc(above, func(a, b *member) int { return cmp.Compare(b.Replicas-b.goal, a.Replicas-a.goal) })
	for _, m := range above {
		ready := m.ready() // of which it loses none above the target; what it was to lose before counts no more
		most := max(min(m.Ready, m.Replicas), m.Replicas-m.Stuck)
		if d.Options.Ordinals {
			ready, most = m.Replicas, m.Replicas
		}
		target := max(m.goal, min(ready-spare, most))
		spare -= max(ready-target, 0)
		d.plan.Targets[m.Name] = target
		if target > m.goal {
			d.note(m, WaitingForReady, "member %s keeps %d replicas, %d more than its share, until others are ready", m.Name, target, target-m.goal)
		}
	}
}
