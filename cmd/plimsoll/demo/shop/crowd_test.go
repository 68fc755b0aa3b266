// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCrowd(t *testing.T) {
	var c Crowd
	c.Step(nil, 100, 0)
	require.Zero(t, c.Total(), "no pods: nobody can be online")

	c.Step([]string{"a", "b"}, 101, 0)
	require.Equal(t, map[string]int{"a": 51, "b": 50}, c.Users())

	// Sessions stick: a new pod gets only those who arrive.
	c.Step([]string{"a", "b", "c"}, 111, 0)
	require.Equal(t, map[string]int{"a": 51, "b": 50, "c": 10}, c.Users())

	// A tenth of the sessions end, and the new ones go to the pod with the fewest users.
	c.Step([]string{"a", "b", "c"}, 111, 0.1)
	require.Equal(t, map[string]int{"a": 46, "b": 45, "c": 20}, c.Users())

	// A pod's users reconnect elsewhere when it goes.
	c.Step([]string{"a", "c"}, 111, 0)
	require.Equal(t, map[string]int{"a": 55, "c": 56}, c.Users())

	// Users leave from everywhere.
	c.Step([]string{"a", "c"}, 11, 0)
	require.Equal(t, map[string]int{"a": 6, "c": 5}, c.Users())
}

func TestCrowdOverManySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Crowd
		for range 30 {
			pods := make([]string, rapid.IntRange(0, 40).Draw(t, "pods"))
			for i := range pods {
				pods[i] = fmt.Sprintf("shop-%02d", i)
			}
			total := rapid.IntRange(0, 5000).Draw(t, "total")
			before := c.Users()
			c.Step(pods, total, 0)
			checkStep(t, before, &c, pods, total)
		}
	})
}

// checkStep requires that everybody is online somewhere, and that without turnover nobody left a pod that is still
// there unless the whole shop lost users.
func checkStep(t *rapid.T, before map[string]int, c *Crowd, pods []string, total int) {
	require.Len(t, c.Users(), len(pods))
	if len(pods) == 0 {
		total = 0
	}
	require.Equal(t, total, c.Total())
	stayed := 0
	for _, pod := range pods {
		stayed += before[pod]
	}
	for _, pod := range pods {
		require.GreaterOrEqual(t, c.Users()[pod], 0)
		if stayed <= total {
			require.GreaterOrEqual(t, c.Users()[pod], before[pod], "sessions stick")
		}
	}
}

func TestCrowdEvensOutByTurnover(t *testing.T) {
	var c Crowd
	c.Step([]string{"a"}, 1000, 0)
	for range 200 {
		c.Step([]string{"a", "b"}, 1000, 0.02)
		require.Equal(t, 1000, c.Total())
	}
	require.InDelta(t, 500, c.Users()["b"], 15)
}
