// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)

func check(t *testing.T, files ...lint.File) lint.Report {
	linter, err := lint.New()
	require.NoError(t, err)
	return linter.Check(files, now)
}

// What the command prints, for each file of testdata. Look at the changes after -update.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			report := check(t, lint.File{Name: filepath.Base(file), Text: text})
			var out bytes.Buffer
			require.NoError(t, report.Write(&out))
			golden := file[:len(file)-len("yaml")] + "txt"
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

func TestFilesAreLookedAtTogether(t *testing.T) {
	hpa := "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: shop}\nspec: {minReplicas: 2, maxReplicas: 10}\n"
	s := "apiVersion: plimsoll.dev/v1alpha1\nkind: ScaleSchedule\nmetadata: {name: a, namespace: default}\nspec: {targetRef: {name: shop}, timeZone: UTC, windows: [{name: w, schedule: '0 0 * * *', duration: 1h, minReplicas: 5}]}\n"
	report := check(t, lint.File{Name: "s", Text: []byte(s)}, lint.File{Name: "h", Text: []byte(hpa)})
	require.Len(t, report.Messages, 1)
	require.Equal(t, "s:1: warning: ScaleSchedule a, window w: at 2026-11-23 00:00 UTC the floor jumps from 2 to 5 at once, more than twofold; "+
		"add rampUp (10m for example), so that nodes, caches and databases can follow", report.Messages[0].String())
}

func TestNothingToSay(t *testing.T) {
	for _, text := range []string{"", "\n\n---\n# only a comment\n---\n", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"} {
		report := check(t, lint.File{Name: "f", Text: []byte(text)})
		require.Empty(t, report.Messages)
	}
}

func FuzzCheck(f *testing.F) {
	for _, name := range []string{"sound", "mistakes", "together", "others"} {
		text, err := os.ReadFile("testdata/" + name + ".yaml")
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("kind: List\napiVersion: v1\nitems: [1, null, {}]"))
	linter, err := lint.New()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		report := linter.Check([]lint.File{{Name: "f", Text: text}}, now)
		require.NoError(t, report.Write(&bytes.Buffer{}))
	})
}
