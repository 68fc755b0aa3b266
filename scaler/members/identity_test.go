// SPDX-License-Identifier: Apache-2.0

package members

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fleetOf has a prober for each claim, which is not running.
func fleetOf(claims map[string]claim) *fleetController {
	c := &fleetController{probers: map[string]*prober{}, claims: map[string]claim{}}
	for name, one := range claims {
		c.probers[name] = &prober{c: c, name: name, created: one.created, wake: make(chan struct{}, 1)}
		c.claims[name] = one
	}
	return c
}

func (c *fleetController) poked() map[string]bool {
	all := map[string]bool{}
	for name, p := range c.probers {
		select {
		case <-p.wake:
			all[name] = true
		default:
		}
	}
	return all
}

func TestTheOldestKeepsTheCluster(t *testing.T) {
	later := noon.Add(time.Second)
	c := fleetOf(map[string]claim{
		"b": {"1", noon}, "a": {"1", later}, "z": {"1", noon}, "other": {"2", noon}, "unknown": {"", noon}, "unknown too": {"", later},
	})
	for name, keeper := range map[string]string{"b": "", "a": "b", "z": "b", "other": "", "unknown": "", "unknown too": "", "nobody": ""} {
		require.Equal(t, keeper, c.keeperOf(name), name)
	}
	c.claim(c.probers["b"], "1")
	require.Empty(t, c.poked(), "nothing is new")
	c.claim(c.probers["b"], "2")
	require.Equal(t, map[string]bool{"a": true, "b": true, "z": true, "other": true}, c.poked(), "those that it leaves and those that it joins")
	require.Equal(t, "z", c.keeperOf("a"))
	require.Equal(t, "b", c.keeperOf("other"), "of the same age by name")

	stranger := &prober{c: c, name: "z"} // of a MemberCluster that was replaced by one of the same name
	c.claim(stranger, "3")
	require.Equal(t, "1", c.claims["z"].cluster)
	c.unclaim("z")
	require.Equal(t, map[string]bool{"a": true}, c.poked())
	require.Empty(t, c.keeperOf("a"), "who is left keeps it")
}

// Whatever is known of whom: every cluster has exactly one that keeps it, which is older than the others.
func TestOneKeeper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := map[string]claim{}
		for i := range rapid.IntRange(0, 8).Draw(t, "members") {
			claims[fmt.Sprint("m", i)] = claim{
				cluster: rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "cluster"), created: noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "created"))),
			}
		}
		c, keepers := fleetOf(claims), map[string]string{}
		for name, one := range claims {
			keeper := c.keeperOf(name)
			if keeper == "" && one.cluster != "" {
				require.Empty(t, keepers[one.cluster], "a second one")
				keepers[one.cluster] = name
			}
			if keeper != "" {
				require.Equal(t, one.cluster, claims[keeper].cluster)
				require.True(t, claims[keeper].older(keeper, one, name))
				require.Empty(t, c.keeperOf(keeper))
			}
		}
	})
}
