// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.scenario")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := Parse(file, string(text))
			require.NoError(t, err)
			out, err := s.Run(nil)
			require.NoError(t, err)
			require.Empty(t, strings.Join(out.Failures, "\n"))
			again, err := s.Run(nil)
			require.NoError(t, err)
			require.Equal(t, out, again, "a scenario can be run again")
		})
	}
}

const small = "run 1h\ncapacity 1\nhpa min 1 max 9\nmetric External AverageValue 1\nload 0 1\n"

func TestAnExpectationCanFail(t *testing.T) {
	for text, want := range map[string]string{
		"expect at 30m replicas == 2":       "x:6: expect [at 30m replicas == 2]: after 30m0s it is 1",
		"expect 30m..40m max > 9":           "after 30m0s it is 9",
		"expect at 2h replicas == 1":        "the run has no such time",
		"expect at 1m note Restoring":       "after 1m0s it is []",
		"expect at 1m limited ScaleUpLimit": "false DesiredWithinRange",
		"expect end replica-hours > 1":      "it is 1",
	} {
		s, err := Parse("x", small+text)
		require.NoError(t, err)
		out, err := s.Run(nil)
		require.NoError(t, err)
		require.Len(t, out.Failures, 1)
		require.Contains(t, out.Failures[0], want)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"fly 3":                          `x:6: "fly" begins no statement`,
		"run":                            "x:6: the length is missing at the end of the line",
		"run -3h":                        "is not a duration",
		"run 900000d":                    "is not a duration",
		"run 1h 2h":                      `"2h" is not understood here`,
		"window a 2h..1h min 3":          "is not a span",
		`window a cron "x" for 1h min 2`: "x: window a: ",
		"window a 1h..2h":                "x: window a: ",
		"load 1m -5":                     "is negative",
		"load 0 1\nload 5m 1\nload 3m 1": "x:8: the load at 3m0s comes after that at 5m0s",
		"load every 1s 1x9999999":        "is not a series",
		"load 1m NaN":                    "is not a number",
		"expect at 1m speed > 3":         "the field \"speed\" is not one of",
		"expect at 1m max ~ 3":           "the comparison \"~\" is not one of",
		`override 1m..2m "freeze`:        "a quote is not closed",
		"edit 1m min 5 max 2":            "is below 1 or below the minimum",
		"start noon":                     "is not a time such as",
		"hpa max 0":                      "x: the HPA: maxReplicas is 0",
		"replicas 99999999999":           "is not a whole number",
	} {
		_, err := Parse("x", small+text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := Parse("x", "load 0 1")
	require.ErrorContains(t, err, "how long to run")
	_, err = Parse("x", "run 1h")
	require.ErrorContains(t, err, "it has no load")
	s, err := Parse("x", strings.Replace(small, "capacity 1", "capacity 0", 1))
	require.NoError(t, err)
	_, err = s.Run(nil)
	require.ErrorContains(t, err, "the capacity of a replica")
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.scenario")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz", text)
		if err != nil || s.length > 1<<42 || s.config.HPA.MaxReplicas > 1000 || s.config.Initial > 1000 {
			return
		}
		if _, err := s.Run(nil); err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "fuzz: "))
		}
	})
}
