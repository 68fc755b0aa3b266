// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	maxDuration = 366 * 24 * time.Hour
	maxRamp     = 24 * time.Hour
	maxWindows  = 200
	maxDateList = 2000
	maxMistakes = 10   // then the rest is not looked at
	maxOverlap  = 1500 // intervals of one window at the same time
)

// Schedule is a Spec that was checked and is ready for evaluation. It never changes; any number of goroutines may
// use it.
type Schedule struct {
	name     string
	priority int32
	suspend  bool
	zone     *time.Location
	windows  []window
	dates    dates
	back     int64 // how long before now an interval that still matters may have begun
	ahead    int64 // the longest ramp
}

// window is a checked Window. Exactly one of tab, once and events says when.
type window struct {
	Window
	tab      *crontab
	once     *span
	events   []event
	duration int64 // of tab
	rampUp   int64
	rampDown int64
	steps    rampSteps
}

// Name returns the name of the Spec.
func (s *Schedule) Name() string { return s.name }

// Zone returns the schedule's time zone.
func (s *Schedule) Zone() *time.Location { return s.zone }

// Compile checks a spec. The error joins one *FieldError for each mistake. zones may be nil.
func Compile(spec Spec, zones *Zones) (*Schedule, error) {
	c := compiler{spec: spec, zones: zones}
	return c.run()
}

type compiler struct {
	spec  Spec
	zones *Zones
	out   Schedule
	errs  []error
}

