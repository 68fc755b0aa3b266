// SPDX-License-Identifier: Apache-2.0

package democlusters

import "time"

// plot is what happens when, since the day began.
type plot struct {
	length time.Duration
	risen  time.Duration // the users have stopped getting more
	dies   time.Duration
	back   time.Duration
	surge  time.Duration // before the member that is back can be Healthy

	nodeDelay   time.Duration // how long a new node takes
	returnAfter time.Duration // failover.returnAfter
}

const (
	// Shortest is the shortest day in which a failover with default settings ends before the next thing happens.
	Shortest = 5 * time.Minute
	// podDelay is how long a pod takes from its node to Ready.
	podDelay = 3 * time.Second
	// every is the time between two samples.
	every = 500 * time.Millisecond
	// late is how much longer than its length a day may take for the fail-back to end.
	late = 90 * time.Second
)

func plotOf(length time.Duration) plot {
	back := length * 6 / 10
	return plot{
		length: length, risen: length / 4, dies: length / 3, back: back, surge: back + min(length*8/100, 30*time.Second),
		nodeDelay:   min(length/18, 45*time.Second).Round(time.Second),
		returnAfter: (length / 18).Round(time.Second),
	}
}

// phase says in a few words what goes on.
func (p plot) phase(at time.Duration, lost string) string {
	switch {
	case at < p.risen:
		return "users come"
	case at < p.dies:
		return "a steady day"
	case at < p.back:
		return lost + " is dead"
	case at < p.surge:
		return lost + " is back, and has to prove itself"
	case at < p.surge+20*time.Second:
		return "a fifth more users come at once"
	default:
		return "the way back to " + lost
	}
}
