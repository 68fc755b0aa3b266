// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planOf runs `plimsoll plan` and returns its exit code and both outputs.
func planOf(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	var stderr bytes.Buffer
	code := run(append([]string{"plan"}, args...), out, &stderr)
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return code, string(text), stderr.String()
}

func TestPlanCommand(t *testing.T) {
	var lines strings.Builder
	for i := range 600 {
		fmt.Fprintf(&lines, "%d,%d\n", 1767571200+i*300, 100+(i%288)*3)
	}
	dir := t.TempDir()
	trace, report := filepath.Join(dir, "trace.csv"), filepath.Join(dir, "report.html")
	require.NoError(t, os.WriteFile(trace, []byte(lines.String()), 0o600))

	code, out, stderr := planOf(t, "--trace", trace, "--report", report, "-f", "plan/testdata/evening.yaml")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "hpa+schedules")
	require.FileExists(t, report)
	code, out, _ = planOf(t, "--trace", trace, "--lead", "10m", "--quantile", "0.9", "-o", "json")
	require.Zero(t, code)
	require.Contains(t, out, `"lead": "10m"`)
	require.Contains(t, out, `"quantile": 0.9`)

	for want, args := range map[string][]string{
		"either --trace FILE or --prometheus URL": {},
		"no such file":                    {"--trace", filepath.Join(dir, "none")},
		"--prometheus needs a --query":    {"--prometheus", "http://127.0.0.1:1"},
		"--quantile 1 is not":             {"--trace", trace, "--quantile", "1"},
		"is not at least 0.5":             {"--trace", trace, "--quantile", "0"},
		"--lead -1s is not above 0":       {"--trace", trace, "--lead", "-1s"},
		"use table or json":               {"--trace", trace, "-o", "xml"},
		`"gpu" is neither cpu nor memory`: {"--trace", trace, "--price", "gpu=3"},
		"is not a quantity":               {"--trace", trace, "--requests", "cpu=lots"},
	} {
		code, _, stderr := planOf(t, args...)
		require.Equal(t, 2, code, args)
		require.Contains(t, stderr, want)
		require.Equal(t, 1, strings.Count(stderr, "\n"), "one sentence: %s", stderr)
	}
}
