// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Crowd is how the users who are online spread over pods. Sessions stick: a user stays on the pod where the session
// began until the session or the pod ends. A new session goes to the pod with the fewest users, as a load balancer that
// counts connections would send it. The zero value is an empty shop.
type Crowd struct {
	users map[string]int
	outed float64 // sessions that ended in part: the fraction carried to the next step
}

// Step moves the crowd on: turnover is the share of sessions, in [0, 1], that end in this step and are replaced by new
// ones; afterwards total users are online on pods. Users of a pod that is gone start a new session elsewhere. With no
// pods nobody is online.
func (c *Crowd) Step(pods []string, total int, turnover float64) {
	kept := make(map[string]int, len(pods))
	for _, p := range pods {
		kept[p] = c.users[p]
	}
	c.users = kept
	online := c.Total()
	ending := float64(online)*turnover + c.outed
	whole := math.Floor(ending)
	c.outed = ending - whole
	c.leave(min(online, max(int(whole), online-total)))
	c.arrive(max(0, total-c.Total()))
}

// Users returns how many users each pod serves.
func (c *Crowd) Users() map[string]int { return maps.Clone(c.users) }

// Total returns how many users are online.
func (c *Crowd) Total() int {
	sum := 0
	for _, n := range c.users {
		sum += n
	}
	return sum
}

// leave ends count sessions, from every pod in proportion to its users; count is at most the total.
func (c *Crowd) leave(count int) {
	online := c.Total()
	if count <= 0 || online == 0 {
		return
	}
	// Rounding each pod's cumulative share, instead of each share, makes the parts add up to count exactly.
	seen, gone := 0, 0
	for _, pod := range slices.Sorted(maps.Keys(c.users)) {
		seen += c.users[pod]
		until := int(int64(count) * int64(seen) / int64(online))
		c.users[pod] -= until - gone
		gone = until
	}
}

// arrive begins count sessions, each on the pod that has the fewest users at that moment: like water that fills the
// lowest places first.
func (c *Crowd) arrive(count int) {
	pods := slices.Sorted(maps.Keys(c.users))
	slices.SortStableFunc(pods, func(a, b string) int { return cmp.Compare(c.users[a], c.users[b]) })
	for i := range pods {
		low := pods[:i+1]
		fill := count
		if i+1 < len(pods) {
			fill = min(count, (c.users[pods[i+1]]-c.users[low[0]])*len(low))
		}
		for j, pod := range low {
			c.users[pod] += fill / len(low)
			if j < fill%len(low) {
				c.users[pod]++
			}
		}
		count -= fill
	}
}
