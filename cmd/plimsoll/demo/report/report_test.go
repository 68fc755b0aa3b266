// SPDX-License-Identifier: Apache-2.0

package report

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

var update = flag.Bool("update", false, "write the golden files")

var target = Target{PerPod: 100, Capacity: 120, Min: 2, Max: 40, Startup: 7 * time.Second}

// usersAt is a day of three minutes: 150 users, up to 3,000 in the middle, and 150 again.
func usersAt(second int) int {
	x := float64(second) / 180
	return 150 + int(2850*math.Max(0, 1-math.Pow(math.Abs(x-0.5)/0.4, 2)))
}

// day simulates replicas that follow the users of lag seconds ago; share is which part of the need they meet.
func day(lag int, share float64) []Sample {
	var samples []Sample
	for second := range 180 {
		need := target.Need(usersAt(max(0, second-lag)))
		replicas := int(math.Ceil(need * share))
		samples = append(samples, Sample{
			At: time.Duration(second) * time.Second, Users: usersAt(second), Wanted: replicas, Pods: replicas, Ready: replicas, Floor: 2,
			HasValue: second != 5, Age: time.Duration(second%3) * time.Second,
		})
	}
	return samples
}

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		samples []Sample
		reasons []string
	}{
		"follows":                  {day(6, 1), nil},
		"within tolerance":         {day(6, 0.93), nil},
		"too few":                  {day(6, 1)[:9], []string{"only 9 observations"}},
		"too few pods at the peak": {day(6, 0.7), []string{"at the peak 21 pods were ready", "behind the users"}},
		"too late":                 {day(45, 1), []string{"at the end 20 pods", "behind the users, more than 37s"}},
		"stays up":                 {stuckAtTop(day(6, 1)), []string{"at the end 30 pods were still there, but 150 users need 2"}},
		"never moves":              {stuckAt(day(6, 1), 2), []string{"at the peak 2 pods", "behind"}},
		"nobody came":              {day(6, 1)[:15], []string{"never rose"}},
		"capped by max":            {stuckAt(quiet(5000), 40), []string{"never rose"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(tc.samples, target)
			require.Len(t, v.Reasons, len(tc.reasons), "%v", v.Reasons)
			for i, reason := range tc.reasons {
				require.Contains(t, v.Reasons[i], reason)
			}
		})
	}
}

func stuckAt(samples []Sample, replicas int) []Sample {
	for i := range samples {
		samples[i].Ready = replicas
	}
	return samples
}

func stuckAtTop(samples []Sample) []Sample {
	for i := 1; i < len(samples); i++ {
		samples[i].Ready = max(samples[i].Ready, samples[i-1].Ready)
	}
	return samples
}

func quiet(users int) []Sample {
	samples := day(0, 1)
	for i := range samples {
		samples[i].Users = users
	}
	return samples
}

func TestDelaysAreMeasured(t *testing.T) {
	for _, lag := range []int{0, 6, 20} {
		v := Judge(day(lag, 1), target)
		require.InDelta(t, float64(lag), v.Rise.Seconds(), 1.5)
		require.InDelta(t, float64(lag), v.Fall.Seconds(), 1.5)
		require.LessOrEqual(t, v.Behind, time.Duration(lag+1)*time.Second)
	}
	v := Judge(stuckAt(day(6, 1), 2), target)
	require.Nil(t, v.Rise)
	require.Nil(t, v.Fall)
}

// A floor may hold pods that the users need no more.
func TestFloorHoldsPods(t *testing.T) {
	samples := stuckAtTop(day(6, 1))
	for i := range samples {
		samples[i].Floor = 30
	}
	require.Empty(t, Judge(samples, target).Reasons)
}

func TestMeasures(t *testing.T) {
	v := Judge(day(6, 1), target)
	require.Equal(t, 3000, v.MostUsers)
	require.Equal(t, 1, v.NoValue)
	require.Equal(t, time.Second, v.AgeMedian)
	require.Equal(t, 2*time.Second, v.AgeMost)

	// A second at which more users were there than anybody could follow does not count.
	samples := day(6, 1)
	samples[90].Users = 4000
	require.Empty(t, Judge(samples, target).Reasons)
}

