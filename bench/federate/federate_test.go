// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/bench/federate/wire"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func TestSpreadIsEvenAndNamesNobodyTwice(t *testing.T) {
	for _, test := range []struct{ scales, members, perScale int }{{1000, 54, 4}, {7, 3, 2}, {5, 4, 4}, {1, 9, 3}, {0, 3, 2}} {
		all := spread(test.scales, test.members, test.perScale)
		require.Len(t, all, test.scales)
		load, met := make([]int, test.members), map[[2]int]bool{}
		for _, of := range all {
			require.Len(t, of, test.perScale)
			require.True(t, slices.IsSorted(of))
			require.Len(t, slices.Compact(slices.Clone(of)), test.perScale)
			for _, m := range of {
				load[m]++
				met[[2]int{of[0], m}] = true
			}
		}
		require.LessOrEqual(t, slices.Max(load)-slices.Min(load), 1)
		require.Equal(t, all, spread(test.scales, test.members, test.perScale))
		if test.scales == 1000 {
			require.Greater(t, len(met), 600, "hardly anybody meets the same ones always")
		}
	}
}

func TestTimes(t *testing.T) {
	require.Equal(t, Times{}, timesOf(nil))
	require.Equal(t, Times{7, 7, 7}, timesOf([]float64{7}))
	all := make([]float64, 200)
	for i := range all {
		all[len(all)-1-i] = float64(i)
	}
	require.Equal(t, Times{100, 198, 199}, timesOf(all))
}

func TestOptions(t *testing.T) {
	require.NoError(t, DefaultOptions().check())
	require.Equal(t, []int32{8, 12}, []int32{DefaultOptions().asked(), DefaultOptions().raised()})
	for name, change := range map[string]func(*Options){
		"--real is 1 and --stubbed 1":  func(o *Options) { o.Real, o.Stubbed = 1, 1 },
		"--real is -1 and --stubbed 9": func(o *Options) { o.Real, o.Stubbed = -1, 9 },
		"--clusters-per-scale is 1":    func(o *Options) { o.PerScale = 1 },
		"--clusters-per-scale is 55":   func(o *Options) { o.PerScale = 55 },
		"--scales is 0":                func(o *Options) { o.Scales = 0 },
		"--pod-delay":                  func(o *Options) { o.PodDelay = -1 },
		"--idle":                       func(o *Options) { o.Idle = time.Second },
		"--within":                     func(o *Options) { o.Within = time.Second },
	} {
		o := DefaultOptions()
		change(&o)
		require.ErrorContains(t, o.check(), name)
	}
}

func TestNumbers(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	a, b := scaleKey(1), scaleKey(2)
	n := newNumbers()
	for _, member := range []string{"x", "y"} {
		n.see(member, a, 2, at(0))
		n.see(member, b, 2, at(0))
	}
	n.floor(a, 4)
	n.floor(b, 4)
	n.aim(a, aim{total: 6, sent: at(10)})
	n.aim(b, aim{total: 3, without: "x", sent: at(10)})
	require.Equal(t, 2, n.waiting())
	n.see("x", a, 3, at(11))
	n.see("x", b, 9, at(12)) // who does not count
	require.Equal(t, 2, n.waiting())
	n.see("y", a, 3, at(13))
	n.see("y", b, 3, at(14))
	n.see("y", b, 4, at(20)) // it is the first time that counts
	require.Zero(t, n.waiting())
	require.Equal(t, []float64{3}, n.took(among([]int{1})))
	require.Equal(t, []float64{4}, n.took(among([]int{2})))
	require.ElementsMatch(t, []float64{0, 1}, n.since(everyone, func(*aim) time.Time { return at(13) }))

	n.forget()
	require.Empty(t, n.took(everyone))
	n.aim(a, aim{total: 6, sent: at(30)})
	require.Equal(t, []float64{0}, n.took(everyone), "what is there already is there at once")
	n.floor(a, 4)
	n.aim(a, aim{total: 4, lower: true, sent: at(40)})
	n.see("x", a, 2, at(41))
	require.Equal(t, 1, n.waiting())
	n.see("y", a, 2, at(42))
	require.Equal(t, []float64{2}, n.took(everyone))
	require.Empty(t, n.fell())
	n.see("y", a, 1, at(43))
	require.Len(t, n.fell(), 1)
	require.Contains(t, n.fell()[0], "must have 4")

	n.leave("x", []types.NamespacedName{b})
	n.aim(b, aim{total: 6, without: "x", sent: at(50)})
	n.see("y", b, 5, at(51))
	n.see("x", b, 0, at(52))
	require.Len(t, n.fell(), 1, "who is gone does not count")
	n.see("y", b, 6, at(53))
	n.see("y", b, 5, at(54))
	require.Len(t, n.fell(), 2)
	require.Contains(t, n.fell()[1], "must have 6", "what was moved stays")

	require.Empty(t, n.wrong([]types.NamespacedName{a}, 3, ""))
	require.Empty(t, n.wrong([]types.NamespacedName{a}, 1, "x"))
	require.Len(t, n.wrong([]types.NamespacedName{a, b}, 3, ""), 1)
	require.Len(t, n.wrong([]types.NamespacedName{{Name: "none"}}, 3, ""), 1)
}

func TestTrafficIsAMeanPerMinute(t *testing.T) {
	begin := time.Unix(0, 0)
	before := counters{at: begin, wires: map[string]wire.Totals{"a": {Received: 5, Sent: 50, Accepted: 1}}, probes: map[string]float64{"a": 1}}
	after := counters{
		at: begin.Add(2 * time.Minute), probes: map[string]float64{"a": 13, "b": 12}, requests: map[string]float64{"host-a": 4, "host-c": 99},
		wires: map[string]wire.Totals{"a": {Received: 405, Sent: 4050, Accepted: 13}, "b": {Received: 400, Sent: 4000, Accepted: 12}, "c": {Sent: 1e9}},
	}
	require.Equal(t, &Traffic{ReadBytes: 2000, WrittenBytes: 200, Requests: 1, Probes: 6, Connections: 6}, traffic(before, after, []string{"a", "b"}, []string{"host-a", "host-b"}))
}

// What the hub says counts only for the generation that it speaks of.
func TestSaid(t *testing.T) {
	s := newSaid()
	scale := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Name: "app", Generation: 2}}
	scale.Status = v1alpha1.FederatedScaleStatus{
		ObservedGeneration: 1, Divided: 8, ReadyReplicas: 8,
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: v1alpha1.FederatedDivided}},
	}
	keys := []types.NamespacedName{{Name: "app"}, {Name: "other"}}
	s.look(scale)
	require.Zero(t, s.divided(keys, 8))
	scale.Status.ObservedGeneration = 2
	s.look(scale)
	require.Equal(t, 1, s.divided(keys, 8))
	require.Zero(t, s.divided(keys, 9))
	require.Zero(t, s.moved(keys, 8))

	since := metav1.Unix(7, 0)
	member := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Status: v1alpha1.MemberClusterStatus{State: v1alpha1.MemberFailed, Since: &since}}
	s.look(member)
	first := s.turnedAt("paris", v1alpha1.MemberFailed)
	require.Equal(t, since.Time, first.since)
	s.look(member)
	require.Equal(t, first, s.turnedAt("paris", v1alpha1.MemberFailed), "it is called so still")
	require.Equal(t, 1, s.are(v1alpha1.MemberFailed))
	require.Contains(t, s.summary(), "members Failed: 1")
}
