// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The reference walks over every minute and shares nothing with the code under test: cron's own Next finds the local
// minutes (on a clock without changes), and a second walk finds when the zone's clock first reads each or more.

// referenceMinutes returns for every minute of [from, to) whether a cron window is on.
func referenceMinutes(t require.TestingT, loc *time.Location, text string, duration time.Duration, from, to time.Time) []bool {
	parsed, err := cron.ParseStandard(text)
	require.NoError(t, err)
	begin := from.Add(-duration - 48*time.Hour)
	local := time.Unix(wallClock(loc, begin), 0).UTC()
	next := parsed.Next(local)
	on := make([]bool, int(to.Sub(from)/time.Minute))
	for at := begin; at.Before(to); at = at.Add(time.Minute) {
		reads := wallClock(loc, at)
		started := false
		for next.Unix() <= reads {
			next, started = parsed.Next(next), true
		}
		if !started {
			continue
		}
		for m := at; m.Before(at.Add(duration)) && m.Before(to); m = m.Add(time.Minute) {
			if !m.Before(from) {
				on[int(m.Sub(from)/time.Minute)] = true
			}
		}
	}
	return on
}

var referenceZones = []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe",
	"America/Nuuk", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll", "America/Santiago"}

var cronExpressions = rapid.Custom(func(t *rapid.T) string {
	minute := rapid.SampledFrom([]string{"0", "30", "15,45", "*/20", "59", "1-5"}).Draw(t, "minute")
	hour := rapid.SampledFrom([]string{"0", "1", "2", "3", "23", "*/6", "22-23", "*", "1-3"}).Draw(t, "hour")
	dom := rapid.SampledFrom([]string{"*", "*", "1", "29-31", "*/2", "8"}).Draw(t, "dom")
	month := rapid.SampledFrom([]string{"*", "*", "3", "4,10", "10-11"}).Draw(t, "month")
	dow := rapid.SampledFrom([]string{"*", "1-5", "0", "SAT,SUN", "?"}).Draw(t, "dow")
	return fmt.Sprintf("%s %s %s %s %s", minute, hour, dom, month, dow)
})

// instants near a transition of the zone, or anywhere in ten years.
func drawInstant(t *rapid.T, loc *time.Location) time.Time {
	at := firstTransition.Add(time.Duration(rapid.Int64Range(0, 10*365*24*60).Draw(t, "minute")) * time.Minute)
	if changes := transitions(loc); len(changes) > 0 && rapid.Bool().Draw(t, "near a transition") {
		at = rapid.SampledFrom(changes).Draw(t, "transition").UTC().Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "offset")) * time.Minute)
	}
	return at
}

func TestWindowsEqualEnumeration(t *testing.T) {
	zones := &Zones{}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(referenceZones).Draw(t, "zone")
		text := cronExpressions.Draw(t, "cron")
		duration := time.Duration(rapid.IntRange(1, 40*60).Draw(t, "duration")) * time.Minute
		loc, err := zones.Load(zone)
		require.NoError(t, err)
		from := drawInstant(t, loc)
		to := from.Add(20 * time.Hour)
		s, err := Compile(Spec{Name: "s", TimeZone: zone, Windows: []Window{{Name: "w", Cron: text, Duration: duration, MinReplicas: floorOf(7), RampDown: noRamp()}}}, zones)
		require.NoError(t, err)
		want := referenceMinutes(t, loc, text, duration, from, to)
		evaluator := NewEvaluator(s)
		for i, on := range want {
			at := from.Add(time.Duration(i) * time.Minute)
			d := evaluator.Evaluate(Observations{}, at)
			if on != (d.Min != nil) {
				t.Fatalf("%s in %s for %v: at %s on is %v", text, zone, duration, at.In(loc), on)
			}
		}
	})
}

// drawRules makes up to three schedules with overlapping windows, ramps, priorities and bounds.
func drawRules(t *rapid.T, zones *Zones) []*Schedule {
	var rules []*Schedule
	zone := rapid.SampledFrom(referenceZones).Draw(t, "zone")
	for i := range rapid.IntRange(1, 3).Draw(t, "schedules") {
		spec := Spec{Name: fmt.Sprint("s", i), TimeZone: zone, Priority: rapid.Int32Range(0, 2).Draw(t, "priority")}
		spec.Exclude = rapid.SampledFrom([][]string{nil, {"03-08"}, {"2026-01-01/2035-06-01"}}).Draw(t, "exclude")
		for j := range rapid.IntRange(1, 3).Draw(t, "windows") {
			spec.Windows = append(spec.Windows, drawWindow(t, fmt.Sprint("w", j)))
		}
		s, err := Compile(spec, zones)
		require.NoError(t, err)
		rules = append(rules, s)
	}
	return rules
}