func TestSupply(t *testing.T) {
	at := func(seconds, users, pods, ready int, by string) Sample {
		return Sample{At: time.Duration(seconds) * time.Second, Users: users, Pods: pods, Ready: ready, Waiting: seconds, FloorBy: bounds.Source{Kind: by}}
	}
	got := Measure([]Sample{
		at(0, 240, 3, 2, ""), at(1, 241, 3, 2, bounds.KindForecast), at(3, 600, 6, 3, bounds.KindSchedule),
		at(4, 600, 6, 6, bounds.KindForecast), at(60, 9, 1, 1, bounds.KindOverride),
	}, target)
	require.Equal(t, 3*time.Second, got.Short, "two pods serve 240 users and not 241")
	require.InDelta(t, 240, got.Worst, 0)
	require.InDelta(t, 0.4, got.WorstShare, 1e-9)
	require.InDelta(t, (3+2*3+6+10*6)/3600.0, got.ReplicaHours, 1e-9, "nobody looked for 56 s, of which 10 s count")
	require.Equal(t, 14*time.Second, got.Observed)
	require.Equal(t, map[string]time.Duration{
		bounds.KindBase: time.Second, bounds.KindForecast: 12 * time.Second, bounds.KindSchedule: time.Second,
	}, got.FloorBy)
	require.Equal(t, 60, got.MostWaiting)
}

// run is a day of 180 s, of which the middle has a floor.
func run(name string, samples []Sample, by ...string) Run {
	for i := range samples {
		if len(by) > 0 && i >= 60 && i < 120 {
			samples[i].FloorBy = bounds.Source{Kind: by[i%len(by)], Name: "x"}
		}
	}
	return Run{Name: name, Samples: samples}
}

// late are pods that take 18 s longer than the users, and early ones that are there before.
func late() Run { return run("HPA alone", day(18, 1)) }
func early() Run {
	return run("with Plimsoll", day(1, 1.1), bounds.KindForecast, bounds.KindSchedule, bounds.KindOverride, bounds.KindForecast)
}

func TestCompare(t *testing.T) {
	good := Compare(late(), early(), target)
	require.Empty(t, good.Reasons())
	require.Zero(t, good.Share())
	for name, tc := range map[string]struct {
		alone, planned Run
		reason         string
	}{
		"no gain":          {late(), Run{Name: "with Plimsoll", Samples: day(17, 1)}, "which is more than a third of"},
		"never short":      {early(), early(), "never short of capacity, so that there was nothing to gain"},
		"not followed":     {run("HPA alone", day(60, 1)), early(), "HPA alone: "},
		"planned is stuck": {late(), run("with Plimsoll", stuckAt(day(6, 1), 2)), "with Plimsoll: at the peak 2 pods"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, strings.Join(Compare(tc.alone, tc.planned, target).Reasons(), "; "), tc.reason)
		})
	}
	require.True(t, math.IsInf(Compare(early(), late(), target).Share(), 1))

	untaught := Compare(late(), Run{Name: "with Plimsoll", Samples: day(17, 1)}, target)
	untaught.Untaught = true
	require.Empty(t, untaught.Reasons())
	require.Contains(t, untaught.Summary(true), "knew no earlier day")
}

func TestSummary(t *testing.T) {
	shown := Compare(late(), early(), target)
	shown.Lead = 25 * time.Second
	for file, text := range map[string]string{
		"testdata/shown.txt":     shown.Summary(true),
		"testdata/not-shown.txt": Compare(late(), run("with Plimsoll", day(45, 0.7)), target).Summary(true),
		"testdata/few.txt":       Compare(run("HPA alone", day(6, 1)[:4]), run("with Plimsoll", day(6, 1)[:4]), target).Summary(false),
	} {
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "- ") {
				require.LessOrEqual(t, len(line), 81, "it must fit into 80 columns")
			}
		}
		require.Equal(t, string(want), text, "if this is right: go test ./cmd/plimsoll/demo/report -update")
	}
	require.Equal(t, "Nothing was observed.\n", Compare(Run{}, Run{}, target).Summary(true))
}

func TestNeed(t *testing.T) {
	require.InDelta(t, 2, target.Need(0), 0)
	require.InDelta(t, 31.5, target.Need(3150), 1e-9)
	require.InDelta(t, 40, target.Need(9000), 0)
	require.Equal(t, "12:05", Clock(725*time.Second))
}
