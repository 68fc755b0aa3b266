// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func p(n int32) *int32 { return &n }

func window(name string, c Contribution) Contribution {
	c.Source = Source{Kind: KindSchedule, Name: "shop", Part: name}
	return c
}

func forecast(n int32) Contribution {
	return Contribution{Source: Source{Kind: KindForecast, Name: "shop"}, MinReplicas: p(n), RaiseOnly: true}
}

func override(c Contribution) Contribution {
	c.Source, c.Override = Source{Kind: KindOverride, Name: "shop"}, true
	return c
}

func TestWhoWins(t *testing.T) {
	evening := window("evening", Contribution{MinReplicas: p(40)})
	night := window("night", Contribution{MinReplicas: p(1)})
	sale := window("sale", Contribution{MinReplicas: p(400), MaxReplicas: p(1000)})
	for name, c := range map[string]struct {
		contributions []Contribution
		want          Bounds
		floorBy       string
		notes         []NoteReason
	}{
		"nobody":                              {nil, Bounds{2, 100}, "HorizontalPodAutoscaler", nil},
		"a window raises":                     {[]Contribution{evening}, Bounds{40, 100}, "ScaleSchedule shop/evening", nil},
		"a window lowers":                     {[]Contribution{night}, Bounds{1, 100}, "ScaleSchedule shop/night", nil},
		"the larger floor of equals":          {[]Contribution{night, evening}, Bounds{40, 100}, "ScaleSchedule shop/evening", nil},
		"a forecast never lowers":             {[]Contribution{forecast(1)}, Bounds{2, 100}, "HorizontalPodAutoscaler", nil},
		"a forecast raises":                   {[]Contribution{forecast(7)}, Bounds{7, 100}, "ScaleForecast shop", nil},
		"a forecast raises a lowered floor":   {[]Contribution{night, forecast(3)}, Bounds{3, 100}, "ScaleForecast shop", nil},
		"a forecast below a window":           {[]Contribution{evening, forecast(3)}, Bounds{40, 100}, "ScaleSchedule shop/evening", nil},
		"a floor without a maximum is capped": {[]Contribution{window("big", Contribution{MinReplicas: p(400)})}, Bounds{100, 100}, "ScaleSchedule shop/big", []NoteReason{FloorCapped}},
		"a floor with a maximum raises it":    {[]Contribution{sale}, Bounds{400, 1000}, "ScaleSchedule shop/sale", nil},
		"priority beats size": {[]Contribution{sale, window("calm", Contribution{MinReplicas: p(5), MaxReplicas: p(50), Priority: 1})},
			Bounds{5, 50}, "ScaleSchedule shop/calm", nil},
		"an override beats priority": {[]Contribution{window("calm", Contribution{MinReplicas: p(50), Priority: 9}), forecast(30), override(Contribution{MinReplicas: p(3)})},
			Bounds{3, 100}, "Override shop", nil},
		"a floor beats a maximum of the same rank": {[]Contribution{evening, window("saving", Contribution{MaxReplicas: p(10)})},
			Bounds{40, 40}, "ScaleSchedule shop/evening", []NoteReason{MaxRaised}},
		"but not of a higher one": {[]Contribution{evening, window("saving", Contribution{MaxReplicas: p(10), Priority: 1})},
			Bounds{10, 10}, "ScaleSchedule shop/evening", []NoteReason{FloorCapped}},
		"and not for a forecast": {[]Contribution{forecast(40), window("saving", Contribution{MaxReplicas: p(10)})},
			Bounds{10, 10}, "ScaleForecast shop", []NoteReason{FloorCapped}},
		"and no further than the own maximum": {[]Contribution{window("big", Contribution{MinReplicas: p(400)}), window("saving", Contribution{MaxReplicas: p(10)})},
			Bounds{100, 100}, "ScaleSchedule shop/big", []NoteReason{MaxRaised, FloorCapped}},
		"a ramp makes no room above a higher rank": {[]Contribution{override(Contribution{MaxReplicas: p(50)}), window("next", Contribution{MinReplicas: p(9), MaxReplicas: p(2000), RaiseOnly: true})},
			Bounds{9, 50}, "ScaleSchedule shop/next", nil},
		"a ramp makes room": {[]Contribution{sale, window("next", Contribution{MinReplicas: p(9), MaxReplicas: p(2000), RaiseOnly: true, Priority: 1})},
			Bounds{400, 2000}, "ScaleSchedule shop/sale", nil},
		"an exact count is both": {[]Contribution{override(Contribution{MinReplicas: p(30), Exact: true})}, Bounds{30, 30}, "Override shop", nil},
		"a ramp down": {[]Contribution{night, window("evening", Contribution{MinReplicas: p(40), RaiseOnly: true, Sinking: true})},
			Bounds{40, 100}, "ScaleSchedule shop/evening", []NoteReason{RampingDown}},
	} {
		t.Run(name, func(t *testing.T) {
			r := Evaluate(Input{Now: noon, Base: Bounds{2, 100}, Contributions: c.contributions, Observed: Observed{Replicas: 2}})
			require.Equal(t, c.want, r.Bounds)
			require.Equal(t, c.floorBy, r.FloorBy.String())
			var notes []NoteReason
			for _, n := range r.Notes {
				notes = append(notes, n.Reason)
			}
			require.Equal(t, c.notes, notes)
			for _, v := range r.Verdicts {
				require.True(t, v.Won || v.Why != "", "%v is unexplained", v)
			}
		})
	}
}

