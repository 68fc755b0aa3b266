// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/backtest"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// buckets is how many points a line in a report has.
const buckets = 900

// pictures are what a report draws.
type pictures struct {
	lines    []picture // the whole time, of every policy
	zoomed   []picture // the worst day, of a few
	outcomes []backtest.Outcome
}

// worst is the middle of the bucket with most unserved demand, or else with most demand.
func (p picture) worst() time.Time {
	best := 0
	for i := range p.demand {
		if p.unserved[i] > p.unserved[best] || p.unserved[i] == p.unserved[best] && p.demand[i] > p.demand[best] {
			best = i
		}
	}
	return p.from.Add(time.Duration(float64(p.to.Sub(p.from)) * (float64(best) + 0.5) / buckets))
}

// picture is a run in few points: of each bucket of time, the greatest demand, the least capacity, and the unserved demand.
type picture struct {
	name     string
	from, to time.Time
	demand   []float64
	capacity []float64
	unserved []float64
	seen     []bool
}

func newPicture(name string, from, to time.Time) *picture {
	return &picture{
		name: name, from: from, to: to,
		demand: make([]float64, buckets), capacity: make([]float64, buckets), unserved: make([]float64, buckets), seen: make([]bool, buckets),
	}
}

// watch adds the ticks of a simulation.
func (p *picture) watch(capacity float64) func(simulate.Tick) {
	span := p.to.Sub(p.from)
	return func(t simulate.Tick) {
		if t.Time.Before(p.from) || !t.Time.Before(p.to) {
			return
		}
		i := min(int(int64(buckets)*int64(t.Time.Sub(p.from)/time.Second)/max(1, int64(span/time.Second))), buckets-1)
		served := float64(t.Ready) * capacity
		if !p.seen[i] {
			p.seen[i], p.capacity[i] = true, served
		}
		p.demand[i] = max(p.demand[i], t.Demand)
		p.capacity[i] = min(p.capacity[i], served)
		p.unserved[i] = max(p.unserved[i], t.Unserved)
	}
}
