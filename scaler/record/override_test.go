// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func of(n int32) *int32 { return &n }

func TestOverrideRoundTrip(t *testing.T) {
	none, err := record.ParseOverride(nil)
	require.NoError(t, err)
	require.Nil(t, none)
	for _, o := range []record.Override{
		{Min: of(5), Until: noon.Add(time.Hour)},
		{Min: of(0), Max: of(9), HardMax: true, Since: noon, Until: noon.Add(time.Hour), Reason: "a \"launch\"", Author: "kim"},
		{Replicas: of(7), Until: noon.Add(time.Hour)},
		{NoScaleDown: true, Since: noon, Until: noon.Add(record.MaxOverride)},
	} {
		got, err := record.ParseOverride(map[string]string{record.OverrideAnnotation: o.Format()})
		require.NoError(t, err)
		require.Equal(t, o, *got)
	}
}

func TestOverrideMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`nonsense`, "cannot be read"},
		{`{"minimum":5,"until":"2026-11-11T13:00:00Z"}`, "cannot be read"},
		{`{"min":5,"until":"2026-11-11T13:00:00Z"} {"min":9}`, "something follows its document"},
		{`{"min":5,"until":"2026-11-11T13:00:00Z"}}`, "something follows its document"},
		{`{"min":5,"until":"tomorrow"}`, "cannot be read"},
		{`{"until":"2026-11-11T13:00:00Z"}`, "it changes nothing"},
		{`{"min":5}`, "until is missing"},
		{`{"min":-5,"until":"2026-11-11T13:00:00Z"}`, "must not be negative"},
		{`{"max":0,"until":"2026-11-11T13:00:00Z"}`, "max is 0"},
		{`{"replicas":0,"until":"2026-11-11T13:00:00Z"}`, "replicas is 0"},
		{`{"min":5,"max":4,"until":"2026-11-11T13:00:00Z"}`, "min 5 is above max 4"},
		{`{"min":5,"replicas":4,"until":"2026-11-11T13:00:00Z"}`, "remove min and max"},
		{`{"min":5,"hardMax":true,"until":"2026-11-11T13:00:00Z"}`, "hardMax says how the maximum holds"},
		{`{"min":5,"since":"2026-11-11T14:00:00Z","until":"2026-11-11T13:00:00Z"}`, "before it begins"},
		{`{"min":5,"since":"2026-01-11T14:00:00Z","until":"2026-11-11T13:00:00Z"}`, "longer than 31 days"},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, err := record.ParseOverride(map[string]string{record.OverrideAnnotation: test.text})
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "annotation plimsoll.dev/override is ignored")
			require.Nil(t, got)
		})
	}
}

// A minimum may be the maximum too.
func TestOverrideOfOneNumber(t *testing.T) {
	got, err := record.ParseOverride(map[string]string{record.OverrideAnnotation: `{"min":5,"max":5,"until":"2026-11-11T13:00:00Z"}`})
	require.NoError(t, err)
	require.Equal(t, got.Min, got.Max)
}

func TestOverrideActive(t *testing.T) {
	o := record.Override{Min: of(5), Since: noon, Until: noon.Add(time.Hour)}
	require.False(t, o.Active(noon.Add(-time.Second)))
	require.True(t, o.Active(noon))
	require.True(t, o.Active(noon.Add(time.Hour-time.Second)))
	require.False(t, o.Active(noon.Add(time.Hour)))
}

func TestOverrideWithoutBeginning(t *testing.T) {
	o := record.Override{Min: of(5), Until: noon.Add(record.MaxOverride)}
	require.True(t, o.Active(noon))
	require.False(t, o.TooLong(noon))
	require.False(t, o.Active(noon.Add(-time.Second)))
	require.True(t, o.TooLong(noon.Add(-time.Second)))
	require.False(t, record.Override{Min: of(5), Until: noon.AddDate(500, 0, 0)}.Active(noon))
	require.True(t, record.Override{Min: of(5), Since: noon, Until: noon.Add(record.MaxOverride)}.Active(noon))
}

func TestOverrideContribution(t *testing.T) {
	exact := record.Override{Replicas: of(7), Until: noon, Author: "kim", Reason: "why"}.Contribution()
	require.Equal(t, bounds.Contribution{
		Source: bounds.Source{Kind: bounds.KindOverride, Name: "kim"}, Author: "kim", Reason: "why",
		MinReplicas: of(7), Exact: true, Override: true, Until: noon,
	}, exact)
	lower := record.Override{Min: of(2), Max: of(9), HardMax: true, NoScaleDown: true, Until: noon}.Contribution()
	require.Equal(t, of(2), lower.MinReplicas)
	require.Equal(t, of(9), lower.MaxReplicas)
	require.True(t, lower.HardMax && lower.Freeze && lower.Override && !lower.Exact)
}