func TestARampIsNotSlowedDown(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}}
	for _, floor := range []int32{40, 20, 3} {
		in.Contributions = []Contribution{window("evening", Contribution{MinReplicas: p(floor), RaiseOnly: true, Sinking: true})}
		r := Evaluate(in)
		require.Equal(t, floor, r.Bounds.Min)
		require.True(t, r.Has(RampingDown))
		in.State, in.Now = r.State, in.Now.Add(time.Minute)
	}
}

// A window whose ramp is over is gone at once, also if nobody looked while it sank; one that is deleted earlier decays.
func TestAfterItsRampAWindowIsGone(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}}
	in.Contributions = []Contribution{window("evening", Contribution{MinReplicas: p(40), Until: noon.Add(time.Minute), RampEnds: noon.Add(10 * time.Minute)})}
	in.State, in.Contributions = Evaluate(in).State, nil
	in.Now = noon.Add(2 * time.Minute)
	deleted := Evaluate(in)
	require.True(t, deleted.Has(Decaying))
	require.Equal(t, int32(40), deleted.Bounds.Min)
	in.Now = noon.Add(10 * time.Minute)
	require.Equal(t, in.Base, Evaluate(in).Bounds)
}

func TestAVanishedFloorDecays(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}, Contributions: []Contribution{forecast(50)}}
	in.State = Evaluate(in).State
	in.Contributions = nil
	var heights []int32
	for minute := range 40 {
		in.Now = noon.Add(time.Duration(minute+1) * time.Minute)
		r := Evaluate(in)
		heights, in.State = append(heights, r.Bounds.Min), r.State
	}
	require.Equal(t, []int32{50, 45, 41, 37, 33}, heights[:5])
	require.Equal(t, int32(2), heights[39])
	require.Nil(t, in.State.Applied, "the user's own bounds are back")
	require.Nil(t, in.State.Tail)
}

// A floor that is gone before the HPA has followed it sinks from what the HPA has or is about to have.
func TestAFloorSinksFromWhatRuns(t *testing.T) {
	for name, c := range map[string]struct {
		observed Observed
		want     Bounds
		decay    bool
	}{
		"it has not looked yet":       {Observed{Replicas: 2, Desired: 2}, Bounds{2, 100}, false},
		"it has begun":                {Observed{Replicas: 3, Desired: 30}, Bounds{30, 100}, true},
		"it is on its way":            {Observed{Replicas: 30, Desired: 30}, Bounds{30, 100}, true},
		"it has followed":             {Observed{Replicas: 50, Desired: 50}, Bounds{50, 100}, true},
		"it has more":                 {Observed{Replicas: 70, Desired: 70}, Bounds{50, 100}, true},
		"nobody knows what it has":    {Observed{}, Bounds{50, 100}, true},
		"its metrics want more alone": {Observed{Replicas: 2, Desired: 2, Wanted: p(40)}, Bounds{2, 100}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Now: noon, Base: Bounds{2, 100}, Contributions: []Contribution{override(Contribution{MinReplicas: p(50)})}}
			in.State = Evaluate(in).State
			in.Now, in.Contributions, in.Observed = noon.Add(5*time.Second), nil, c.observed
			r := Evaluate(in)
			require.Equal(t, c.want, r.Bounds)
			require.Equal(t, c.decay, r.Has(Decaying))
		})
	}
}

