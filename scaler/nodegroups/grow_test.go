// SPDX-License-Identifier: Apache-2.0

package nodegroups_test

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/scaler/nodegroups"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

func requireTarget(t *testing.T, server *nodegroupstest.Server, want int) {
	t.Helper()
	g, _ := server.Group("pool")
	require.Equal(t, want, g.Target)
}

func TestGrow(t *testing.T) {
	created := 0
	server := start(t, nodegroupstest.Options{Create: func(group string, delta int) error {
		require.Equal(t, "pool", group)
		created += delta
		return nil
	}})
	client := dial(t, nodegroups.Options{Address: server.Address()})
	growth, err := client.Grow(t.Context(), "pool", 2, 2)
	require.NoError(t, err)
	require.Equal(t, nodegroups.Growth{Effect: nodegroups.Took, Target: 4}, growth)
	requireTarget(t, server, 4)
	growth, err = client.Grow(t.Context(), "pool", 1, 4)
	require.NoError(t, err)
	require.Equal(t, 5, growth.Target)
	require.Equal(t, 3, created)
	groups, err := client.Groups(t.Context())
	require.NoError(t, err)
	require.Equal(t, nodegroups.Instance{ID: "test://pool/4", State: nodegroups.Creating}, groups[0].Instances[4])
}

func TestGrowIsRefusedHere(t *testing.T) {
	for name, tc := range map[string]struct {
		group           string
		delta, expected int
		want            nodegroups.Reason
	}{
		"by nothing":                    {"pool", 0, 2, nodegroups.Invalid},
		"downwards":                     {"pool", -1, 2, nodegroups.Invalid},
		"above the maximum":             {"pool", 4, 2, nodegroups.AtMaximum},
		"far above the maximum":         {"pool", math.MaxInt, 2, nodegroups.AtMaximum},
		"from another target":           {"pool", 1, 1, nodegroups.Changed},
		"a group that is not there":     {"none", 1, 2, nodegroups.Refused},
		"no group":                      {"", 1, 2, nodegroups.Refused},
		"a group whose bounds are none": {"absurd", 1, 0, nodegroups.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, nodegroupstest.Options{Groups: []nodegroupstest.Group{{ID: "pool", Max: 5, Target: 2}, {ID: "absurd", Min: 3, Max: 1}}})
			server.Fail("pool", nodegroupstest.NoMaximum) // it is not the server who refuses
			growth, err := dial(t, nodegroups.Options{Address: server.Address()}).Grow(t.Context(), tc.group, tc.delta, tc.expected)
			requireReason(t, tc.want, err)
			require.Equal(t, nodegroups.None, growth.Effect)
			requireTarget(t, server, 2)
		})
	}
}

// A maximum that was lowered a moment ago counts, and a target that somebody else has raised.
func TestGrowLooksFirst(t *testing.T) {
	server := start(t, nodegroupstest.Options{})
	client := dial(t, nodegroups.Options{Address: server.Address()})
	_, err := client.Groups(t.Context())
	require.NoError(t, err)
	server.SetMax("pool", 2)
	_, err = client.Grow(t.Context(), "pool", 1, 2)
	requireReason(t, nodegroups.AtMaximum, err)
	server.SetMax("pool", 9)
	server.SetTarget("pool", 3)
	growth, err := client.Grow(t.Context(), "pool", 1, 2)
	requireReason(t, nodegroups.Changed, err)
	require.Equal(t, 3, growth.Target)
	requireTarget(t, server, 3)
}

