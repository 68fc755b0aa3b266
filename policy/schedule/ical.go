// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"
)

const (
	maxCalendarBytes  = 256 << 10
	maxCalendarEvents = 500
	maxDates          = 1000 // in EXDATE and RDATE of one event
	maxRuleNumber     = 1000 // INTERVAL and COUNT
	maxTimesOfDay     = 48   // of one RRULE
)

// calendarReader turns iCalendar text (RFC 5545) into events. Times without Z and without TZID are wall time in zone.
type calendarReader struct {
	zones *Zones
	zone  *time.Location
}

// read returns the events of the text. Cancelled events are left out, and an event with RECURRENCE-ID replaces that
// instance of the event with the same UID.
func (r calendarReader) read(text string) (events []event, err error) {
	if len(text) > maxCalendarBytes {
		return nil, fmt.Errorf("the calendar has %d bytes, more than %d; remove past events", len(text), maxCalendarBytes)
	}
	components, err := decodeCalendar(text)
	if err != nil {
		return nil, err
	}
	if len(components) > maxCalendarEvents {
		return nil, fmt.Errorf("the calendar has %d events, more than %d; remove past events", len(components), maxCalendarEvents)
	}
	var replaced []replacement
	for i, component := range components {
		e, instead, err := r.event(component)
		if err != nil {
			return nil, fmt.Errorf("event %d%s of the calendar: %w", i+1, summaryOf(component), err)
		}
		if instead != nil {
			replaced = append(replaced, *instead)
		}
		if status, _ := component.Props.Text(ical.PropStatus); !strings.EqualFold(status, "CANCELLED") {
			events = append(events, e)
		}
	}
	for i := range events {
		events[i].leaveOut(replaced)
	}
	if len(events) == 0 {
		return nil, errors.New("the calendar has no event (VEVENT) that is not cancelled")
	}
	return events, nil
}

// replacement is one instance of a recurring event that another event stands in for.
type replacement struct {
	uid      string
	instance instant
}

func decodeCalendar(text string) (events []*ical.Component, err error) {
	// The parser panics on some malformed lines, such as a parameter that nothing follows.
	defer func() {
		if recover() != nil {
			events, err = nil, errors.New("the text is not an iCalendar object; it begins with BEGIN:VCALENDAR and ends with END:VCALENDAR")
		}
	}()
	calendar, err := ical.NewDecoder(strings.NewReader(text)).Decode()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the calendar ends too early; the last line must be END:VCALENDAR")
	}
	if err != nil {
		return nil, fmt.Errorf("the text is not an iCalendar object (%w)", err)
	}
	for _, child := range calendar.Children {
		if child.Name == ical.CompEvent {
			events = append(events, child)
		}
	}
	return events, nil
}

func summaryOf(component *ical.Component) string {
	if summary, err := component.Props.Text(ical.PropSummary); err == nil && summary != "" {
		return fmt.Sprintf(" %q", summary)
	}
	return ""
}

func (r calendarReader) event(component *ical.Component) (event, *replacement, error) {
	props := component.Props
	start := props.Get(ical.PropDateTimeStart)
	if start == nil {
		return event{}, nil, errors.New("DTSTART is missing")
	}
	at, err := r.instant(start, start.Value)
	if err != nil {
		return event{}, nil, fmt.Errorf("DTSTART: %w", err)
	}
	e := event{start: at, zone: clock{loc: at.zone}, allDay: at.date}
	if uid := props.Get(ical.PropUID); uid != nil {
		e.uid = uid.Value
	}
	if err := r.length(&e, props); err != nil {
		return event{}, nil, err
	}
	if err := r.recurrence(&e, props); err != nil {
		return event{}, nil, err
	}
	id := props.Get(ical.PropRecurrenceID)
	if id == nil {
		return e, nil, nil
	}
	if id.Params.Get(ical.ParamRange) != "" {
		return event{}, nil, errors.New("RECURRENCE-ID with RANGE is not supported; end the first event with UNTIL and add a second one")
	}
	instance, err := r.instant(id, id.Value)
	if err != nil {
		return event{}, nil, fmt.Errorf("RECURRENCE-ID: %w", err)
	}
	e.replaces = true
	return e, &replacement{uid: e.uid, instance: instance}, nil
}

// length sets how long the event lasts: DTEND, or DURATION, or one day for an event without times of day.
func (r calendarReader) length(e *event, props ical.Props) error {
	if end := props.Get(ical.PropDateTimeEnd); end != nil {
		at, err := r.instant(end, end.Value)
		if err != nil {
			return fmt.Errorf("DTEND: %w", err)
		}
		if at.date != e.start.date {
			return errors.New("DTSTART and DTEND must both have a time of day, or neither")
		}
		e.seconds = at.resolve() - e.start.resolve()
		if e.allDay {
			e.seconds = at.wall - e.start.wall
		}
	} else if duration := props.Get(ical.PropDuration); duration != nil {
		length, err := duration.Duration()
		if err != nil {
			return fmt.Errorf("DURATION %q is not a duration; write PT4H or P1D", duration.Value)
		}
		e.seconds = int64(length / time.Second)
	} else if e.allDay {
		e.seconds = secondsPerDay
	}
	if e.seconds <= 0 {
		return errors.New("it must end after it begins; write DTEND or DURATION")
	}
	if e.seconds > int64(maxDuration/time.Second) {
		return fmt.Errorf("it lasts longer than %d days", maxDuration/(24*time.Hour))
	}
	return nil
}

