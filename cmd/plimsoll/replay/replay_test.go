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
)

// recorded is a day that `plimsoll demo --duration 5m --record` wrote on a real cluster.
const recorded = "testdata/day"

// What the plan's arithmetic says of the recorded day is what the cluster did, but for single looks of the HPA.
func TestRecordedDay(t *testing.T) {
	r, err := Read(recorded)
	require.NoError(t, err)
	list, err := Run(r)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for i, least := range []float64{0.95, 0.9} {
		c := list[i]
		require.Greater(t, c.Syncs, 30)
		require.GreaterOrEqual(t, c.Share(), least, "%s: %v", c.Name, c.Differences)
		require.Equal(t, c.Syncs, c.Agree+len(c.Differences))
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
	require.Equal(t, with[0], without[0])
	require.NotEqual(t, with[1], without[1])
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
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, r, []Comparison{
		{Name: Alone, Syncs: 60, Agree: 59, SampleDelay: Seconds(2500 * time.Millisecond), Differences: []Difference{{Time: at, Least: 8, Most: 12, Replayed: 14}}},
		{Name: Planned, Syncs: 60, Agree: 60},
	}))
	require.Contains(t, out.String(), "59 (98 %)")
	require.Regexp(t, `1:14\.5 +8 to 12 +14`, out.String())
	require.Equal(t, 1, strings.Count(out.String(), "DIFFERENCES"))
	out.Reset()
	require.NoError(t, WriteJSON(&out, []Comparison{{Name: Alone, Syncs: 2, Agree: 2, SampleDelay: Seconds(1500 * time.Millisecond)}}))
	require.Contains(t, out.String(), `"sampleDelaySeconds": 1.5`)
}

// What is wrong with a folder is said with the name of the file.
func TestReadErrors(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, says string }{
		"no recording":   {settingsFile, "", "is not a recording of plimsoll demo --record"},
		"settings":       {settingsFile, "{", settingsFile},
		"number of pods": {countsFile, "time,alone,alone_age,planned,planned_age\n2026-11-22T20:00:00Z,2,1,many,1\n", countsFile + ":2"},
		"columns":        {countsFile, "time,alone\n", countsFile},
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
	r.Counts = nil
	_, err = Run(r)
	require.ErrorContains(t, err, "no replicas to compare")
	r.Demand = nil
	_, err = Run(r)
	require.Error(t, err)
}
