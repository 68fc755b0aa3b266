// SPDX-License-Identifier: Apache-2.0

package model

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

const fiveMinutes = 5 * time.Minute

// shape is a demand with a day, without chance.
func shape(at time.Time) float64 {
	day := at.Sub(at.Truncate(24*time.Hour)).Hours() / 24
	return 1000 + 800*math.Sin(2*math.Pi*(day-0.3)) + 30*math.Sin(float64(at.Unix()%7919))
}

func days(n int, of func(time.Time) float64) []forecast.Point {
	var out []forecast.Point
	for i := range n * 288 {
		at := noon.Add(time.Duration(i-n*288+1) * fiveMinutes)
		out = append(out, forecast.Point{Time: at, Value: of(at)})
	}
	return out
}

func rule() forecast.Rule {
	return forecast.Rule{Interval: fiveMinutes, Quantile: 0.95, MaxLead: time.Hour, MaxIncrease: 1}
}

func TestLearnsAndLooksAhead(t *testing.T) {
	m, err := New(rule(), 10*time.Minute, days(14, shape))
	require.NoError(t, err)
	v, err := m.Look(noon)
	require.NoError(t, err)
	require.Equal(t, forecast.Armed, v.Gate.Trust, v.Gate.Explain(v.Accuracy))
	require.Equal(t, noon, v.Newest.Time)
	require.Equal(t, 10*time.Minute, v.Lead)
	require.Equal(t, 24*time.Hour, v.Seasons.Day)
	require.InEpsilon(t, shape(noon.Add(10*time.Minute)), v.Expected.Value, 0.1)
	require.GreaterOrEqual(t, v.Demand, v.Expected.Value)
	require.Equal(t, 6*time.Hour, v.Predictions[len(v.Predictions)-1].Lead, "the outlook")
	require.LessOrEqual(t, len(v.Predictions), 16)
}

// A model that learns on says the same as one that is made of all points later.
func TestRestartIsNoDifference(t *testing.T) {
	all := days(20, shape)
	going, err := New(rule(), 10*time.Minute, all[:15*288])
	require.NoError(t, err)
	for _, p := range all[15*288:] {
		require.NoError(t, going.Learn(p))
	}
	anew, err := New(rule(), 10*time.Minute, all)
	require.NoError(t, err)
	a, err := going.Look(noon)
	require.NoError(t, err)
	b, err := anew.Look(noon)
	require.NoError(t, err)
	require.Equal(t, a, b)
}

// While values are missing the bound widens, and values that come late are still learned.
func TestWidensWithoutValues(t *testing.T) {
	all := days(14, shape)
	m, err := New(rule(), 10*time.Minute, all)
	require.NoError(t, err)
	twin, err := New(rule(), 10*time.Minute, all)
	require.NoError(t, err)
	now, err := m.Look(noon)
	require.NoError(t, err)
	later, err := m.Look(noon.Add(2 * time.Hour))
	require.NoError(t, err)
	require.Greater(t, later.Demand-later.Expected.Value, now.Demand-now.Expected.Value)
	require.True(t, later.Predictions[0].Time.After(noon.Add(2*time.Hour)), "a forecast is of the future")
	require.Equal(t, noon, later.Newest.Time)

	late := forecast.Point{Time: noon.Add(fiveMinutes), Value: shape(noon.Add(fiveMinutes))}
	require.NoError(t, m.Learn(late))
	require.NoError(t, twin.Learn(late))
	a, err := m.Look(late.Time)
	require.NoError(t, err)
	b, err := twin.Look(late.Time)
	require.NoError(t, err)
	require.Equal(t, b, a, "looking changes nothing")
}

func TestAim(t *testing.T) {
	m, err := New(rule(), 10*time.Minute, days(3, shape))
	require.NoError(t, err)
	for lead, want := range map[time.Duration]time.Duration{
		time.Minute: fiveMinutes, 10 * time.Minute: 10 * time.Minute, 11 * time.Minute: 15 * time.Minute, 20 * time.Minute: 20 * time.Minute,
	} {
		require.True(t, m.Aim(lead))
		v, err := m.Look(noon)
		require.NoError(t, err)
		require.Equal(t, want, v.Lead)
		require.Equal(t, want, v.Accuracy.Lead)
	}
	require.False(t, m.Aim(21*time.Minute), "it does not look so far ahead")
	given := rule()
	given.Lead = 30 * time.Minute
	m, err = New(given, given.Lead, days(3, shape))
	require.NoError(t, err)
	require.True(t, m.Aim(30*time.Minute))
}

