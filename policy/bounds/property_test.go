// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func optional(t *rapid.T, name string, most int32) *int32 {
	if !rapid.Bool().Draw(t, name+" stated") {
		return nil
	}
	return p(rapid.Int32Range(-1, most).Draw(t, name))
}

func drawContribution(t *rapid.T) Contribution {
	c := Contribution{
		Source: Source{
			Kind: rapid.SampledFrom([]string{KindSchedule, KindForecast, KindOverride}).Draw(t, "kind"),
			Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
		},
		MinReplicas: optional(t, "min", 60),
		MaxReplicas: optional(t, "max", 90),
		Exact:       rapid.Float64().Draw(t, "exact") < 0.1,
		Freeze:      rapid.Float64().Draw(t, "freeze") < 0.1,
		HardMax:     rapid.Float64().Draw(t, "hard") < 0.1,
		Priority:    rapid.Int32Range(0, 2).Draw(t, "priority"),
	}
	c.Override, c.RaiseOnly = c.Source.Kind == KindOverride, c.Source.Kind == KindForecast
	if rapid.Float64().Draw(t, "ramps") < 0.1 {
		c.RaiseOnly, c.Sinking = true, true
	}
	if rapid.Bool().Draw(t, "has ramp") {
		c.RampEnds = noon.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "ramp ends")) * time.Second)
	}
	return c
}

func drawObserved(t *rapid.T, live Bounds) Observed {
	// The HPA keeps within its live bounds, except that the metrics may want anything.
	o := Observed{Replicas: rapid.Int32Range(live.Min, live.Max).Draw(t, "replicas"), Live: live}
	o.Desired, o.Wanted = o.Replicas, optional(t, "wanted", 120)
	return o
}

// walk calls check for every step of a random story.
func walk(t *rapid.T, check func(in Input, r Result)) Input {
	low := rapid.Int32Range(0, 20).Draw(t, "base min")
	in := Input{Now: noon, Base: Bounds{low, max(low, 1) + rapid.Int32Range(0, 40).Draw(t, "base max")}}
	live := in.Base
	for range rapid.IntRange(1, 30).Draw(t, "steps") {
		in.Now = in.Now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
		if rapid.Float64().Draw(t, "change") < 0.3 {
			in.Contributions = rapid.SliceOfN(rapid.Custom(drawContribution), 0, 4).Draw(t, "contributions")
		}
		in.Observed = drawObserved(t, live)
		r := Evaluate(in)
		check(in, r)
		in.State, live = r.State, r.Bounds
	}
	return in
}

func (in Input) anyHardMax() bool {
	for _, c := range in.Contributions {
		if c.HardMax {
			return true
		}
	}
	return false
}

func (in Input) present() Bounds {
	if in.State.Applied != nil {
		return *in.State.Applied
	}
	return in.Base
}

// Nothing that starts, changes or ends cuts what the HPA has or wants, unless a hard maximum says so.
func TestNothingIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(in Input, r Result) {
			if in.anyHardMax() {
				return
			}
			need := in.Observed.Replicas
			if w := in.Observed.Wanted; w != nil {
				need = max(need, *w)
			}
			require.GreaterOrEqual(t, r.Bounds.Max, min(need, in.present().Max))
		})
	})
}

func TestBoundsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(in Input, r Result) {
			require.GreaterOrEqual(t, r.Bounds.Min, int32(0))
			require.GreaterOrEqual(t, r.Bounds.Max, max(r.Bounds.Min, 1))
			require.Len(t, r.Verdicts, len(in.Contributions))
			require.Equal(t, in.Base, r.Without.Bounds)
		})
	})
}

// Without an override, the floor loses at most its decay between two evaluations, except on a ramp or to the cap of a maximum.
func TestFloorsSinkSlowly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var last time.Time
		walk(t, func(in Input, r Result) {
			before, elapsed := in.present().Min, in.Now.Sub(last)
			last = in.Now
			excused := r.Has(RampingDown) || r.Has(FloorCapped) || in.anyHardMax() || in.State.FloorBy.Kind == KindBase || in.State.Applied == nil ||
				!in.State.RampEnds.IsZero() && !in.Now.Before(in.State.RampEnds)
			for _, c := range in.Contributions {
				excused = excused || c.Override || c.Sinking
			}
			if excused {
				return
			}
			if in.Now.Sub(in.State.Since) >= time.Minute {
				elapsed = max(elapsed, time.Minute) // what has held for a minute may lose a minute's share at once
			}
			// The floor before was rounded up from less than one below it.
			least := math.Floor(float64(before-1) * math.Pow(1-DecayPerMinute, elapsed.Minutes()))
			require.GreaterOrEqual(t, float64(r.Bounds.Min), math.Min(least, float64(r.Bounds.Max)))
		})
	})
}

// When everything is over and demand has gone, the user's own bounds come back and nothing is remembered.
func TestTheBaseComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := walk(t, func(Input, Result) {})
		in.Contributions, in.Observed = nil, Observed{Replicas: in.Base.Min}
		for range 60 {
			in.Now = in.Now.Add(time.Minute)
			in.State = Evaluate(in).State
		}
		r := Evaluate(in)
		require.Equal(t, in.Base, r.Bounds)
		require.Nil(t, r.State.Applied)
		require.Nil(t, r.State.Tail)
		require.Empty(t, r.Notes)
	})
}

// A decision depends on its input alone, leaves it as it was, and does not know the order of the contributions.
func TestPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(in Input, r Result) {
			before, err := json.Marshal(in)
			require.NoError(t, err)
			require.Equal(t, r, Evaluate(in))
			after, err := json.Marshal(in)
			require.NoError(t, err)
			require.JSONEq(t, string(before), string(after))

			shuffled := in
			shuffled.Contributions = rapid.Permutation(in.Contributions).Draw(t, "order")
			other := Evaluate(shuffled)
			require.Equal(t, r.Bounds, other.Bounds)
			require.Equal(t, r.FloorBy, other.FloorBy)
		})
	})
}
