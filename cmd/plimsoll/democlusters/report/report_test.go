// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
)

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

// line is a sample in short: the Ready replicas of a (which dies) and b, what is asked for, and the state of a.
type line struct {
	second, a, b, desired int
	state                 string
	away                  bool
	alone                 report.Shop
}

// good is a day as it should be: a dies at 10 s with 4 of 12, its share is Ready at 20 s, it comes back at 30 s with what it
// had, a surge of two is served in 1 s and alone in 6 s, and a has its share at 50 s.
func good() []line {
	return []line{
		{second: 9, a: 4, b: 8, desired: 12, state: "Healthy", alone: report.Shop{Desired: 4, Ready: 4}},
		{second: 10, a: -1, b: 8, desired: 12, state: "Healthy"},
		{second: 12, a: -1, b: 8, desired: 12, state: "Suspect"},
		{second: 15, a: -1, b: 8, desired: 12, state: "Failed"},
		{second: 18, a: -1, b: 10, desired: 12, state: "Failed", away: true},
		{second: 20, a: -1, b: 12, desired: 12, state: "Failed", away: true},
		{second: 30, a: 4, b: 12, desired: 12, state: "Failed", away: true},
		{second: 33, a: 4, b: 12, desired: 14, state: "Suspect", away: true, alone: report.Shop{Desired: 5, Ready: 4}},
		{second: 34, a: 4, b: 14, desired: 14, state: "Suspect", away: true, alone: report.Shop{Desired: 5, Ready: 4}},
		{second: 39, a: 4, b: 14, desired: 14, state: "Suspect", away: true, alone: report.Shop{Desired: 5, Ready: 5}},
		{second: 45, a: 4, b: 14, desired: 14, state: "Healthy", away: true, alone: report.Shop{Desired: 5, Ready: 5}},
		{second: 50, a: 5, b: 9, desired: 14, state: "Healthy", alone: report.Shop{Desired: 5, Ready: 5}},
	}
}

func runOf(lines []line) *report.Run {
	run := &report.Run{Story: report.Story{
		Names: []string{"a", "b"}, Lost: "a", Began: 9500 * time.Millisecond, Died: 10 * time.Second, Back: 29 * time.Second, Surge: 32 * time.Second,
		NodeDelay: 20 * time.Second, PodDelay: 3 * time.Second, Every: time.Second, ReturnAfter: 20 * time.Second,
	}}
	for _, l := range lines {
		a := report.Member{State: l.state, Away: l.away}
		if l.a >= 0 {
			a.Answers, a.Replicas, a.Ready, a.Nodes = true, l.a, l.a, 2
		}
		if l.alone.Desired == 0 {
			l.alone = report.Shop{Desired: 4, Ready: 4}
		}
		b := report.Member{Answers: true, State: "Healthy", Replicas: l.b, Ready: l.b, Nodes: 4, Room: 2400}
		if l.away && l.state != "Healthy" {
			b.Replicas = max(l.b, l.desired) // its share is written, and not yet Ready
		}
		run.Samples = append(run.Samples, report.Sample{
			At: time.Duration(l.second) * time.Second, Users: l.desired * 100, Desired: l.desired, Alone: l.alone,
			Members: map[string]report.Member{"a": a, "b": b},
		})
	}
	return run
}

func TestJudge(t *testing.T) {
	r := report.Judge(runOf(good()))
	require.Empty(t, r.Reasons())
	require.Equal(t, []time.Duration{9 * time.Second, 12 * time.Second, 15 * time.Second, 18 * time.Second, 20 * time.Second},
		[]time.Duration{r.LastAnswer, r.Suspect, r.Failed, r.Placed, r.Ready})
	require.Equal(t, []int{4, 8, 8, 0, 2400}, []int{r.Moved, r.Before, r.Lowest, r.Margin, r.Room})
	require.Equal(t, 45*time.Second, r.Healthy)
	require.Equal(t, 50*time.Second, r.Returned)
	require.Equal(t, time.Second, r.Reserved.Took())
	require.Equal(t, 6*time.Second, r.Alone.Took())
	require.Len(t, r.Steps, 3)
}

func TestReasons(t *testing.T) {
	until := func(seconds int) func([]line) []line {
		return func(l []line) []line {
			var kept []line
			for _, one := range l {
				if one.second <= seconds {
					kept = append(kept, one)
				}
			}
			return kept
		}
	}
	for _, test := range []struct {
		name   string
		change func([]line) []line
		want   string
	}{
		{"never declared", until(12), "never declared failed"},
		{"never Ready elsewhere", until(18), "never all Ready elsewhere"},
		{"a minute to the declaration's second is enough", func(l []line) []line {
			for i := range l {
				if l[i].second >= 20 {
					l[i].second += 55
				}
			}
			return l
		}, ""},
		{"more than a minute", func(l []line) []line {
			for i := range l {
				if l[i].second >= 20 {
					l[i].second += 56
				}
			}
			return l
		}, "which is more than 1m0s"},
		{"the survivors fall", func(l []line) []line { l[3].b = 7; return l }, "fell, to 7 from 8"},
		{"the survivors fall after a rise", func(l []line) []line {
			l[2].b, l[3].b = 9, 8
			return l
		}, "of the survivors fell"},
		{"not Healthy", until(39), "not Healthy again"},
		{"no end of the fail-back", until(45), "did not end in time"},
		{"a dip on the way back", func(l []line) []line { l[10].a, l[10].b = 4, 9; return l }, "1 Ready replicas less"},
		{"a surge that is not served", func(l []line) []line {
			for i := range l {
				l[i].alone = report.Shop{}
			}
			return l
		}, "without a reserve"},
		{"nothing seen", func([]line) []line { return nil }, "never declared failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := runOf(append(test.change(good()), []line(nil)...))
			if test.name == "more than a minute" || test.name == "a minute to the declaration's second is enough" {
				run.Back, run.Surge = run.Back+55*time.Second, run.Surge+55*time.Second
			}
			r := report.Judge(run)
			if test.want == "" {
				require.Empty(t, r.Reasons())
				return
			}
			require.Contains(t, joined(r.Reasons()), test.want)
		})
	}
}

func joined(all []string) string {
	text := ""
	for _, one := range all {
		text += one + "\n"
	}
	return text
}

func TestSummary(t *testing.T) {
	r := report.Judge(runOf(good()))
	file := filepath.Join("testdata", "summary.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(r.Summary()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), r.Summary(), "if this is right: go test ./cmd/plimsoll/democlusters/report -update")
}
