// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// recorded is a day that `plimsoll demo --duration 5m --record` wrote on a real cluster.
const recorded = "testdata/day"

// What the plan's arithmetic says of the recorded day is what the cluster did.
func TestRecordedDay(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	list, err := Run(r)
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, c := range list {
		require.Greater(t, c.Looks, 30)
		require.Equal(t, c.Looks, c.Agree, "%s: %v", c.Name, c.Differences)
		require.Equal(t, c.Looks, c.Same+len(c.Differences))
	}
}

// Not one count of the cluster is taken over: without them the replay comes to the same.
func TestCountsAreNotCopied(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	want, err := Run(r)
	require.NoError(t, err)
	for _, shop := range []*Shop{&r.Alone, &r.Planned} {
		for i := range shop.Looks {
			shop.Looks[i].Wanted, shop.Looks[i].Replicas = 0, 0
		}
		for i := range shop.Counts {
			shop.Counts[i].Replicas = 0
		}
	}
	list, err := Run(r)
	require.NoError(t, err)
	for i, c := range list {
		require.Zero(t, c.Agree)
		require.Len(t, c.Differences, want[i].Looks)
		replayed := map[time.Time]int{}
		for _, d := range c.Differences {
			replayed[d.Time] = d.Replayed
		}
		for _, d := range want[i].Differences {
			require.Equal(t, d.Replayed, replayed[d.Time])
		}
	}
}

// A demand that is not the recorded one is told from it.
func TestAnotherDemandDiffers(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	for i := range r.Demand {
		r.Demand[i].Value *= 1.5
	}
	list, err := Run(r)
	require.NoError(t, err)
	require.Less(t, list[0].Share(), 0.8)
	require.NotEmpty(t, list[0].Differences)
}

// Without its override the planned shop is another one.
func TestOverrideCounts(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	require.Len(t, r.Settings.Overrides, 1)
	with, err := Run(r)
	require.NoError(t, err)
	r.Settings.Overrides = nil
	without, err := Run(r)
	require.NoError(t, err)
	require.Equal(t, with[:2], without[:2], "the recorded bounds have it")
	require.Less(t, without[2].Agree, with[2].Agree)
}

func TestWriteAndRead(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	require.NoError(t, r.Write(dir))
	back, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, r, back)
}

func TestTable(t *testing.T) {
	r := Recording{Settings: Settings{From: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC), Sync: Seconds(5 * time.Second)}}
	at := r.Settings.From.Add(74500 * time.Millisecond)
	list := []Comparison{
		{Name: Alone, Looks: 60, Agree: 59, Same: 59, Differences: []Difference{{Time: at, Real: 12, Replayed: 14, Because: "of the weather"}}},
		{Name: Planned, Looks: 60, Agree: 60, Same: 60},
	}
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, r, list))
	require.Contains(t, out.String(), "59 (98 %)")
	require.Regexp(t, `1:14\.5 +12 +14 +no +of the weather`, out.String())
	require.Equal(t, 1, strings.Count(out.String(), "DIFFERENCES"))
	out.Reset()
	require.NoError(t, WriteJSON(&out, list))
	require.Contains(t, out.String(), `"replayed": 14`)
}

// A difference says where the cluster and the replay part.
func TestBecause(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	own, raised := bounds.Bounds{Min: 2, Max: 40}, bounds.Bounds{Min: 8, Max: 40}
	shop := Shop{Bounds: []Bounds{{noon, own}, {noon.Add(time.Minute), raised}}}
	wanted := int32(5)
	for name, tc := range map[string]struct {
		at       time.Duration
		replayed bounds.Bounds
		real     int
		says     string
	}{
		"late":      {time.Minute - 120*time.Millisecond, raised, 5, "the bounds were 2..40, and became the replayed 8..40 only 0.12s after the look"},
		"other":     {time.Second, bounds.Bounds{Min: 3, Max: 40}, 5, "the bounds were 2..40, replayed 3..40"},
		"last":      {time.Hour, own, 5, "the bounds were 8..40, replayed 2..40"},
		"metric":    {time.Second, own, 6, "the values that the HPA read asked for 6, replayed 5"},
		"no metric": {time.Second, own, -1, "it follows from the looks before"},
		"memory":    {time.Second, own, 5, "it follows from the looks before"},
	} {
		t.Run(name, func(t *testing.T) {
			tick := simulate.Tick{Bounds: tc.replayed, HPA: hpa.Decision{Wanted: &wanted}}
			require.Equal(t, tc.says, shop.because(Look{Wanted: tc.real}, noon.Add(tc.at), tick))
		})
	}
}

