// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLintCommand(t *testing.T) {
	const s = "apiVersion: plimsoll.dev/v1alpha1\nkind: ScaleSchedule\nmetadata: {name: a}\nspec: {targetRef: {name: shop}, timeZone: UTC, windows: [{name: w, schedule: '0 0 * * *', duration: 1h, minReplicas: 5}]}\n"
	var out bytes.Buffer
	require.NoError(t, runLint(strings.NewReader(s), &out, []string{"-"}, "text"), "notes are no reason to fail")
	require.Contains(t, out.String(), "-:1: note: ScaleSchedule a: the HPA shop is not among these files")

	out.Reset()
	broken := strings.Replace(s, "0 0 * * *", "0 24 * * *", 1)
	require.EqualError(t, runLint(strings.NewReader(broken), &out, []string{"-"}, "json"), "lint found 1 error")
	var report struct {
		Schedules int
		Messages  []map[string]any
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Equal(t, 1, report.Schedules)
	require.Equal(t, "error", report.Messages[0]["severity"])
	require.Contains(t, report.Messages[0]["text"], "spec.windows[0].schedule")

	require.ErrorContains(t, runLint(nil, &out, []string{"testdata/no-such-file.yaml"}, "text"), "no-such-file.yaml")
	require.ErrorContains(t, runLint(nil, &out, nil, "yaml"), "use text or json")
	require.Error(t, runLint(nil, &out, []string{"."}, "text"), "a folder is not a file")
}
