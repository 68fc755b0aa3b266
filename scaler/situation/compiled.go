// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Compiled keeps compiled schedules, so that one that thousands of HPAs share is compiled once and not with every look
// at each of them. The zero value is ready for use, also by several goroutines. Losing it loses nothing but time.
type Compiled struct {
	zones schedule.Zones

	mu    sync.Mutex
	rules map[types.UID]compiledRule
}

type compiledRule struct {
	generation int64
	rule       *schedule.Schedule
	err        error
}

// mostCompiled is how many are kept. Those of deleted schedules go when there are more.
const mostCompiled = 20_000

func (c *Compiled) compile(s *v1alpha1.ScaleSchedule) (*schedule.Schedule, error) {
	if s.UID == "" || s.Generation == 0 { // it is not from an API server, so nothing tells whether it has changed
		return s.Compile(&c.zones)
	}
	c.mu.Lock()
	known, has := c.rules[s.UID]
	c.mu.Unlock()
	if has && known.generation == s.Generation {
		return known.rule, known.err
	}
	rule, err := s.Compile(&c.zones)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rules == nil || len(c.rules) >= mostCompiled {
		c.rules = map[types.UID]compiledRule{}
	}
	c.rules[s.UID] = compiledRule{generation: s.Generation, rule: rule, err: err}
	return rule, err
}
