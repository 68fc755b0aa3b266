// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func vcalendar(events ...string) string {
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"}
	for _, e := range events {
		lines = append(lines, "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", strings.ReplaceAll(strings.TrimSpace(e), "\n", "\r\n"), "END:VEVENT")
	}
	return strings.Join(append(lines, "END:VCALENDAR"), "\r\n") + "\r\n"
}

func TestCalendars(t *testing.T) {
	cases := []struct {
		name, zone, text string
		from             string
		want             []string
	}{
		{"rule with exceptions in the zone of the event", "Asia/Shanghai",
			vcalendar("DTSTART;TZID=Europe/Berlin:20261020T190000\nDTEND;TZID=Europe/Berlin:20261020T210000\nRRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4\nEXDATE;TZID=Europe/Berlin:20261027T190000"),
			"2026-10-01T00:00", []string{"Wed 10-21 01:00 - Wed 10-21 03:00", "Wed 11-04 02:00 - Wed 11-04 04:00", "Wed 11-11 02:00 - Wed 11-11 04:00"}},
		{"exceptions of several kinds in one event", "Asia/Shanghai",
			vcalendar("DTSTART:20261101T200000\nDURATION:PT2H\nRRULE:FREQ=DAILY;UNTIL=20261106T120000Z\nEXDATE:20261102T200000,20261103T120000Z\nEXDATE;VALUE=DATE:20261104\nRDATE:20261120T080000"),
			"2026-11-01T00:00", []string{"Sun 11-01 20:00 - Sun 11-01 22:00", "Thu 11-05 20:00 - Thu 11-05 22:00", "Fri 11-06 20:00 - Fri 11-06 22:00", "Fri 11-20 08:00 - Fri 11-20 10:00"}},
		{"whole days", "Europe/Berlin", vcalendar("DTSTART;VALUE=DATE:20261024\nDTEND;VALUE=DATE:20261026"),
			"2026-10-20T00:00", []string{"Sat 10-24 00:00 - Mon 10-26 00:00"}},
		{"until a date, which belongs to it", "UTC", vcalendar("DTSTART:20261101T200000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261102"),
			"2026-11-01T00:00", []string{"Sun 11-01 20:00 - Sun 11-01 21:00", "Mon 11-02 20:00 - Mon 11-02 21:00"}},
		{"last Friday of November", "America/New_York", vcalendar("DTSTART:20251128T000000\nDURATION:P1D\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR"),
			"2026-11-01T00:00", []string{"Fri 11-27 00:00 - Sat 11-28 00:00"}},
		{"a start that does not exist", "America/New_York", vcalendar("DTSTART:20260307T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"),
			"2026-03-07T00:00", []string{"Sat 03-07 02:30 - Sat 03-07 03:30", "Sun 03-08 03:00 - Sun 03-08 04:00", "Mon 03-09 02:30 - Mon 03-09 03:30"}},
		{"one instance moved, one cancelled event", "UTC", vcalendar("DTSTART:20261101T200000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
			"DTSTART:20261102T100000\nDURATION:PT1H\nRECURRENCE-ID:20261102T200000", "DTSTART:20261105T100000\nDURATION:PT1H\nSTATUS:CANCELLED"),
			"2026-11-01T00:00", []string{"Sun 11-01 20:00 - Sun 11-01 21:00", "Mon 11-02 10:00 - Mon 11-02 11:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := compileOne(t, c.zone, Window{Calendar: c.text})
			from := localTime(t, s.Zone(), c.from)
			require.Equal(t, c.want, locals(s, from, from.AddDate(0, 2, 0)))
		})
	}
}