// A forecast that becomes wrong by a factor of ten in either direction, without a pattern, is not trusted any more.
func TestWrongByTenDisarms(t *testing.T) {
	for name, wrong := range map[string]func(n int) float64{
		"too low: the demand is tenfold at times":      func(n int) float64 { return pick(n%5 == 0, 10, 1) },
		"too high: the demand is mostly a tenth of it": func(n int) float64 { return pick(n%10 == 0, 1, 0.1) },
	} {
		t.Run(name, func(t *testing.T) {
			careful := rule()
			careful.Quantile = 0.99 // it has to cover the rare returns
			m, err := New(careful, 10*time.Minute, days(14, shape))
			require.NoError(t, err)
			require.Equal(t, forecast.Armed, m.Gate().Trust)
			disarmedAfter := 0
			for i := 1; i <= 7*288 && disarmedAfter == 0; i++ {
				at := noon.Add(time.Duration(i) * fiveMinutes)
				value := shape(at) * wrong(i*2654435761>>8)
				require.NoError(t, m.Learn(forecast.Point{Time: at, Value: value}))
				if m.Gate().Trust == forecast.Disarmed {
					disarmedAfter = i
				}
				v, err := m.Look(at)
				require.NoError(t, err)
				require.False(t, math.IsNaN(v.Demand) || math.IsInf(v.Demand, 0) || v.Demand < 0)
			}
			require.NotZero(t, disarmedAfter, m.Gate().Explain(m.accuracy()))
			t.Logf("disarmed after %d points: %s", disarmedAfter, m.Gate().Reason)
		})
	}
}

// A demand that falls to a tenth for good is followed: what was wrong by ten is less than wrong by two after two hours.
func TestFollowsAFall(t *testing.T) {
	m, err := New(rule(), 10*time.Minute, days(14, shape))
	require.NoError(t, err)
	at := noon
	for range 24 {
		at = at.Add(fiveMinutes)
		require.NoError(t, m.Learn(forecast.Point{Time: at, Value: shape(at) / 10}))
	}
	v, err := m.Look(at)
	require.NoError(t, err)
	require.Less(t, v.Expected.Value, 2*shape(at)/10)
}

func pick(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}

func TestUnusable(t *testing.T) {
	_, err := New(forecast.Rule{}, time.Minute, nil)
	require.ErrorContains(t, err, "interval")
	m, err := New(rule(), time.Minute, nil)
	require.NoError(t, err)
	v, err := m.Look(noon)
	require.NoError(t, err)
	require.Nil(t, v, "nothing is known yet")
	require.Error(t, m.Learn(forecast.Point{Time: noon, Value: math.Inf(1)}))
}

func TestSaturated(t *testing.T) {
	require.True(t, Saturated(1200, 100, 10, 10))
	require.False(t, Saturated(1050, 100, 10, 10), "within the HPA's tolerance")
	require.False(t, Saturated(5000, 100, 9, 10), "it can still grow")
	require.False(t, Saturated(5000, 0, 10, 10))
}

func FuzzModel(f *testing.F) {
	f.Add(int64(300), 10.0, 1e9, int64(600))
	f.Fuzz(func(t *testing.T, seconds int64, a, b float64, lead int64) {
		r := forecast.Rule{Interval: time.Duration(seconds%3600) * time.Second, Quantile: 0.9, MaxLead: time.Hour, Seasons: &forecast.Seasons{Day: time.Hour}}
		m, err := New(r, time.Duration(lead%86400)*time.Second, []forecast.Point{{Time: noon, Value: a}, {Time: noon.Add(time.Hour), Value: b}})
		if err != nil {
			return
		}
		v, err := m.Look(noon.Add(5 * time.Hour))
		require.NoError(t, err)
		if v != nil {
			require.False(t, math.IsNaN(v.Demand))
		}
	})
}