// The cluster agrees within one period, on both sides of the boundary.
func TestHad(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	shop := Shop{Counts: []Count{{noon, 3}, {noon.Add(time.Minute), 5}}}
	require.True(t, shop.had(3, noon.Add(6*time.Second), 6*time.Second))
	require.False(t, shop.had(3, noon.Add(6*time.Second+1), 6*time.Second))
	require.True(t, shop.had(5, noon.Add(54*time.Second), 6*time.Second))
	require.False(t, shop.had(4, noon.Add(30*time.Second), time.Hour), "between two counts is none")
}

// A pod takes as long as those did that began about then.
func TestStartup(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	pod := func(at, took time.Duration) Pod { return Pod{noon.Add(at), noon.Add(at + took)} }
	shop := Shop{Pods: []Pod{pod(0, 7*time.Second), pod(0, 8*time.Second), pod(time.Second, 9*time.Second), pod(time.Minute, 5*time.Second), {Seen: noon}}}
	require.Equal(t, 8*time.Second, shop.startup(noon))
	require.Equal(t, 5*time.Second, shop.startup(noon.Add(time.Minute)))
	require.Equal(t, 8*time.Second, shop.startup(noon.Add(time.Hour)), "of all")
	require.Zero(t, Shop{}.startup(noon))
	require.Equal(t, int32(3), shop.initial(noon.Add(-1+time.Second)))
}

// What is wrong with a folder is said with the name of the file.
func TestReadErrors(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, says string }{
		"no recording":   {settingsFile, "", "is not a recording of plimsoll demo --record"},
		"settings":       {settingsFile, "{", settingsFile},
		"number of pods": {"alone-replicas.csv", "time,replicas\n2026-11-22T20:00:00Z,many\n", "alone-replicas.csv:2"},
		"too many":       {"alone-looks.csv", "time,measured,wanted,replicas\n2026-11-22T20:00:00Z,,1,4294967297\n", "alone-looks.csv:2"},
		"time":           {"planned-pods.csv", "seen,ready\n2026-11-22T20:00:00Z,soon\n", "planned-pods.csv:2"},
		"columns":        {"planned-bounds.csv", "time,min\n", "planned-bounds.csv"},
		"no looks":       {"planned-looks.csv", "time,measured,wanted,replicas\n", "no look"},
		"demand":         {demandFile, "time,value\n2026-11-22T20:00:00Z,x\n", demandFile + ":2"},
		"manifest":       {hpaFile, "kind: HorizontalPodAutoscaler\n", hpaFile},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read(recorded)
			require.NoError(t, err)
			dir := t.TempDir()
			require.NoError(t, r.Write(dir))
			if tc.text == "" {
				require.NoError(t, os.Remove(filepath.Join(dir, tc.file)))
			} else {
				require.NoError(t, os.WriteFile(filepath.Join(dir, tc.file), []byte(tc.text), 0o600))
			}
			broken, err := Read(dir)
			if err == nil {
				_, err = Run(broken)
			}
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestEmptyRecording(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	r.Alone.Counts = nil
	_, err = Run(r)
	require.ErrorContains(t, err, "no replicas to compare")
	r.Demand = nil
	_, err = Run(r)
	require.Error(t, err)
}