// A floor that sinks since a time that is yet to come sinks from now on.
func TestAClockThatWasAheadHoldsNoFloor(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}}
	in.State = State{Applied: &Bounds{50, 100}, FloorBy: Source{Kind: KindForecast}, Tail: &Tail{From: 50, Since: noon.Add(time.Hour)}}
	r := Evaluate(in)
	require.Equal(t, int32(50), r.Bounds.Min)
	require.Equal(t, noon, r.State.Tail.Since)
	require.Equal(t, noon.Add(time.Hour), in.State.Tail.Since, "the input is as it was")
	in.Now, in.State = noon.Add(time.Minute), r.State
	require.Equal(t, int32(45), Evaluate(in).Bounds.Min)
}

// A floor that falls as slowly as a decay would falls with one change, and one that falls by more decays.
func TestASmallFallIsOneChange(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		to    int32
		want  int32
		decay bool
	}{
		"a tenth":                     {time.Minute, 90, 90, false},
		"more than a tenth":           {time.Minute, 89, 100, true},
		"a tenth, but within seconds": {time.Minute - time.Second, 90, 100, true},
		"to nothing":                  {time.Hour, 0, 100, true},
		"a rise":                      {time.Second, 101, 101, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Now: noon, Base: Bounds{2, 200}, Contributions: []Contribution{forecast(100)}}
			in.State = Evaluate(in).State
			in.Now, in.Contributions = noon.Add(c.after), []Contribution{forecast(c.to)}
			r := Evaluate(in)
			require.Equal(t, c.want, r.Bounds.Min)
			require.Equal(t, c.decay, r.Has(Decaying))
			require.Equal(t, c.decay, r.State.Tail != nil)
		})
	}
}

func TestTheUserLowersAtOnce(t *testing.T) {
	for _, tail := range []*Tail{nil, {From: 50, Since: noon}} { // also while the floor sinks
		in := Input{Now: noon, Base: Bounds{20, 100}, Contributions: []Contribution{forecast(50)}}
		in.State = Evaluate(in).State
		in.State.Tail = tail
		a := Adopt(Bounds{3, 60}, in.Base, in.State, noon)
		require.Equal(t, Edited, a.Change)
		require.Equal(t, Bounds{3, 60}, a.Base)
		r := Evaluate(Input{Now: noon, Base: a.Base, State: a.State, Observed: Observed{Replicas: 50}})
		require.Equal(t, Bounds{3, 60}, r.Bounds, "what the user writes in the HPA is not held up")
	}
}

func TestAnOverrideLowersAtOnce(t *testing.T) {
	for _, tail := range []*Tail{nil, {From: 50, Since: noon}} {
		in := Input{Now: noon, Base: Bounds{20, 100}, Contributions: []Contribution{forecast(50)}, Observed: Observed{Replicas: 50}}
		in.State = Evaluate(in).State
		in.State.Tail = tail
		in.Contributions = append(in.Contributions, override(Contribution{MinReplicas: p(3)}))
		r := Evaluate(in)
		require.Equal(t, Bounds{3, 100}, r.Bounds)
		require.Nil(t, r.State.Tail)
	}
}

// A floor that sinks under a raised maximum is not cut by the maximum that comes back, whatever is known of the HPA.
func TestTheMaximumStaysAboveASinkingFloor(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}, Contributions: []Contribution{window("sale", Contribution{MinReplicas: p(400), MaxReplicas: p(1000)})}}
	in.State, in.Contributions = Evaluate(in).State, nil
	require.Equal(t, Bounds{400, 440}, Evaluate(in).Bounds)
}

func TestWithRoom(t *testing.T) {
	for _, c := range []struct{ need, present, want int32 }{
		{800, 1000, 880}, {800, 850, 850}, {5, 1000, 6}, {5, 5, 5}, {math.MaxInt32, math.MaxInt32, math.MaxInt32},
	} {
		require.Equal(t, c.want, WithRoom(c.need, c.present))
	}
}

func TestMaximumFollowsDemandDown(t *testing.T) {
	sale := window("sale", Contribution{MinReplicas: p(10), MaxReplicas: p(1000)})
	in := Input{Now: noon.Add(-time.Minute), Base: Bounds{2, 100}, Contributions: []Contribution{sale}, Observed: Observed{Replicas: 800}}
	in.State = Evaluate(in).State
	for _, step := range []struct {
		replicas, desired int32
		wanted            *int32
		max               int32
	}{
		{800, 800, p(900), 990}, {850, 850, p(860), 946}, {860, 860, nil, 946}, {700, 700, p(650), 770}, {700, 720, p(650), 770}, {101, 90, nil, 111}, {90, 90, p(95), 100},
	} {
		in.Now = in.Now.Add(time.Minute)
		in.Contributions, in.Observed = nil, Observed{Replicas: step.replicas, Desired: step.desired, Wanted: step.wanted}
		r := Evaluate(in)
		require.Equal(t, step.max, r.Bounds.Max)
		require.Equal(t, step.max > 100, r.Has(Restoring))
		in.State = r.State
	}
}