func TestGrowMeetsFaults(t *testing.T) {
	t.Parallel()
	for fault, tc := range map[nodegroupstest.Fault]struct {
		reason nodegroups.Reason // "": it grew
		effect nodegroups.Effect
		doubt  nodegroups.Reason
	}{
		nodegroupstest.Refuses:       {nodegroups.Refused, nodegroups.None, ""},
		nodegroupstest.AtMaximum:     {nodegroups.AtMaximum, nodegroups.None, ""},
		nodegroupstest.PlainErrors:   {nodegroups.Refused, nodegroups.None, ""},
		nodegroupstest.Hangs:         {nodegroups.TimedOut, nodegroups.None, ""}, // it does not even tell its target
		nodegroupstest.IncreaseHangs: {nodegroups.TimedOut, nodegroups.Unclear, ""},
		nodegroupstest.ActsAndFails:  {"", nodegroups.Took, nodegroups.Refused},
		nodegroupstest.ActsAndHangs:  {"", nodegroups.Took, nodegroups.TimedOut},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server := start(t, nodegroupstest.Options{})
			server.Fail("pool", fault)
			hangs := cmp.Or(tc.doubt, tc.reason)
			growth, err := dial(t, nodegroups.Options{Address: server.Address(), Timeout: timeout(hangs)}).Grow(t.Context(), "pool", 2, 2)
			require.Equal(t, tc.effect, growth.Effect, "%v", err)
			if tc.reason == "" {
				require.NoError(t, err)
				require.Equal(t, 4, growth.Target)
				requireReason(t, tc.doubt, growth.Doubt)
				requireTarget(t, server, 4)
				return
			}
			requireReason(t, tc.reason, err)
			requireTarget(t, server, 2)
		})
	}
}

// A server that acts long after its caller has given up: whoever tries again grows nothing twice.
func TestGrowTakesEffectLate(t *testing.T) {
	t.Parallel()
	server := start(t, nodegroupstest.Options{})
	server.Fail("pool", nodegroupstest.ActsLate)
	client := dial(t, nodegroups.Options{Address: server.Address(), Timeout: short})
	growth, err := client.Grow(t.Context(), "pool", 2, 2)
	if growth.Effect != nodegroups.Took { // it may have acted before the target was read again
		require.Equal(t, nodegroups.Unclear, growth.Effect)
		requireReason(t, nodegroups.TimedOut, err)
	}
	require.Eventually(t, func() bool {
		g, _ := server.Group("pool")
		return g.Target == 4
	}, time.Minute, 10*time.Millisecond)
	server.Fail("pool", nodegroupstest.Healthy)
	_, err = client.Grow(t.Context(), "pool", 2, 2)
	requireReason(t, nodegroups.Changed, err)
	requireTarget(t, server, 4)
}

func TestGrowWhenNodesCannotBeMade(t *testing.T) {
	server := start(t, nodegroupstest.Options{Create: func(string, int) error { return errors.New("no such image") }})
	growth, err := dial(t, nodegroups.Options{Address: server.Address()}).Grow(t.Context(), "pool", 2, 2)
	requireReason(t, nodegroups.Refused, err)
	require.ErrorContains(t, err, "no such image")
	require.Equal(t, nodegroups.None, growth.Effect)
	requireTarget(t, server, 2)
}

func TestGrowAndTheServerDies(t *testing.T) {
	var server *nodegroupstest.Server
	server = start(t, nodegroupstest.Options{Create: func(string, int) error { server.Stop(); return nil }})
	growth, err := dial(t, nodegroups.Options{Address: server.Address()}).Grow(t.Context(), "pool", 2, 2)
	requireReason(t, nodegroups.Unreachable, err)
	require.Equal(t, nodegroups.Growth{Effect: nodegroups.Unclear, Target: 2}, growth)
	requireTarget(t, server, 4)
}

// A caller that ends in the middle still learns what became of it.
func TestGrowIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := start(t, nodegroupstest.Options{Create: func(string, int) error { cancel(); return nil }})
	server.Fail("pool", nodegroupstest.ActsAndHangs)
	growth, err := dial(t, nodegroups.Options{Address: server.Address()}).Grow(ctx, "pool", 2, 2)
	require.NoError(t, err)
	require.Equal(t, nodegroups.Took, growth.Effect)
	requireReason(t, nodegroups.TimedOut, growth.Doubt)
}

func TestGrowAtOnce(t *testing.T) {
	server := start(t, nodegroupstest.Options{})
	client := dial(t, nodegroups.Options{Address: server.Address()})
	var took, changed atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch growth, err := client.Grow(t.Context(), "pool", 1, 2); {
			case err == nil && growth.Effect == nodegroups.Took:
				took.Add(1)
			case nodegroups.ReasonOf(err) == nodegroups.Changed:
				changed.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, took.Load())
	require.EqualValues(t, 7, changed.Load())
	requireTarget(t, server, 3)
}
