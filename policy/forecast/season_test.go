// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFindSeasons(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	wave := func(period float64) func(i int) float64 {
		return func(i int) float64 { return 100 + 50*math.Sin(2*math.Pi*float64(i)/period) + 5*random.NormFloat64() }
	}
	tests := map[string]struct {
		points []Point
		step   time.Duration
		want   Seasons
	}{
		"a calendar's day":          {shape(14*288, fiveMinutes, daily(21)), fiveMinutes, calendar},
		"a day of four minutes":     {shape(300, 5*time.Second, wave(48)), 5 * time.Second, Seasons{Day: 4 * time.Minute, Week: 28 * time.Minute}},
		"a batch every seven hours": {shape(14*288, fiveMinutes, wave(84)), fiveMinutes, Seasons{Day: 7 * time.Hour, Week: 49 * time.Hour}},
		"an hour within a day":      {shape(14*288, fiveMinutes, func(i int) float64 { return daily(22)(i) + 100*float64(i%12/10) }), fiveMinutes, calendar},
		"noise":                     {shape(2000, fiveMinutes, func(int) float64 { return random.NormFloat64() }), fiveMinutes, calendar},
		"a trend":                   {shape(2000, fiveMinutes, func(i int) float64 { return float64(i) + random.NormFloat64() }), fiveMinutes, calendar},
		"constant":                  {shape(2000, fiveMinutes, func(int) float64 { return 5 }), fiveMinutes, calendar},
		"too short":                 {shape(5, fiveMinutes, wave(3)), fiveMinutes, calendar},
		"nothing":                   {nil, fiveMinutes, calendar},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, FindSeasons(tt.points, tt.step))
		})
	}
}

func TestFindSeasonsFindsTheWeekOfAShortDay(t *testing.T) {
	// days of 48 steps, every fifth of which is a quiet one
	points := shape(48*30, 5*time.Second, func(i int) float64 {
		height := 50.0
		if i/48%5 == 4 {
			height = 10
		}
		return 100 + height*math.Sin(2*math.Pi*float64(i)/48)
	})
	require.Equal(t, Seasons{Day: 4 * time.Minute, Week: 20 * time.Minute}, FindSeasons(points, 5*time.Second))
}

func TestADemoDayOfFourMinutes(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	points := shape(48*20, 5*time.Second, func(i int) float64 {
		return 500 - 400*math.Cos(2*math.Pi*float64(i)/48) + 10*random.NormFloat64()
	})
	seasons := FindSeasons(points[:48*5], 5*time.Second)
	f := trained(t, Config{Step: 5 * time.Second, Leads: []time.Duration{30 * time.Second}, Seasons: &seasons}, points)
	a := f.Accuracy()[0]
	require.Less(t, a.Error, 0.15*a.ErrorReactive)
	require.InDelta(t, 0.95, a.Coverage, 0.03)
}

func TestWithoutSeasons(t *testing.T) {
	c := fourLeads()
	c.Seasons = &Seasons{}
	f := trained(t, c, shape(2000, fiveMinutes, daily(23)))
	requireSound(t, f)
	require.Less(t, f.Accuracy()[3].Error, f.Accuracy()[3].ErrorReactive)
}

func TestLeadLongerThanTheDay(t *testing.T) {
	seasons := Seasons{Day: 4 * time.Minute, Week: 28 * time.Minute}
	points := shape(48*20, 5*time.Second, func(i int) float64 { return 500 - 400*math.Cos(2*math.Pi*float64(i)/48) })
	f := trained(t, Config{Step: 5 * time.Second, Leads: []time.Duration{11 * time.Minute}, Seasons: &seasons}, points)
	p := f.Predictions()[0]
	target := float64(len(points) - 1 + int(p.Lead/(5*time.Second)))
	require.InDelta(t, 500-400*math.Cos(2*math.Pi*target/48), p.Value, 20)
}
