// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func drawTime(t *rapid.T, label string) time.Time {
	return noon.Add(time.Duration(rapid.IntRange(-100000, 100000).Draw(t, label)) * time.Second)
}

func drawSource(t *rapid.T, label string) bounds.Source {
	words := rapid.SampledFrom([]string{"", "shop", "1111", "a\"b", "夜"})
	return bounds.Source{Kind: words.Draw(t, label), Name: words.Draw(t, label), Part: words.Draw(t, label)}
}

func drawBounds(t *rapid.T, label string) bounds.Bounds {
	highest := rapid.Int32Min(1).Draw(t, label+" max")
	return bounds.Bounds{Min: rapid.Int32Range(0, highest).Draw(t, label+" min"), Max: highest}
}

// What is written is read as it was, whatever it is: a restart changes nothing.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r record.Record
		if rapid.Bool().Draw(t, "applied") {
			number := rapid.Int32()
			applied := drawBounds(t, "applied")
			r.Base, r.State.Applied = drawBounds(t, "base"), &applied
			r.State.FloorBy, r.State.Since = drawSource(t, "by"), drawTime(t, "since")
			if rapid.Bool().Draw(t, "ramp") {
				r.State.RampEnds = drawTime(t, "ramp ends")
			}
			if rapid.Bool().Draw(t, "sinking") {
				r.State.Tail = &bounds.Tail{From: number.Draw(t, "from"), Since: drawTime(t, "sinks since"), By: drawSource(t, "sinks")}
			}
		}
		r.State.FrozenAt = rapid.Int32Min(0).Draw(t, "frozen")
		for range rapid.IntRange(0, 3).Draw(t, "reverts") {
			r.State.Reverts = append(r.State.Reverts, drawTime(t, "revert"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "released") {
			r.Released = append(r.Released, schedule.Occurrence{Schedule: "1111", Window: "day", Start: rapid.Int64().Draw(t, "start")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "owners") {
			r.Base.Max = max(r.Base.Max, 2)
			r.Owners = append(r.Owners, record.Owner{Field: "minReplicas", Manager: "argocd", Operation: "Apply", Group: "autoscaling/v2"})
		}
		base, applied := r.Format()
		require.Equal(t, r.Empty(), base == "" && applied == "")
		got, err := record.Parse(annotations(base, applied))
		require.NoError(t, err)
		require.Equal(t, r, got)
	})
}

func annotations(base, applied string) map[string]string {
	all := map[string]string{}
	for name, text := range map[string]string{record.BaseAnnotation: base, record.AppliedAnnotation: applied} {
		if text != "" {
			all[name] = text
		}
	}
	return all
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, base, applied, want string }{
		{"base is no JSON", "100", `{}`, "annotation plimsoll.dev/base cannot be read"},
		{"base is cut off", `{"min":1`, "", "annotation plimsoll.dev/base cannot be read"},
		{"applied is no JSON", `{"min":1,"max":2}`, "x", "annotation plimsoll.dev/applied cannot be read"},
		{"applied has a word for a number", `{"min":1,"max":2}`, `{"min":"one"}`, "annotation plimsoll.dev/applied cannot be read"},
		{"base is empty", `{}`, `{"min":1,"max":2}`, "so the user's own bounds are unknown (min is missing)"},
		{"base is null", `null`, `{"min":1,"max":2}`, "so the user's own bounds are unknown (min is missing)"},
		{"base has no max", `{"min":5}`, `{"min":1,"max":2}`, "(max is missing)"},
		{"base is negative", `{"min":-7,"max":-3}`, `{"min":1,"max":2}`, "(min is -7; it must not be negative)"},
		{"base has a maximum of 0", `{"min":0,"max":0}`, `{"min":1,"max":2}`, "(max is 0; it must be at least 1)"},
		{"base is upside down", `{"min":5,"max":4}`, "", "(min 5 is above max 4)"},
		{"applied has no max", `{"min":1,"max":2}`, `{"min":1}`, "so what was applied is unknown (max is missing)"},
		{"applied has no min", `{"min":1,"max":2}`, `{"max":1}`, "so what was applied is unknown (min is missing)"},
		{"applied is negative", `{"min":1,"max":2}`, `{"min":-1,"max":2}`, "so what was applied is unknown (min is -1"},
		{"applied is upside down", `{"min":1,"max":2}`, `{"min":3,"max":2}`, "so what was applied is unknown (min 3 is above max 2)"},
		{"base is missing", "", `{"min":1,"max":2}`, "annotation plimsoll.dev/base is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := record.Parse(annotations(test.base, test.applied))
			require.ErrorContains(t, err, test.want)
		})
	}
}

// A workload may be one of no replicas; an HPA's maximum may not.
func TestParseWorkload(t *testing.T) {
	none := annotations(`{"min":0,"max":0}`, `{"min":4,"max":4}`)
	r, err := record.ParseWorkload(none)
	require.NoError(t, err)
	require.Equal(t, bounds.Bounds{}, r.Base)
	require.Equal(t, bounds.Bounds{Min: 4, Max: 4}, *r.State.Applied)
	_, err = record.ParseWorkload(annotations(`{"min":0}`, ""))
	require.ErrorContains(t, err, "max is missing")
}

func FuzzParse(f *testing.F) {
	f.Add(`{"min":1,"max":2}`, `{"min":3,"max":4,"by":{"kind":"Override"},"reverts":["2026-11-11T00:00:00Z"]}`)
	f.Add(`null`, `null`)
	f.Fuzz(func(t *testing.T, base, applied string) {
		r, err := record.Parse(annotations(base, applied))
		if err != nil {
			return
		}
		again, err := record.Parse(annotations(r.Format()))
		require.NoError(t, err)
		require.Equal(t, r.State.Applied, again.State.Applied)
	})
}