func TestCalendarMistakes(t *testing.T) {
	valid := "DTSTART:20261101T200000\nDURATION:PT1H\n"
	for text, want := range map[string]string{
		"hello":                                              "not an iCalendar object",
		"BEGIN:VCALENDAR\r\n":                                "ends too early",
		"BEGIN:VCALENDAR\r\nA;B=c\r\n":                       "not an iCalendar object",
		vcalendar():                                          "no event",
		vcalendar("SUMMARY:sale"):                            `event 1 "sale" of the calendar: DTSTART is missing`,
		vcalendar("DTSTART:20261101T200000"):                 "write DTEND or DURATION",
		vcalendar("DTSTART:yesterday"):                       `DTSTART: "yesterday" is not a date`,
		vcalendar("DTSTART:99991101T200000"):                 "the year of",
		vcalendar("DTSTART:20261101\nDTEND:20261101T100000"): "both have a time of day",
		vcalendar("DTSTART;TZID=China Standard Time:20261101T200000\nDURATION:PT1H"): "TZID: time zone",
		vcalendar(valid + "RRULE:FREQ=SECONDLY"):                                     "FREQ must be",
		vcalendar(valid + "RRULE:INTERVAL=2"):                                        "not a recurrence rule",
		vcalendar(valid + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"):               "names no date",
		vcalendar(valid + "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"):                "names no date",
		vcalendar(valid + "RRULE:FREQ=MONTHLY;BYDAY=53MO"):                           "cannot exist",
		vcalendar(valid + "RRULE:FREQ=YEARLY;BYEASTER=400"):                          "cannot exist",
		vcalendar(valid + "RRULE:FREQ=DAILY;INTERVAL=1000000000000"):                 "at most",
		vcalendar(valid + "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"):                     "more than one RRULE",
		vcalendar(valid + "EXDATE:soon"):                                             `EXDATE: "soon"`,
		vcalendar(valid + "RDATE;VALUE=PERIOD:20261101T200000/PT1H"):                 "RDATE",
		vcalendar("DTSTART:20261101T200000\nDURATION:P2000D"):                        "longer than",
		vcalendar("DTSTART:20261101T200000\nDURATION:an hour"):                       "is not a duration",
		vcalendar("DTSTART:20261101T200000\nDTEND:20261101T190000"):                  "must end after it begins",
		vcalendar(valid + "RECURRENCE-ID;RANGE=THISANDFUTURE:20261101T200000"):       "RANGE",
		strings.Repeat("x", maxCalendarBytes+1):                                      "remove past events",
	} {
		_, err := calendarReader{zone: time.UTC}.read(text)
		require.ErrorContains(t, err, want)
	}
}

func TestExcludeAndInclude(t *testing.T) {
	spec := Spec{Name: "shop", TimeZone: "Asia/Shanghai",
		// The National Day of 2026 with its make-up days, as text and as calendars.
		Exclude: []string{"2026-10-01/2026-10-07", "12-25"},
		Include: []string{"2026-10-10", "2026-09-27 as Friday", "2026-10-03"},
		Windows: []Window{
			{Name: "office", Cron: "0 9 * * 1-5", Duration: 9 * time.Hour},
			{Name: "friday", Cron: "0 20 * * FRI", Duration: time.Hour},
			{Name: "weekend", Cron: "0 10 * * 6,0", Duration: time.Hour},
			{Name: "first", Cron: "0 1 1 * *", Duration: time.Hour},
			{Name: "once", Start: "2026-10-02", Duration: time.Hour},
		},
	}
	for i := range spec.Windows {
		spec.Windows[i].MinReplicas, spec.Windows[i].RampDown = floorOf(5), noRamp()
	}
	days := func(spec Spec, window, from, to string) (all []string) {
		s, err := Compile(spec, nil)
		require.NoError(t, err)
		for _, i := range s.Intervals(localTime(t, s.Zone(), from), localTime(t, s.Zone(), to)) {
			if i.Window == window {
				all = append(all, i.Start.In(s.Zone()).Format("01-02"))
			}
		}
		return all
	}
	from, to := "2026-09-25T00:00", "2026-10-13T00:00"
	office := []string{"09-25", "09-27", "09-28", "09-29", "09-30", "10-03", "10-08", "10-09", "10-10", "10-12"}
	require.Equal(t, office, days(spec, "office", from, to))
	require.Equal(t, []string{"09-25", "09-27", "10-03", "10-09", "10-10"}, days(spec, "friday", from, to))
	require.Equal(t, []string{"09-26", "10-11"}, days(spec, "weekend", from, to))
	require.Empty(t, days(spec, "first", from, to), "the 1st is excluded, and a make-up day is not the 1st")
	require.Equal(t, []string{"10-02"}, days(spec, "once", from, to), "a one-off window has its own date")
	require.Equal(t, []string{"12-24", "12-28"}, days(spec, "office", "2026-12-24T00:00", "2026-12-29T00:00"))

	spec.Exclude, spec.Include = nil, nil
	spec.ExcludeCalendar = vcalendar("DTSTART;VALUE=DATE:20251001\nDTEND;VALUE=DATE:20251008\nRRULE:FREQ=YEARLY", "DTSTART:20261012T083000\nDURATION:PT1H")
	spec.IncludeCalendar = vcalendar("DTSTART;VALUE=DATE:20261010", "DTSTART;VALUE=DATE:20260927", "DTSTART;VALUE=DATE:20261003")
	require.Equal(t, office[:len(office)-1], days(spec, "office", from, to), "an event at 09:00 of the 12th keeps that window from beginning")
	require.Equal(t, []string{"09-26", "10-11"}, days(spec, "weekend", from, to))
}

// An old event is moved near to the time that is asked for; what comes out must be what a walk from its start gives.
func TestOldEventsGiveTheSameIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.SampledFrom([]string{"FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;BYMONTH=3,11;BYDAY=TU,SA", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU",
			"FREQ=WEEKLY;INTERVAL=5;WKST=SU;BYDAY=SA,SU", "FREQ=WEEKLY;BYDAY=FR;BYHOUR=8,20", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;UNTIL=20261120T000000Z"}).Draw(t, "rule")
		start := instant{wall: rapid.Int64Range(0, 2_000_000).Draw(t, "start") * 800, zone: time.UTC}
		parsed, err := parseRule(rule, start)
		require.NoError(t, err)
		e := event{start: start, seconds: 3600, rule: parsed, zone: clock{loc: time.UTC}}
		from := rapid.Int64Range(0, 2_500_000).Draw(t, "from") * 800
		to := from + 40*secondsPerDay
		var got, want []int64
		for _, s := range e.spans(nil, from, to) {
			got = append(got, s.start)
		}
		for _, at := range parsed.rule.Between(time.Unix(from-3599, 0), time.Unix(to-1, 0), true) {
			want = append(want, at.Unix())
		}
		require.Equal(t, want, got, rule)
	})
}
