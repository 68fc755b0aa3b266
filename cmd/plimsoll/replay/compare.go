// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// Comparison is one shop, in the cluster and replayed.
type Comparison struct {
	Name  string `json:"name"`
	Looks int    `json:"looks"` // of the HPA, that were compared
	Agree int    `json:"agree"` // the cluster had the replayed count within one period of the HPA
	Same  int    `json:"same"`  // the HPA set the replayed count at that very look
	// Differences are the looks at which the HPA set another count than the replay, those that agree included.
	Differences []Difference `json:"differences,omitempty"`
}

// Share is the part of the looks that agree.
func (c Comparison) Share() float64 {
	if c.Looks == 0 {
		return 0
	}
	return float64(c.Agree) / float64(c.Looks)
}

// Difference is a look at which the HPA set another count than the replay.
type Difference struct {
	Time     time.Time `json:"time"`
	Real     int       `json:"real"`
	Replayed int       `json:"replayed"`
	Agrees   bool      `json:"agrees"` // the cluster had the replayed count within one period of the HPA
	Because  string    `json:"because"`
}

// counted is how long after a look the cluster's count may still be the one before it: it was counted once a second.
const counted = time.Second

// compare compares the replay of one look with the cluster. It agrees if the cluster had the replayed count at some moment
// within one period of the HPA before or after it.
func (p *problem) compare(c *Comparison, at int, t simulate.Tick, shop Shop) {
	look := shop.Looks[at]
	if look.Time.Before(p.Settings.From) || look.Time.Add(counted).After(p.Settings.To) {
		return // nobody counted then
	}
	c.Looks++
	replayed := int(t.Replicas)
	agrees := shop.had(replayed, look.Time, p.sync()+counted)
	if agrees {
		c.Agree++
	}
	if replayed == look.Replicas {
		c.Same++
		return
	}
	c.Differences = append(c.Differences, Difference{
		Time: look.Time, Real: look.Replicas, Replayed: replayed, Agrees: agrees, Because: shop.because(look, p.began(shop, at), t),
	})
}

// had says whether the cluster had a count at some moment within a distance of a time.
func (s Shop) had(replicas int, at time.Time, within time.Duration) bool {
	return slices.ContainsFunc(s.Counts, func(c Count) bool { return c.Replicas == replicas && c.Time.Sub(at).Abs() <= within })
}

// because is where a look of the cluster and its replay part, as far as that was recorded.
func (s Shop) because(look Look, began time.Time, t simulate.Tick) string {
	live, next, after := s.boundsAt(began)
	switch {
	case live != t.Bounds && next == t.Bounds:
		return fmt.Sprintf("the bounds were %s, and became the replayed %s only %.2fs after the look", told(live), told(next), after.Seconds())
	case live != t.Bounds:
		return fmt.Sprintf("the bounds were %s, replayed %s", told(live), told(t.Bounds))
	case look.Wanted >= 0 && t.HPA.Wanted != nil && look.Wanted != int(*t.HPA.Wanted):
		return fmt.Sprintf("the values that the HPA read asked for %d, replayed %d", look.Wanted, *t.HPA.Wanted)
	}
	return "it follows from the looks before"
}

func told(b bounds.Bounds) string { return fmt.Sprintf("%d..%d", b.Min, b.Max) }

// boundsAt are the bounds at a time, and the next ones and how long after it they came; zero: there were none.
func (s Shop) boundsAt(t time.Time) (live, next bounds.Bounds, after time.Duration) {
	for _, b := range s.Bounds {
		if b.Time.After(t) {
			return live, b.Bounds, b.Time.Sub(t)
		}
		live = b.Bounds
	}
	return live, next, 0
}
