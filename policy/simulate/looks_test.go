// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

// replicasAt runs with looks of which each reads values as old as given, and returns the replicas after each.
func replicasAt(t *testing.T, c Config, looks ...Look) []int32 {
	t.Helper()
	var replicas []int32
	var times []time.Time
	c.Looks, c.Watch = looks, func(tick Tick) {
		replicas, times = append(replicas, tick.Replicas), append(times, tick.Time)
	}
	_, err := Run(c)
	require.NoError(t, err)
	for i, look := range looks {
		require.Equal(t, look.At, times[i])
	}
	return replicas
}

func TestLooksAndWhatTheyRead(t *testing.T) {
	c := shop(t)
	look := func(at, age time.Duration) Look { return Look{after(at), after(at - age)} }
	require.Equal(t, []int32{10, 10, 20, 20}, replicasAt(t, c,
		look(9*time.Minute, 0), look(10*time.Minute, time.Second), look(10*time.Minute+5*time.Second, time.Second), look(30*time.Minute, time.Minute)))

	c.Watch = nil
	m, err := Run(c)
	require.NoError(t, err)
	require.Equal(t, time.Hour, m.Duration)
	c.Looks = []Look{look(0, 0), look(11*time.Minute, 0), look(50*time.Minute, 0)}
	m, err = Run(c)
	require.NoError(t, err)
	require.Equal(t, time.Hour, m.Duration, "the last look holds until the end")
	require.InDelta(t, (10*11+20*49)/60., m.ReplicaHours, 1e-9)
}

// podShop has a metric of its pods, of which ten are ready, and scales down at once.
func podShop(t *testing.T, demand ...Point) Config {
	t.Helper()
	c := shop(t)
	c.HPA.Metrics[0].Type = hpa.PodsMetric
	none := time.Duration(0)
	c.HPA.Behavior = &hpa.Behavior{ScaleDown: hpa.Rules{Stabilization: &none}}
	var err error
	c.Demand, err = NewSeries(demand)
	require.NoError(t, err)
	return c
}

// Pods that are gone take their part of an old sample with them, until the next sample.
func TestValuesAreOfThePodsOfTheirTime(t *testing.T) {
	c := podShop(t, Point{noon, 400})
	old := Look{after(15 * time.Second), after(-time.Second)}
	require.Equal(t, []int32{5, 3}, replicasAt(t, c, Look{noon, noon}, old), "five pods of ten had 200 users then")
	require.Equal(t, []int32{5, 5}, replicasAt(t, c, Look{noon, noon}, Look{old.At, old.At}))
}

// A pod that is ready has no value before the next sample. The HPA does not turn round for the guess that it makes then.
func TestAPodWithoutAValueYet(t *testing.T) {
	c := podShop(t, Point{noon, 1600}, Point{after(time.Minute), 1600}, Point{after(time.Minute), 1000})
	c.Pending = true
	ready := c.Startup
	looks := func(age time.Duration) []Look {
		return []Look{{noon, noon}, {after(ready + time.Second), after(ready + time.Second - age)}}
	}
	require.Equal(t, []int32{20, 20}, replicasAt(t, c, looks(10*time.Second)...), "1,000 users on ten, and ten new ones")
	require.Equal(t, []int32{20, 13}, replicasAt(t, c, looks(0)...))
}

// What starts holds a fall back only where it runs already.
func TestPending(t *testing.T) {
	c := podShop(t, Point{noon, 1600}, Point{after(time.Minute), 1600}, Point{after(time.Minute), 700})
	looks := []Look{{noon, noon}, {after(90 * time.Second), after(90 * time.Second)}}
	require.Equal(t, []int32{20, 20}, replicasAt(t, c, looks...))
	c.Pending = true
	require.Equal(t, []int32{20, 9}, replicasAt(t, c, looks...))
}

func TestStartupAt(t *testing.T) {
	c := podShop(t, Point{noon, 1600})
	c.StartupAt = func(begun time.Time) time.Duration { return begun.Sub(noon) + time.Minute }
	c.Looks = []Look{{noon, noon}, {after(59 * time.Second), noon}, {after(60 * time.Second), noon}}
	var ready []int32
	c.Watch = func(tick Tick) { ready = append(ready, tick.Ready) }
	_, err := Run(c)
	require.NoError(t, err)
	require.Equal(t, []int32{10, 10, 20}, ready)
}
