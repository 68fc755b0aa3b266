// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func traces(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.csv.gz")
	require.NoError(t, err)
	require.Len(t, files, 10)
	return files
}

// TestTargets holds the forecast to its targets on the bundled traces.
func TestTargets(t *testing.T) {
	report, err := Measure(traces(t))
	require.NoError(t, err)
	for _, row := range report.Rows {
		require.InDelta(t, 0.95, row.Coverage, 0.02, "%s at %v minutes", row.Trace, row.LeadMinutes)
	}
	errors := map[float64]float64{5: 0.67, 15: 0.58, 30: 0.53, 60: 0.52}
	require.Len(t, report.Means, len(errors))
	for _, mean := range report.Means {
		require.LessOrEqual(t, mean.Error, errors[mean.LeadMinutes], "error at %v minutes", mean.LeadMinutes)
		if mean.LeadMinutes == 15 {
			require.LessOrEqual(t, mean.AgainstReactive, 0.85)
			require.LessOrEqual(t, mean.AgainstWeekAgo, 0.95)
		}
	}
}

func TestTablesForPeopleAndMachines(t *testing.T) {
	file := filepath.Join("testdata", "prod-cpu-0.csv.gz")
	var table, text bytes.Buffer
	require.NoError(t, Run(&table, []string{file}))
	require.Contains(t, table.String(), "prod-cpu-0")
	require.Contains(t, table.String(), "top decile")
	require.NoError(t, RunJSON(&text, []string{file}))
	var report Report
	require.NoError(t, json.Unmarshal(text.Bytes(), &report))
	require.Len(t, report.Rows, 4)
	require.Equal(t, 1152, report.Rows[0].Points)
}

func TestUnreadableTraces(t *testing.T) {
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	tests := map[string]struct{ file, says string }{
		"missing":        {"testdata/none.csv", "open the trace"},
		"not compressed": {write("a.csv.gz", "time,value"), "not compressed with gzip"},
		"no comma":       {write("b.csv", "time,value\n17"), "line 2: \"17\" is not of the form time,value"},
		"no time":        {write("c.csv", "time,value\nnoon,1"), "\"noon\" is not a time"},
		"no number":      {write("d.csv", "time,value\n2026-01-01T00:00:00Z,many"), "\"many\" is not a number"},
		"empty":          {write("e.csv", "time,value\n"), "0 points"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Measure([]string{tt.file})
			require.ErrorContains(t, err, tt.says)
		})
	}
	_, err := Measure(nil)
	require.ErrorContains(t, err, "no trace was given")
}