func (r calendarReader) recurrence(e *event, props ical.Props) (err error) {
	if e.skip, err = r.instants(props[ical.PropExceptionDates]); err != nil {
		return fmt.Errorf("EXDATE: %w", err)
	}
	if e.extra, err = r.instants(props[ical.PropRecurrenceDates]); err != nil {
		return fmt.Errorf("RDATE: %w", err)
	}
	rules := props[ical.PropRecurrenceRule]
	if len(rules) > 1 {
		return errors.New("it has more than one RRULE; make it two events")
	}
	if len(rules) == 0 {
		return nil
	}
	if e.rule, err = parseRule(rules[0].Value, e.start); err != nil {
		return fmt.Errorf("RRULE %q: %w", rules[0].Value, err)
	}
	return nil
}

func (r calendarReader) instants(props []ical.Prop) ([]instant, error) {
	var all []instant
	for i := range props {
		for _, value := range strings.Split(props[i].Value, ",") {
			at, err := r.instant(&props[i], value)
			if err != nil {
				return nil, err
			}
			if all = append(all, at); len(all) > maxDates {
				return nil, fmt.Errorf("there are more than %d dates", maxDates)
			}
		}
	}
	return all, nil
}

// instant reads one value of a property: 20261111, 20261111T190000 or 20261111T110000Z.
func (r calendarReader) instant(prop *ical.Prop, value string) (instant, error) {
	value = strings.TrimSpace(value)
	zone := r.zone
	if id := prop.Params.Get(ical.PropTimezoneID); id != "" {
		loc, err := r.zones.Load(id)
		if err != nil {
			return instant{}, fmt.Errorf("TZID: %w", err)
		}
		zone = loc
	}
	layouts := []struct {
		text string
		date bool
		zone *time.Location
	}{{"20060102", true, zone}, {"20060102T150405", false, zone}, {"20060102T150405Z", false, time.UTC}}
	for _, layout := range layouts {
		t, err := time.Parse(layout.text, value)
		if err != nil {
			continue
		}
		if t.Year() < firstYear || t.Year() > lastYear {
			return instant{}, fmt.Errorf("the year of %q is not between %d and %d", value, firstYear, lastYear)
		}
		return instant{wall: t.Unix(), date: layout.date, zone: layout.zone}, nil
	}
	return instant{}, fmt.Errorf("%q is not a date or time; write 20261111, 20261111T190000 or 20261111T110000Z", value)
}

// parseRule reads an RRULE. It is worked out on wall time counted as if it were UTC: no time is missing or double.
func parseRule(text string, start instant) (rule *recurrence, err error) {
	defer func() {
		// rrule-go indexes its tables with numbers such as the 53 of FREQ=MONTHLY;BYDAY=53MO.
		if recover() != nil {
			rule, err = nil, errors.New("it names days that cannot exist")
		}
	}()
	option, err := rrule.StrToROption(strings.ToUpper(strings.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("it is not a recurrence rule (%w)", err)
	}
	switch {
	case option.Freq > rrule.DAILY:
		return nil, errors.New("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY; use a window with a cron schedule for more")
	case option.Interval > maxRuleNumber || option.Count > maxRuleNumber:
		return nil, fmt.Errorf("INTERVAL and COUNT must be at most %d", maxRuleNumber)
	case max(1, len(option.Byhour))*max(1, len(option.Byminute))*max(1, len(option.Bysecond)) > maxTimesOfDay:
		return nil, fmt.Errorf("it has more than %d times a day; use a window with a cron schedule", maxTimesOfDay)
	case option.Interval < 0 || option.Count < 0:
		return nil, errors.New("INTERVAL and COUNT must be positive")
	}
	option.Dtstart = time.Unix(start.wall, 0).UTC()
	if !option.Until.IsZero() {
		option.Until = untilWall(text, option.Until, start)
	}
	parsed, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("it is not a recurrence rule (%w)", err)
	}
	// The generator is tried here, so that later calls cannot panic and rules without a date are known at once.
	next := parsed.Iterator()
	first, found := next()
	for i := 0; found && i < 64; i++ {
		_, found = next()
	}
	if first.IsZero() {
		return nil, errors.New("it names no date that exists")
	}
	return &recurrence{rule: parsed, option: *option}, nil
}

// untilWall turns UNTIL into wall time of the event's zone: it is in UTC, local, or a date (which belongs to it).
func untilWall(text string, until time.Time, start instant) time.Time {
	_, value, _ := strings.Cut(strings.ToUpper(text), "UNTIL=")
	value, _, _ = strings.Cut(value, ";")
	switch {
	case len(value) == len("20261231"):
		return until.Add(secondsPerDay*time.Second - time.Second)
	case strings.HasSuffix(value, "Z"):
		c := clock{loc: start.zone}
		return time.Unix(c.wallOf(until.Unix()), 0).UTC()
	default:
		return until
	}
}
