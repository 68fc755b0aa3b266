// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/manifests"
)

// The examples are parts of one shop: together they say nothing that lint has to warn of.
func TestExamplesTogether(t *testing.T) {
	names, err := fs.Glob(manifests.Files, "examples/*.yaml")
	require.NoError(t, err)
	var files []lint.File
	for _, name := range names {
		text, err := manifests.Files.ReadFile(name)
		require.NoError(t, err)
		files = append(files, lint.File{Name: name, Text: text})
	}
	report := check(t, files...)
	require.GreaterOrEqual(t, report.Schedules, 4)
	require.Positive(t, report.Forecasts)
	for _, m := range report.Messages {
		require.Equal(t, lint.Note, m.Severity, m.String())
	}
}
