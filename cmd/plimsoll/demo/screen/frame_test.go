// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"flag"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

var update = flag.Bool("update", false, "write the golden files")

// style has the colours of the profile whatever terminal runs the test.
func style(profile termenv.Profile) Style {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)
	r.SetHasDarkBackground(true)
	return styleFor(r)
}

// view is a demo that has run for so many seconds of 180. The pods of one shop come 12 s after the users, those of the
// other one as the users do.
func view(seconds int) View {
	v := View{
		Alone: Panel{Run: report.Run{Name: "HPA alone"}}, Planned: Panel{Run: report.Run{Name: "with Plimsoll"}},
		Target: report.Target{PerPod: 100, Capacity: 120, Min: 2, Max: 40}, Day: 3 * time.Minute, Ends: true, Phase: "TV mention", Peak: 3000,
		Forecast: "Trusted: 27s ahead the bound covered 96.8 % of the demand's values (95.0 % promised)", Lead: 25 * time.Second,
		Kubeconfig: "/tmp/plimsoll-demo/kubeconfig", Source: "the embedded engine",
	}
	for second := range seconds {
		at := func(s int) float64 { return 150 + 2850*math.Pow(math.Sin(float64(s)/180*math.Pi), 2) }
		sample := report.Sample{
			At: time.Duration(second) * time.Second, Users: int(at(second)), HasValue: true, Age: 1200 * time.Millisecond, Floor: 2,
			Ready: int(math.Ceil(at(max(0, second-12)) / 100)),
		}
		v.Alone.Samples = append(v.Alone.Samples, sample)
		sample.Ready = int(math.Ceil(at(second) / 100))
		if second > 20 {
			sample.Floor, sample.FloorBy = 20, bounds.Source{Kind: bounds.KindSchedule, Name: "sale", Part: "evening-1"}
		}
		v.Planned.Samples = append(v.Planned.Samples, sample)
	}
	return v
}

func TestFrame(t *testing.T) {
	told := view(60)
	told.News = `0:47 demo: "a TV show is about to name the shop": plimsoll override hpa/shop -n shop-planned --min 23 --for 52s`
	failing := view(120)
	failing.Planned.Said = "the HPA was unable to compute the replica count: unable to get metric online_users: unable to fetch metrics from custom metrics API"
	failing.Planned.Problem = true
	endless := view(170)
	endless.Day, endless.Ends = time.Minute, false
	for file, tc := range map[string]struct {
		view          View
		width, height int
		profile       termenv.Profile
	}{
		"rise-80x24.txt":            {told, 80, 24, termenv.Ascii},
		"rise-80x24-colours.txt":    {told, 80, 24, termenv.ANSI256},
		"end-120x40.txt":            {view(180), 120, 40, termenv.Ascii},
		"failing-80x24.txt":         {failing, 80, 24, termenv.Ascii},
		"nothing-yet-80x24.txt":     {view(0), 80, 24, termenv.Ascii},
		"endless-80x24.txt":         {endless, 80, 24, termenv.Ascii},
		"small-40x12.txt":           {view(95), 40, 12, termenv.Ascii},
		"narrow-and-high-30x50.txt": {view(95), 30, 50, termenv.Ascii},
	} {
		t.Run(file, func(t *testing.T) {
			got := Frame(tc.view, tc.width, tc.height, style(tc.profile))
			lines := strings.Split(got, "\n")
			require.LessOrEqual(t, len(lines), tc.height)
			for _, line := range lines {
				require.LessOrEqual(t, lipgloss.Width(line), tc.width, line)
			}
			require.Equal(t, tc.profile != termenv.Ascii, strings.Contains(got, "\x1b["))
			file := "testdata/" + file
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got+"\n"), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got+"\n", "if this is right: go test ./cmd/plimsoll/demo/screen -update")
		})
	}
}

func TestFrameFitsAnyTerminal(t *testing.T) {
	for width := -1; width < 200; width += 7 {
		for height := -1; height < 60; height += 3 {
			got := Frame(view(40), width, height, style(termenv.Ascii))
			require.LessOrEqual(t, strings.Count(got, "\n"), max(0, height-1))
		}
	}
}

func TestNoColour(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	require.NotContains(t, Frame(view(40), 80, 24, NewStyle(os.Stdout)), "\x1b[")
}

func TestChart(t *testing.T) {
	require.Equal(t, []string{"   ▄█", " ▁█││"}, replaceFull(chart([]float64{0, 0.1, 8, 12, 16}, 16, 2)))
	require.Equal(t, []string{"  ", "█▁"}, chart([]float64{8, 0.0001}, 16, 2))
	require.Equal(t, []string{" █"}, chart([]float64{math.NaN(), 99}, 16, 1), "NaN is blank, too much is full")
	require.Equal(t, []string{" "}, chart([]float64{5}, 0, 1))
}

// replaceFull marks the full blocks of the lowest row, to tell them from the top row's in a failure.
func replaceFull(lines []string) []string {
	last := len(lines) - 1
	lines[last] = strings.Replace(lines[last], "██", "││", 1)
	lines[last] = strings.Replace(lines[last], "││█", "█││", 1)
	return lines
}

func TestSpread(t *testing.T) {
	value := func(s report.Sample) float64 { return float64(s.Users) }
	samples := []report.Sample{{At: 0, Users: 1}, {At: 2 * time.Second, Users: 2}, {At: 5 * time.Second, Users: 3}}
	got := spread(samples, 0, 8*time.Second, 8, value)
	require.Equal(t, []float64{1, 1, 2, 2, 2, 3}, got[:6])
	require.True(t, math.IsNaN(got[6]) && math.IsNaN(got[7]))
	require.Equal(t, []float64{2, 3}, spread(samples, 4*time.Second, 2*time.Second, 2, value))
	require.Empty(t, spread(samples, 0, time.Second, 0, value))
	require.True(t, math.IsNaN(spread(samples, 0, 0, 1, value)[0]))
}

func TestLine(t *testing.T) {
	v := view(60)
	require.Equal(t, " 0:59  TV mention    users 2,243  need 23 | HPA alone: 17 ready SHORT | with Plimsoll: 23 ready        floor 20 by schedule", Line(v))
	v.Alone.Problem, v.Alone.Said = true, "no metric"
	require.True(t, strings.HasSuffix(Line(v), "by schedule  HPA alone: no metric"))
	require.Empty(t, Line(view(0)))
}