func drawWindow(t *rapid.T, name string) Window {
	w := Window{Name: name, Cron: cronExpressions.Draw(t, "cron"), Duration: time.Duration(rapid.IntRange(1, 7000).Draw(t, "duration")) * 7 * time.Second}
	n := rapid.Int32Range(1, 50)
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		w.MinReplicas = floorOf(n.Draw(t, "min"))
	case 1:
		w.Replicas = floorOf(n.Draw(t, "replicas"))
	case 2:
		demand := int64(n.Draw(t, "demand")) * 1000
		w.DemandMilli = &demand
	}
	if w.Replicas == nil && (w.MinReplicas == nil && w.DemandMilli == nil || rapid.Bool().Draw(t, "has max")) {
		w.MaxReplicas = floorOf(n.Draw(t, "max") + 50)
	}
	w.RampUp = time.Duration(rapid.SampledFrom([]int{0, 5, 61, 1800, 5000}).Draw(t, "up")) * time.Second
	down := time.Duration(rapid.SampledFrom([]int{0, 7, 900}).Draw(t, "down")) * time.Second
	w.RampDown = &down
	return w
}

func drawObservations(t *rapid.T) Observations {
	return Observations{BaseMin: rapid.Int32Range(0, 20).Draw(t, "base min"), BaseMax: rapid.Int32Range(20, 60).Draw(t, "base max"),
		PerReplicaMilli: rapid.SampledFrom([]int64{0, 700, 1000}).Draw(t, "target"),
		Lead:            time.Duration(rapid.SampledFrom([]int{0, 90, 3600}).Draw(t, "lead")) * time.Second}
}

// Preview, Evaluate and Evaluator agree at every instant, and nothing changes before Next.
func TestPreviewAgreesWithEvaluation(t *testing.T) {
	zones := &Zones{}
	rapid.Check(t, func(t *rapid.T) {
		rules, obs := drawRules(t, zones), drawObservations(t)
		from := drawInstant(t, rules[0].Zone())
		preview := Preview(rules, obs, from, from.Add(30*time.Hour), 100_000)
		require.NotEmpty(t, preview)
		require.Equal(t, from, preview[0].At)
		evaluator := NewEvaluator(rules...)
		var offsets []int
		for _, d := range preview {
			second := int(d.At.Sub(from) / time.Second)
			offsets = append(offsets, second, second-1)
		}
		offsets = append(offsets, rapid.SliceOfN(rapid.IntRange(0, 30*3600-1), 20, 20).Draw(t, "seconds")...)
		slices.Sort(offsets)
		for _, second := range offsets {
			if second < 0 {
				continue
			}
			at := from.Add(time.Duration(second) * time.Second)
			i, found := slices.BinarySearchFunc(preview, at, func(d Decision, at time.Time) int { return d.At.Compare(at) })
			if !found {
				i--
			}
			d := Evaluate(rules, obs, at)
			if !d.equal(&preview[i]) {
				t.Fatalf("at %s the preview has %v to %v, the evaluation %v to %v", at, preview[i].Min, preview[i].Max, d.Min, d.Max)
			}
			require.Equal(t, at, d.At)
			require.True(t, d.Next.After(at))
			cached := evaluator.Evaluate(obs, at)
			require.True(t, cached.Next.After(at) && !cached.Next.After(d.Next))
			cached.Next = d.Next
			require.Equal(t, d, cached)
			if before := Evaluate(rules, obs, d.Next.Add(-time.Second)); !before.equal(&d) {
				t.Fatalf("the decision of %s changes before its Next %s", at, d.Next)
			}
		}
	})
}

// Whatever overlaps: the floor of a window that is on is met, unless one of at least its priority says otherwise, and a
// floor is never above its maximum.
func TestMergeKeepsItsPromises(t *testing.T) {
	zones := &Zones{}
	rapid.Check(t, func(t *rapid.T) {
		rules, obs := drawRules(t, zones), drawObservations(t)
		at := drawInstant(t, rules[0].Zone())
		for range 50 {
			d := Evaluate(rules, obs, at)
			if d.Min != nil && d.Max != nil {
				require.LessOrEqual(t, *d.Min, *d.Max)
			}
			for _, a := range d.Active {
				if a.Phase != On || a.Min == nil {
					continue
				}
				require.NotNil(t, d.Min)
				winner := d.Active[d.MinBy]
				if *a.Min > *d.Min {
					lowered := d.Clash == FloorLowered && d.Active[d.MaxBy].Priority > winner.Priority
					require.True(t, winner.Priority > a.Priority || lowered, "%+v lost to %+v", a, winner)
				}
			}
			at = d.Next
		}
	})
}
