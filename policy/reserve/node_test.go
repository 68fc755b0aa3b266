// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// node has 8 cores and 32 units of memory, of which so many cores and as many units are requested.
func node(requested int64) reserve.Node {
	return reserve.Node{
		Allocatable: fit.Resources{"cpu": 8000, "memory": 32}, Requested: fit.Resources{"cpu": requested * 1000, "memory": requested}, Pods: 110, Running: requested,
	}
}

func nodes(requested ...int64) []reserve.Node {
	out := make([]reserve.Node, len(requested))
	for i, r := range requested {
		out[i] = node(r)
	}
	return out
}

func with(n reserve.Node, change func(*reserve.Node)) reserve.Node {
	change(&n)
	return n
}

// core is a pod that requests a core.
func core() fit.Shape { return fit.Shape{Requests: fit.Resources{"cpu": 1000, "memory": 1}} }

func TestWhatCounts(t *testing.T) {
	gpu := func(n *reserve.Node) {
		n.Allocatable = fit.Resources{"cpu": 8000, "memory": 32, "nvidia.com/gpu": 4, "hugepages-2Mi": 0}
	}
	for _, test := range []struct {
		name string
		node reserve.Node
		left reserve.Left
	}{
		{"an ordinary node", node(2), ""},
		{"huge pages are ordinary", with(node(2), func(n *reserve.Node) { n.Allocatable["hugepages-2Mi"] = 1 << 30 }), ""},
		{"no GPU left", with(node(2), func(n *reserve.Node) { n.Allocatable["nvidia.com/gpu"] = 0 }), ""},
		{"network interfaces", with(node(2), func(n *reserve.Node) { n.Allocatable["vpc.amazonaws.com/pod-eni"] = 9 }), ""},
		{"cordoned", with(node(2), func(n *reserve.Node) { n.Cordoned = true }), reserve.Cordoned},
		{"not ready", with(node(2), func(n *reserve.Node) { n.NotReady, n.Tainted = true, true }), reserve.NotReady},
		{"tainted", with(node(2), func(n *reserve.Node) { n.Tainted = true }), reserve.Tainted},
		{"of another kind than those named", with(node(2), func(n *reserve.Node) { n.Unnamed, n.Tainted = true, true }), reserve.Unnamed},
		{"a GPU", with(node(2), gpu), reserve.Extended},
		{"a GPU that is named", with(with(node(2), gpu), func(n *reserve.Node) { n.Named, n.Tainted = true, true }), ""},
		{"named and cordoned", with(node(2), func(n *reserve.Node) { n.Named, n.Cordoned = true, true }), reserve.Cordoned},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.left, test.node.Left())
			b := reserve.BaseOf([]reserve.Node{test.node, node(10)}) // more requested than there is
			require.Equal(t, test.left == "", b.Nodes == 2)
			if test.left != "" {
				require.Equal(t, map[reserve.Left]int{test.left: 1}, b.Left)
				require.Equal(t, int64(8000), b.Allocatable["cpu"])
				require.Zero(t, b.Free["cpu"])
				return
			}
			require.Empty(t, b.Left)
			require.Equal(t, int64(16000), b.Allocatable["cpu"])
			require.Equal(t, int64(6000), b.Free["cpu"])
		})
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct{ amount, percent, want int64 }{
		{100, 20, 20}, {4, 20, 1}, {5, 20, 1}, {6, 20, 2}, {0, 20, 0}, {-5, 20, 0}, {100, 0, 0}, {100, -1, 0}, {7, 150, 11}, {7, 5000, 70}, {math.MaxInt64, 1000, 1 << 62},
	} {
		require.Equal(t, test.want, reserve.Percent(test.amount, test.percent), "%d %% of %d", test.percent, test.amount)
	}
}

func TestHolds(t *testing.T) {
	require.True(t, reserve.Left("").Holds(nil))
	require.False(t, reserve.Unnamed.Holds(nil))
	require.False(t, reserve.Extended.Holds(fit.Resources{"cpu": 1, "nvidia.com/gpu": 0}))
	require.True(t, reserve.Extended.Holds(fit.Resources{"nvidia.com/gpu": 1}))
	require.True(t, reserve.Tainted.Holds(nil), "the pods tolerate it, else the node were not among theirs")
}
