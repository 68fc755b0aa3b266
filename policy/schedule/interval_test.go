// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// An interval contains its start and not its end, and lasts as long as its window says.
func TestIntervalsAreHalfOpen(t *testing.T) {
	zones := &Zones{}
	rapid.Check(t, func(t *rapid.T) {
		loc, err := zones.Load(rapid.SampledFrom(referenceZones).Draw(t, "zone"))
		require.NoError(t, err)
		duration := time.Duration(rapid.IntRange(1, 200_000).Draw(t, "seconds")) * time.Second
		w := Window{Name: "w", Cron: cronExpressions.Draw(t, "cron"), Duration: duration, MinReplicas: floorOf(7), RampDown: noRamp()}
		s, err := Compile(Spec{Name: "s", TimeZone: loc.String(), Windows: []Window{w}}, zones)
		require.NoError(t, err)
		rules, from := []*Schedule{s}, drawInstant(t, loc)
		all := s.Intervals(from, from.Add(50*time.Hour))
		for i, interval := range all {
			require.Equal(t, duration, interval.End.Sub(interval.Start))
			require.NotNil(t, Evaluate(rules, Observations{}, interval.Start).Min)
			require.NotNil(t, Evaluate(rules, Observations{}, interval.End.Add(-time.Second)).Min)
			apart := i+1 == len(all) || all[i+1].Start.After(interval.End)
			// Behind the last interval of the list there may be one that begins before it ends.
			if next, found := s.Next(interval.Start); apart && (!found || next.Start.After(interval.End)) {
				require.Nil(t, Evaluate(rules, Observations{}, interval.End).Min)
			}
			if i > 0 {
				require.True(t, interval.Start.After(all[i-1].Start), "two intervals of one window never begin at the same time")
			}
		}
	})
}
