// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/hpa"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

// shop needs 10 replicas for 800, and twice as much from 10 minutes on.
func shop(t require.TestingT) Config {
	demand, err := NewSeries([]Point{{noon, 800}, {after(10 * time.Minute), 800}, {after(10 * time.Minute), 1600}})
	require.NoError(t, err)
	return Config{
		HPA: hpa.Spec{MinReplicas: 1, MaxReplicas: 100, Metrics: []hpa.Metric{
			{Type: hpa.ExternalMetric, Name: "users", Target: hpa.AverageValue, Goal: 80_000}}},
		Options: hpa.DefaultOptions(), Start: noon, End: after(time.Hour), Demand: demand, Capacity: 100,
		Startup: 2 * time.Minute, Initial: 10,
	}
}

func TestMeasures(t *testing.T) {
	m, err := Run(shop(t))
	require.NoError(t, err)
	// 16 replicas are needed from minute 10, 10 are ready until minute 12; then 20 are.
	require.Equal(t, time.Hour, m.Duration)
	require.InDelta(t, 12, m.DeficientReplicaMinutes, 1e-9)
	require.InDelta(t, 10*2+48*4, m.ExcessReplicaMinutes, 1e-9)
	require.InDelta(t, 2, m.ShortMinutes, 1e-9)
	require.InDelta(t, 2./60, m.TimeShort, 1e-9)
	require.InDelta(t, 12, m.WorstHour, 1e-9)
	require.InDelta(t, 2*600./(10*800+50*1600), m.UnservedShare, 1e-9)
	require.InDelta(t, (10*10+50*20)/60., m.ReplicaHours, 1e-9)
	require.Equal(t, 1, m.ScaleEvents)
	require.Zero(t, m.DirectionChanges)
	require.Equal(t, int32(20), m.PeakReplicas)
}

func TestEveryTypeOfMetricComesToTheSameReplicas(t *testing.T) {
	for _, m := range []hpa.Metric{
		{Type: hpa.PodsMetric, Name: "users", Target: hpa.AverageValue, Goal: 80_000},
		{Type: hpa.ObjectMetric, Name: "users", Target: hpa.AverageValue, Goal: 80_000},
		{Type: hpa.ExternalMetric, Name: "users", Target: hpa.AverageValue, Goal: 80_000},
		{Type: hpa.ResourceMetric, Name: hpa.CPU, Target: hpa.Utilization, Goal: 80},
		{Type: hpa.ResourceMetric, Name: "memory", Target: hpa.AverageValue, Goal: 800},
		{Type: hpa.ContainerResourceMetric, Name: hpa.CPU, Container: "web", Target: hpa.Utilization, Goal: 80},
	} {
		c := shop(t)
		c.HPA.Metrics = []hpa.Metric{m}
		var last Tick
		c.Watch = func(t Tick) { last = t }
		_, err := Run(c)
		require.NoError(t, err)
		require.InDelta(t, 20, last.Ready, 2, "%v", m)
	}
}

func TestFixedReplicas(t *testing.T) {
	c := shop(t)
	c.Initial = 0
	c.Fixed = func(time.Time) int32 { return 16 }
	m, err := Run(c)
	require.NoError(t, err)
	require.Zero(t, m.DeficientReplicaMinutes)
	require.Zero(t, m.ScaleEvents)
	require.InDelta(t, 16, m.ReplicaHours, 1e-9)
}

func TestWhatCannotBeSimulated(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no demand":              func(c *Config) { c.Demand = nil },
		"is not after the start": func(c *Config) { c.End = c.Start },
		"positive number":        func(c *Config) { c.Capacity = 0 },
		"must not be negative":   func(c *Config) { c.Startup = -1 },
		"at least 1s apart":      func(c *Config) { c.Sync = time.Millisecond },
		"choose a longer sync":   func(c *Config) { c.End = c.Start.AddDate(90, 0, 0) },
		"there are no metrics":   func(c *Config) { c.HPA.Metrics = nil },
	} {
		c := shop(t)
		change(&c)
		_, err := Run(c)
		require.ErrorContains(t, err, want)
	}
	_, err := NewSeries([]Point{{noon, -1}})
	require.ErrorContains(t, err, "not negative")
	_, err = NewSeries([]Point{{noon, 1}, {noon.Add(-1), 1}})
	require.ErrorContains(t, err, "comes after a later one")
}

// The same closed loop with random windows: whatever begins or ends, replicas fall only where the HPA's metric lets
// them, or where nobody holds a floor any more, and never because a maximum was lowered.
func TestNoMaximumOfOursCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := shop(t)
		c.Demand = drawDemand(t)
		begin := rapid.IntRange(0, 30).Draw(t, "begin")
		end := begin + rapid.IntRange(1, 30).Draw(t, "length")
		low, high := rapid.Int32Range(1, 60).Draw(t, "min"), rapid.Int32Range(1, 300).Draw(t, "max")
		c.HPA.MaxReplicas = rapid.Int32Range(10, 60).Draw(t, "own max")
		c.Contribute = func(now time.Time, _ Seen) []bounds.Contribution {
			if now.Before(after(time.Duration(begin)*time.Minute)) || !now.Before(after(time.Duration(end)*time.Minute)) {
				return nil
			}
			return []bounds.Contribution{{Source: bounds.Source{Kind: bounds.KindSchedule}, MinReplicas: &low, MaxReplicas: &high}}
		}
		c.Watch = func(tick Tick) {
			require.NotEqual(t, hpa.AboveMax, tick.HPA.Jump)
			require.LessOrEqual(t, tick.Replicas, tick.Bounds.Max)
			require.GreaterOrEqual(t, tick.Replicas, tick.Bounds.Min)
		}
		m, err := Run(c)
		require.NoError(t, err)
		require.LessOrEqual(t, m.UnservedShare, 1.0)
	})
}

func drawDemand(t *rapid.T) *Series {
	var points []Point
	at := 0
	for range rapid.IntRange(1, 12).Draw(t, "points") {
		points = append(points, Point{after(time.Duration(at) * time.Minute), float64(rapid.IntRange(0, 20000).Draw(t, "demand"))})
		at += rapid.IntRange(0, 10).Draw(t, "minutes")
	}
	s, err := NewSeries(points)
	require.NoError(t, err)
	return s
}

func TestSeries(t *testing.T) {
	s, err := NewSeries([]Point{{noon, 10}, {after(time.Minute), 20}, {after(time.Minute), 40}, {after(2 * time.Minute), 0}})
	require.NoError(t, err)
	for _, seconds := range []int{0, 30, 59, 60, 90, 120, 500, 30, -5, 90} {
		want := map[int]float64{-5: 10, 0: 10, 30: 15, 59: 10 + 10*59./60, 60: 40, 90: 20, 120: 0, 500: 0}[seconds]
		require.InDelta(t, want, s.At(after(time.Duration(seconds)*time.Second)), 1e-9)
	}
	require.Equal(t, 40.0, s.Max(noon, after(time.Hour)))
	require.Equal(t, 15.0, s.Max(noon, after(30*time.Second)))
}

func BenchmarkRunADay(b *testing.B) {
	for range b.N {
		c := shop(b)
		c.End = after(24 * time.Hour)
		c.Contribute = func(time.Time, Seen) []bounds.Contribution { return nil }
		_, err := Run(c)
		require.NoError(b, err)
	}
}