func TestOnlyAHardMaximumCuts(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}, Observed: Observed{Replicas: 80}}
	in.Contributions = []Contribution{override(Contribution{MaxReplicas: p(10)})}
	require.Equal(t, int32(88), Evaluate(in).Bounds.Max, "what the HPA has, and room to scale up")
	in.Contributions[0].HardMax = true
	require.Equal(t, int32(10), Evaluate(in).Bounds.Max)
}

func TestFreeze(t *testing.T) {
	in := Input{Now: noon, Base: Bounds{2, 100}, Contributions: []Contribution{override(Contribution{Freeze: true})}}
	for _, step := range [][2]int32{{20, 20}, {30, 30}, {25, 30}} {
		in.Observed.Replicas = step[0]
		r := Evaluate(in)
		require.Equal(t, step[1], r.Bounds.Min)
		require.True(t, r.Has(Frozen))
		in.State = r.State
	}
	in.Contributions, in.Observed.Replicas = nil, 30
	r := Evaluate(in)
	require.Equal(t, int32(30), r.Bounds.Min, "the end of a freeze starts a decay")
	require.Zero(t, r.State.FrozenAt)
}

// Of contributions that differ in their priority alone the higher one counts, whichever comes first.
func TestEqualsButForThePriority(t *testing.T) {
	low := window("sale", Contribution{Freeze: true})
	high := window("sale", Contribution{Freeze: true, Priority: 1})
	saving := window("saving", Contribution{MaxReplicas: p(10), Priority: 1})
	for _, contributions := range [][]Contribution{{low, high, saving}, {high, low, saving}} {
		r := Evaluate(Input{Now: noon, Base: Bounds{2, 100}, Observed: Observed{Replicas: 40}, Contributions: contributions})
		require.Equal(t, Bounds{40, 40}, r.Bounds)
	}
}

func TestPaused(t *testing.T) {
	state := State{FrozenAt: 3}
	r := Evaluate(Input{Now: noon, Base: Bounds{2, 10}, State: state, Contributions: []Contribution{forecast(5)}, Observed: Observed{Paused: true, Live: Bounds{4, 7}}})
	require.Equal(t, Bounds{4, 7}, r.Bounds)
	require.Equal(t, state, r.State)
}

func TestWithout(t *testing.T) {
	r := Evaluate(Input{Now: noon, Base: Bounds{2, 10}, Contributions: []Contribution{forecast(5)}, Observed: Observed{Wanted: p(14)}})
	require.Equal(t, Bounds{2, 10}, r.Without.Bounds)
	require.Equal(t, int32(10), *r.Without.Replicas)
}

func TestAdopt(t *testing.T) {
	base, applied := Bounds{2, 100}, Bounds{40, 100}
	state := State{Applied: &applied, FloorBy: Source{Kind: KindForecast}}
	require.Equal(t, Unchanged, Adopt(applied, base, state, noon).Change)
	require.Equal(t, Unchanged, Adopt(base, base, State{}, noon).Change)
	require.Equal(t, Edited, Adopt(Bounds{3, 9}, base, State{}, noon).Change)

	a := Adopt(Bounds{40, 50}, base, state, noon)
	require.Equal(t, Edited, a.Change)
	require.Equal(t, Bounds{2, 50}, a.Base, "the field that is as it was written is not the user's")

	raised := Bounds{400, 1000}
	a = Adopt(Bounds{500, 1000}, base, State{Applied: &raised}, noon)
	require.Equal(t, Bounds{100, 100}, a.Base, "a minimum set under a raised maximum is at most the own one")

	for i := range MaxReverts {
		now := noon.Add(time.Duration(i) * time.Minute)
		a = Adopt(base, base, state, now)
		require.Equal(t, Reverted, a.Change)
		state = a.State
	}
	require.Equal(t, Contested, Adopt(base, base, state, noon.Add(9*time.Minute)).Change)
	require.Equal(t, Reverted, Adopt(base, base, state, noon.Add(RevertWindow)).Change)
	require.Equal(t, Reverted, Adopt(base, base, state, noon.Add(-time.Hour)).Change, "a clock that was ahead argues with nobody")
}