func (c *compiler) wrong(field, format string, args ...any) {
	c.errs = append(c.errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (c *compiler) run() (*Schedule, error) {
	c.out = Schedule{name: c.spec.Name, priority: c.spec.Priority, suspend: c.spec.Suspend}
	zone, err := c.zones.Load(c.spec.TimeZone)
	if err != nil {
		c.wrong("timeZone", "%v", err)
		return nil, errors.Join(c.errs...)
	}
	c.out.zone = zone
	c.compileDates()
	switch {
	case len(c.spec.Windows) == 0:
		c.wrong("windows", "there is no window; add one with a name, a time and a minReplicas")
	case len(c.spec.Windows) > maxWindows:
		c.wrong("windows", "there are %d windows, more than %d; use several schedules", len(c.spec.Windows), maxWindows)
	default:
		c.compileWindows()
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return &c.out, nil
}

func (c *compiler) compileDates() {
	if len(c.spec.Exclude) > maxDateList || len(c.spec.Include) > maxDateList {
		c.wrong("exclude", "there are more than %d dates; write ranges", maxDateList)
		return
	}
	for i, text := range c.spec.Exclude {
		if err := c.out.dates.exclude(text); err != nil {
			c.wrong(fmt.Sprintf("exclude[%d]", i), "%v", err)
		}
	}
	for i, text := range c.spec.Include {
		if err := c.out.dates.include(text); err != nil {
			c.wrong(fmt.Sprintf("include[%d]", i), "%v", err)
		}
	}
	c.out.dates.excludeEvents = c.calendar("excludeCalendar", c.spec.ExcludeCalendar)
	c.out.dates.includeEvents = c.calendar("includeCalendar", c.spec.IncludeCalendar)
}

func (c *compiler) calendar(field, text string) []event {
	if text == "" {
		return nil
	}
	events, err := calendarReader{zones: c.zones, zone: c.out.zone}.read(text)
	if err != nil {
		c.wrong(field, "%v", err)
	}
	return events
}

func (c *compiler) compileWindows() {
	seen := map[string]bool{}
	for i := range c.spec.Windows {
		if len(c.errs) >= maxMistakes {
			return
		}
		w := window{Window: c.spec.Windows[i]}
		field := fmt.Sprintf("windows[%d]", i)
		if w.Name == "" {
			c.wrong(field+".name", "a name is required; explanations and overrides refer to it")
		} else if seen[w.Name] {
			c.wrong(field+".name", "%q names two windows; names must differ", w.Name)
		}
		seen[w.Name] = true
		c.when(field, &w)
		c.what(field, &w)
		c.ramps(field, &w)
		c.out.windows = append(c.out.windows, w)
		c.out.back = max(c.out.back, w.longest()+w.rampDown)
		c.out.ahead = max(c.out.ahead, w.rampUp)
	}
}

func (w *window) longest() int64 {
	longest := w.duration
	if w.once != nil {
		longest = w.once.end - w.once.start
	}
	for _, e := range w.events {
		// An event of whole days may last longer by what its zone's clock is put back.
		longest = max(longest, e.seconds+secondsPerDay)
	}
	return longest
}

func (c *compiler) when(field string, w *window) {
	forms := 0
	for _, text := range []string{w.Cron, w.Start, w.Calendar} {
		if text != "" {
			forms++
		}
	}
	switch {
	case forms != 1:
		c.wrong(field, "exactly one of schedule, start and calendar says when the window is; %d of them are set", forms)
	case w.Cron != "":
		c.recurring(field, w)
	case w.Start != "":
		c.oneOff(field, w)
	default:
		if w.Duration != 0 || w.End != "" {
			c.wrong(field, "the calendar's events have their own ends; remove duration and end")
		}
		w.events = c.calendar(field+".calendar", w.Calendar)
	}
}

func (c *compiler) recurring(field string, w *window) {
	if w.End != "" {
		c.wrong(field+".end", "a window with a schedule ends after its duration; write duration: 4h instead")
	}
	w.duration = c.seconds(field+".duration", w.Duration, maxDuration)
	if w.Duration == 0 {
		c.wrong(field+".duration", "a window with a schedule needs a duration, such as 4h")
	}
	tab, err := parseCron(w.Cron)
	if err != nil {
		c.wrong(field+".schedule", "%v", err)
		return
	}
	if days := (w.duration + secondsPerDay - 1) / secondsPerDay; int64(len(tab.times))*days > maxOverlap {
		c.wrong(field+".duration", "%v is so long that more than %d intervals would overlap; begin less often", w.Duration, maxOverlap)
	}
	w.tab = tab
}

func (c *compiler) oneOff(field string, w *window) {
	start, err := parseMoment(w.Start)
	if err != nil {
		c.wrong(field+".start", "%v", err)
		return
	}
	local := clock{loc: c.out.zone}
	from, moved := start.resolve(&local)
	to := from + c.seconds(field+".duration", w.Duration, maxDuration)
	switch {
	case (w.End == "") == (w.Duration == 0):
		c.wrong(field, "a window with a start has either an end or a duration")
		return
	case w.End != "":
		end, err := parseMoment(w.End)
		if err != nil {
			c.wrong(field+".end", "%v", err)
			return
		}
		to, _ = end.resolve(&local)
	}
	if to <= from {
		c.wrong(field+".end", "the window ends at %q, which is not after its start %q", w.End, w.Start)
		return
	}
	if to-from > int64(maxDuration/time.Second) {
		c.wrong(field+".end", "the window lasts longer than %d days; change the HPA's minReplicas instead", maxDuration/(24*time.Hour))
	}
	w.once = &span{start: from, end: to, moved: moved}
}

func (c *compiler) what(field string, w *window) {
	floors := 0
	for _, set := range []bool{w.MinReplicas != nil, w.Replicas != nil, w.DemandMilli != nil} {
		if set {
			floors++
		}
	}
	switch {
	case floors > 1:
		c.wrong(field, "at most one of minReplicas, replicas and demand may be set; %d are", floors)
	case floors == 0 && w.MaxReplicas == nil:
		c.wrong(field, "the window changes nothing; set minReplicas, replicas, demand or maxReplicas")
	case w.Replicas != nil && w.MaxReplicas != nil:
		c.wrong(field+".maxReplicas", "replicas is the exact count, so it is the maximum too; remove maxReplicas")
	case w.HardMax && w.MaxReplicas == nil && w.Replicas == nil:
		c.wrong(field+".hardMax", "it says how maxReplicas holds; set maxReplicas or remove hardMax")
	}
	if w.MinReplicas != nil && *w.MinReplicas < 0 {
		c.wrong(field+".minReplicas", "it is %d and must not be negative", *w.MinReplicas)
	}
	if w.Replicas != nil && *w.Replicas < 1 {
		c.wrong(field+".replicas", "it is %d; an HPA keeps at least 1", *w.Replicas)
	}
	if w.DemandMilli != nil && *w.DemandMilli < 0 {
		c.wrong(field+".demand", "it must not be negative")
	}
	if w.MaxReplicas != nil && *w.MaxReplicas < 1 {
		c.wrong(field+".maxReplicas", "it is %d; an HPA's maximum is at least 1", *w.MaxReplicas)
	}
	if w.MinReplicas != nil && w.MaxReplicas != nil && *w.MinReplicas > *w.MaxReplicas {
		c.wrong(field+".minReplicas", "it is %d, more than the window's own maxReplicas of %d", *w.MinReplicas, *w.MaxReplicas)
	}
}

func (c *compiler) ramps(field string, w *window) {
	w.rampUp = c.seconds(field+".rampUp", w.RampUp, maxRamp)
	down := DefaultRampDown
	if w.RampDown != nil {
		down = *w.RampDown
	}
	w.rampDown = c.seconds(field+".rampDown", down, maxRamp)
	w.steps = rampSteps{up: stepsOf(w.rampUp), down: stepsOf(w.rampDown)}
	for i, after := range w.After {
		at := fmt.Sprintf("%s.after[%d]", field, i)
		if after.Target.Name == "" {
			c.wrong(at+".name", "a name is required")
		}
		c.seconds(at+".timeout", after.Timeout, maxRamp)
	}
}

// seconds checks a duration: whole seconds, not negative, at most limit.
func (c *compiler) seconds(field string, d, limit time.Duration) int64 {
	switch {
	case d < 0:
		c.wrong(field, "%v is negative", d)
	case d%time.Second != 0:
		c.wrong(field, "%v is not a number of whole seconds", d)
	case d > limit:
		c.wrong(field, "%v is longer than %.0fh", d, math.Floor(limit.Hours()))
	default:
		return int64(d / time.Second)
	}
	return 0
}
