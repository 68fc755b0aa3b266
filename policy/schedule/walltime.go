// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"time"
)

// day is a date of the proleptic Gregorian calendar, counted in days from 1970-01-01.
type day int64

func dayOf(wall int64) day {
	d := wall / secondsPerDay
	if wall%secondsPerDay < 0 {
		d--
	}
	return day(d)
}

func (d day) wall() int64 { return int64(d) * secondsPerDay }

func (d day) time() time.Time { return time.Unix(d.wall(), 0).UTC() }

func (d day) weekday() time.Weekday { return time.Weekday(((int64(d)+4)%7 + 7) % 7) }

func (d day) String() string { return d.time().Format(time.DateOnly) }

// Years outside of this are typing errors, and they keep every sum of seconds far from overflow.
const firstYear, lastYear = 1970, 2199

func parseDay(text string) (day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date; write it as 2026-10-01", text)
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return 0, fmt.Errorf("the year of %q is not between %d and %d", text, firstYear, lastYear)
	}
	return dayOf(t.Unix()), nil
}

// moment is a point in time as somebody wrote it: wall time in a zone, or absolute.
type moment struct {
	wall     int64 // counted as if it were UTC
	absolute bool  // wall is Unix time
}

func (m moment) resolve(c *clock) (at int64, moved bool) {
	if m.absolute {
		return m.wall, false
	}
	return c.resolve(m.wall)
}

// parseMoment reads 2026-11-11, 2026-11-11T00:00 and 2026-11-11T00:00:00, each also with a space for the T, and the
// latter two with an offset (Z, +08:00), which makes them absolute.
func parseMoment(text string) (moment, error) {
	normal := strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, normal); err == nil {
			return checkMoment(moment{wall: t.Unix()}, t, text)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"} {
		if t, err := time.Parse(layout, normal); err == nil {
			return checkMoment(moment{wall: t.Unix(), absolute: true}, t, text)
		}
	}
	return moment{}, fmt.Errorf("%q is not a time; write 2026-11-11T00:00 for wall time in the schedule's zone, or 2026-11-11T00:00:00+08:00", text)
}

func checkMoment(m moment, t time.Time, text string) (moment, error) {
	if t.Year() < firstYear || t.Year() > lastYear {
		return moment{}, fmt.Errorf("the year of %q is not between %d and %d", text, firstYear, lastYear)
	}
	if t.Nanosecond() != 0 {
		return moment{}, fmt.Errorf("%q has fractions of a second; windows begin and end on whole seconds", text)
	}
	return m, nil
}
