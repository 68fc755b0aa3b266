// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Ten years, starting at the time of writing.
var (
	firstTransition = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTransition  = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
)

// zoneNames are all names in the zone database of Go 1.26 (time/tzdata).
func zoneNames(t testing.TB) []string {
	data, err := os.ReadFile("testdata/zones.txt")
	require.NoError(t, err)
	names := strings.Fields(string(data))
	require.Greater(t, len(names), 590)
	return names
}

// transitions returns the instants at which a zone's offset changes.
func transitions(loc *time.Location) []time.Time {
	var all []time.Time
	for at := firstTransition; ; {
		_, end := at.In(loc).ZoneBounds()
		if end.IsZero() || end.After(lastTransition) {
			return all
		}
		_, before := end.Add(-time.Second).In(loc).Zone()
		if _, after := end.In(loc).Zone(); after != before {
			all = append(all, end)
		}
		at = end
	}
}

// wallClock reads a zone's clock without the code under test.
func wallClock(loc *time.Location, at time.Time) int64 {
	year, month, dom := at.In(loc).Date()
	hour, minute, second := at.In(loc).Clock()
	return time.Date(year, month, dom, hour, minute, second, 0, time.UTC).Unix()
}

// Around every transition of every zone, each local minute is compared with a walk over the absolute minutes.
func TestEveryZoneOverEveryTransitionOfTenYears(t *testing.T) {
	const reach = 5 * time.Hour // from the transition; offsets jump by 3 hours at most in these years
	count, gaps, doubles := 0, 0, 0
	for _, name := range zoneNames(t) {
		loc, err := loadZone(name)
		require.NoError(t, err, name)
		local := clock{loc: loc}
		for _, change := range transitions(loc) {
			count++
			wall := wallClock(loc, change.Add(-reach)) // the next local minute to be found
			seen := map[int64]bool{}
			for at := change.Add(-reach); at.Before(change.Add(reach)); at = at.Add(time.Minute) {
				reads := wallClock(loc, at)
				if seen[reads] {
					doubles++
				}
				seen[reads] = true
				for ; wall <= reads; wall += 60 {
					got, moved := local.resolve(wall)
					if got != at.Unix() || moved != (reads != wall) {
						t.Fatalf("%s: local minute %s begins at %s, not at %s", name, time.Unix(wall, 0).UTC(), at, time.Unix(got, 0).UTC())
					}
					if moved {
						gaps++
					}
				}
			}
		}
	}
	t.Logf("%d transitions, %d minutes that do not exist, %d that exist twice", count, gaps, doubles)
	require.Greater(t, count, 3000)
	require.Greater(t, gaps, 100_000)
	require.Greater(t, doubles, 100_000)
}

// A window a day, at a local time that the day of the transition skips or repeats, begins exactly once each day and
// lasts as long as it says: nothing is lost, nothing lasts a day longer.
func TestEveryZoneHasOneWindowEachDay(t *testing.T) {
	zones := &Zones{}
	for _, name := range zoneNames(t) {
		loc, err := zones.Load(name)
		require.NoError(t, err, name)
		for _, change := range transitions(loc) {
			at := change.Add(-10 * time.Minute).In(loc) // ten minutes later the clock jumps
			text := at.Add(20 * time.Minute).UTC().Add(offsetOf(at)).Format("4 15 * * *")
			s, err := Compile(Spec{TimeZone: name, Windows: []Window{{Name: "w", Cron: text, Duration: 2 * time.Hour, MinReplicas: new(int32)}}}, zones)
			require.NoError(t, err)
			days := s.Intervals(change.Add(-60*time.Hour), change.Add(60*time.Hour))
			require.GreaterOrEqual(t, len(days), 5, "%s %s", name, change)
			for i, day := range days {
				require.Equal(t, 2*time.Hour, day.End.Sub(day.Start))
				if i > 0 {
					require.InDelta(t, 24, day.Start.Sub(days[i-1].Start).Hours(), 3.01, "%s %s", name, text)
				}
			}
		}
	}
}

func offsetOf(at time.Time) time.Duration {
	_, offset := at.Zone()
	return time.Duration(offset) * time.Second
}

func TestResolveAcrossADayThatDoesNotExist(t *testing.T) {
	// Samoa went from the 29th of December 2011 to the 31st.
	loc, err := loadZone("Pacific/Apia")
	require.NoError(t, err)
	local := clock{loc: loc}
	at, moved := local.resolve(time.Date(2011, 12, 30, 12, 0, 0, 0, time.UTC).Unix())
	require.True(t, moved)
	require.Equal(t, "2011-12-31T00:00:00+14:00", time.Unix(at, 0).In(loc).Format(time.RFC3339))
}

func TestTwice(t *testing.T) {
	loc, err := loadZone("Europe/Berlin")
	require.NoError(t, err)
	local := clock{loc: loc}
	for text, want := range map[string]bool{"2026-10-25T02:30": true, "2026-10-25T02:00": true, "2026-10-25T03:00": false, "2026-10-25T01:59": false, "2026-03-29T02:30": false} {
		m, err := parseMoment(text)
		require.NoError(t, err)
		at, _ := local.resolve(m.wall)
		require.Equal(t, want, local.twice(at, m.wall), text)
	}
}

func TestZones(t *testing.T) {
	for _, bad := range []string{"", "Local", "local", "CST", "+08:00", "UTC+8", "../etc/passwd", "China Standard Time", "Asia/Peking\x00"} {
		_, err := (&Zones{}).Load(bad)
		require.ErrorContains(t, err, "Asia/Shanghai", bad)
	}
	zones := &Zones{}
	a, err := zones.Load("Asia/Shanghai")
	require.NoError(t, err)
	b, err := zones.Load("Asia/Shanghai")
	require.NoError(t, err)
	require.Same(t, a, b)
}
