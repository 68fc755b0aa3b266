// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"
)

// Whatever is written, compiling and evaluating it ends, and does not panic.

func FuzzCron(f *testing.F) {
	for _, text := range []string{"0 19 * * 1-5", "*/15 8-18 1,15 jan-mar SUN", "@weekly", "@every 1h", "TZ=", "CRON_TZ=UTC 0 0 * * *", "0 0 31 2 *", ", 0 * * *", "? ? ? ? ?", "0/5 * * * *", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tryWindow(t, Window{Name: "w", Cron: text, Duration: time.Minute, MinReplicas: floorOf(3)})
	})
}

func FuzzMoment(f *testing.F) {
	for _, text := range []string{"2026-11-11", "2026-11-11T00:00", "2026-11-11 08:30:15", "2026-11-11T00:00Z", "2026-11-11T00:00:00+08:00", "2026-02-30", "0000-01-01", "2026-11-11T24:00"} {
		f.Add(text, "2026-11-12")
	}
	f.Fuzz(func(t *testing.T, start, end string) {
		tryWindow(t, Window{Name: "w", Start: start, End: end, MinReplicas: floorOf(3)})
	})
}

func FuzzDates(f *testing.F) {
	for _, text := range []string{"2026-10-01", "2026-10-01/2026-10-07", "12-25", "02-29", "2026-02-14 as Monday", "* * * 15 11 *"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, exclude, include string) {
		trySpec(t, Spec{Exclude: []string{exclude}}, Window{Name: "w", Cron: "0 0 * * *", Duration: time.Hour, MinReplicas: floorOf(3)})
		trySpec(t, Spec{Include: []string{include}}, Window{Name: "w", Cron: "0 0 * * *", Duration: time.Hour, MinReplicas: floorOf(3)})
	})
}

func FuzzCalendar(f *testing.F) {
	for _, text := range []string{
		"DTSTART;TZID=Europe/Berlin:20261020T190000\nDTEND;TZID=Europe/Berlin:20261020T210000\nRRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4\nEXDATE;TZID=Europe/Berlin:20261027T190000",
		"DTSTART:20261101T200000\nDURATION:PT2H\nRRULE:FREQ=DAILY;UNTIL=20261106T120000Z\nEXDATE;VALUE=DATE:20261104\nRDATE:20261120T080000",
		"DTSTART;VALUE=DATE:20261024\nDTEND;VALUE=DATE:20261026\nSTATUS:CANCELLED",
		"DTSTART:20251128T000000\nDURATION:P1W\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR;BYSETPOS=1;WKST=SU",
		"DTSTART:20251128T000000\nDURATION:P1D\nRRULE:FREQ=MONTHLY;BYDAY=53MO\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261101T200000",
		"DTSTART:20251128T000000\nDURATION:P1D\nRRULE:FREQ=YEARLY;BYWEEKNO=20,-1;BYYEARDAY=1,-366;BYEASTER=1",
		"A;B=", "BEGIN:VALARM", "END:VEVENT",
	} {
		f.Add(vcalendar(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		tryWindow(t, Window{Name: "w", Calendar: text, MinReplicas: floorOf(3)})
		trySpec(t, Spec{ExcludeCalendar: text, IncludeCalendar: text}, Window{Name: "w", Cron: "0 0 * * *", Duration: time.Hour, MinReplicas: floorOf(3)})
	})
}

func FuzzZone(f *testing.F) {
	for _, text := range []string{"UTC", "Asia/Shanghai", "Local", "", "../UTC", "CST", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if loc, err := loadZone(name); (loc == nil) == (err == nil) {
			t.Fatalf("zone %q: %v, %v", name, loc, err)
		}
	})
}

func tryWindow(t *testing.T, w Window) { trySpec(t, Spec{}, w) }

func trySpec(t *testing.T, spec Spec, w Window) {
	spec.Name, spec.TimeZone, spec.Windows = "s", "America/New_York", []Window{w}
	s, err := Compile(spec, nil)
	if err != nil {
		return
	}
	for _, at := range []time.Time{firstTransition, benchStart, lastTransition} {
		d := Evaluate([]*Schedule{s}, Observations{BaseMin: 1}, at)
		if !d.Next.After(d.At) {
			t.Fatalf("Next %s is not after %s", d.Next, d.At)
		}
		s.Next(at)
		d.Explain()
	}
	Lint([]*Schedule{s}, Observations{BaseMin: 1, BaseMax: 2}, benchStart)
}
