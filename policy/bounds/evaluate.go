// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"fmt"
	"math"
	"time"
)

// DecayPerMinute is the share of its height that a floor loses in a minute when what asked for it is gone without a
// ramp, or asks for less.
const DecayPerMinute = 0.10

// Evaluate decides the bounds. It depends on nothing but its argument, and does not change it. What it promises:
//   - The maximum never falls below what the HPA has or wants now, except to a HardMax that is active. (An HPA above
//     its maximum jumps down at once, past its behavior.)
//   - Floors sink in steps, from what the HPA has made of them. Only an override or the user's own edit lowers one at once.
//   - When nothing contributes any more and the HPA wants no more than the user's maximum, the user's own bounds come back.
func Evaluate(in Input) Result {
	e := evaluation{Input: in}
	e.Base, e.order = sane(e.Base), e.sorted()
	e.out.State.Reverts = in.State.Reverts
	e.out.Verdicts = make([]Verdict, len(in.Contributions))
	for i, c := range in.Contributions {
		e.out.Verdicts[i].Source = c.Source
	}
	e.out.Without = e.without()
	if in.Observed.Paused {
		return e.paused()
	}
	top := e.pickMax()
	floor := e.pickFloor(top)
	e.combine(top, floor, e.tail(floor))
	return e.out
}

// evaluation is one Evaluate while it runs.
type evaluation struct {
	Input
	order []int // of the contributions
	out   Result
}

// claim is a number with its author; contribution is -1 for the base and for what only the State knows of.
type claim struct {
	value        int32
	by           Source
	contribution int
	override     bool // of a floor: it takes effect at once
	hard         bool // of a maximum
}

// sane is what the API server would accept.
func sane(b Bounds) Bounds {
	b.Max = max(b.Max, 1)
	b.Min = min(max(b.Min, 0), b.Max)
	return b
}

func (e *evaluation) without() Without {
	w := Without{Bounds: e.Base}
	if wanted := e.Observed.Wanted; wanted != nil {
		n := min(max(*wanted, e.Base.Min), e.Base.Max)
		w.Replicas = &n
	}
	return w
}

func (e *evaluation) paused() Result {
	e.out.Bounds, e.out.State = e.Observed.Live, e.State
	e.out.FloorBy, e.out.MaxBy = e.State.FloorBy, Source{Kind: KindBase}
	if e.out.FloorBy.Kind == "" {
		e.out.FloorBy = Source{Kind: KindBase}
	}
	e.note(Paused, "paused: the bounds stay at %d..%d", e.Observed.Live.Min, e.Observed.Live.Max)
	for i := range e.out.Verdicts {
		e.out.Verdicts[i].Why = "paused"
	}
	return e.out
}

func (e *evaluation) note(reason NoteReason, format string, args ...any) {
	e.out.Notes = append(e.out.Notes, Note{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

// floor is the number that the contribution states, with what a freeze has collected.
func (e *evaluation) floor(c Contribution) (int32, bool) {
	if c.Freeze {
		n := max(e.State.FrozenAt, e.Observed.Replicas)
		if c.MinReplicas != nil {
			n = max(n, *c.MinReplicas)
		}
		return n, true
	}
	if c.MinReplicas == nil {
		return 0, false
	}
	return max(*c.MinReplicas, 0), true
}

// ceiling is the maximum that the contribution states.
func (c Contribution) ceiling() (int32, bool) {
	switch {
	case c.Exact && c.MinReplicas != nil:
		return max(*c.MinReplicas, 1), true
	case c.MaxReplicas != nil:
		return max(*c.MaxReplicas, 1), true
	}
	return 0, false
}

// raises says whether the contribution only ever raises a floor.
func (c Contribution) raises() bool { return c.RaiseOnly || c.Freeze }

// tail returns the floor that has lost its reason and is above floor now, nil without one.
func (e *evaluation) tail(floor claim) *Tail {
	if floor.override {
		return nil
	}
	tail := e.State.Tail
	if tail == nil && e.State.Applied != nil && !e.expected() && !e.small(floor) {
		tail = &Tail{From: e.followed(), Since: e.Now, By: e.State.FloorBy}
	}
	if tail != nil && tail.Since.After(e.Now) { // a clock was ahead, and the floor would stay for as long
		tail = &Tail{From: tail.From, Since: e.Now, By: tail.By}
	}
	if tail == nil || tail.height(e.Now) <= floor.value {
		return nil
	}
	return tail
}

// followed is how far the HPA has followed the floor that was applied; all the way where nobody knows. To sink from higher
// would first raise what nobody asks for any more.
func (e *evaluation) followed() int32 {
	if runs := max(e.Observed.Replicas, e.Observed.Desired); runs > 0 {
		return min(runs, e.State.Applied.Min)
	}
	return e.State.Applied.Min
}

// small says whether a lower floor is no less than what a minute leaves of the one that has been applied for as long, so
// that it need not sink to be as slow. A forecast's floor falls like that all day.
func (e *evaluation) small(floor claim) bool {
	return e.Now.Sub(e.State.Since) >= time.Minute && float64(floor.value) >= float64(e.State.Applied.Min)*(1-DecayPerMinute)
}

// expected says whether the floor that was applied may sink at once: the user lowered it in the HPA itself, or it is
// on its ramp, or that is over.
func (e *evaluation) expected() bool {
	if e.State.FloorBy.Kind == KindBase {
		return true
	}
	if ends := e.State.RampEnds; !ends.IsZero() && !e.Now.Before(ends) {
		return true
	}
	for _, c := range e.Contributions {
		if c.Sinking && c.Source == e.State.FloorBy {
			return true
		}
	}
	return false
}

// height is the floor that is left of the tail.
func (t Tail) height(now time.Time) int32 {
	minutes := max(0, now.Sub(t.Since).Minutes())
	left := float64(t.From) * math.Pow(1-DecayPerMinute, minutes)
	if left < 1 {
		return 0
	}
	return int32(math.Ceil(left))
}

// combine puts the parts together and writes down what the next evaluation needs.
func (e *evaluation) combine(top, floor claim, tail *Tail) {
	top = e.makeRoom(top, floor)
	if floor.value > top.value {
		e.note(FloorCapped, "the floor of %d that %s asks for is above the maximum %d of %s", floor.value, floor.by, top.value, top.by)
		floor.value = top.value
	}
	var sinking int32
	if tail != nil {
		sinking = tail.height(e.Now)
		e.out.State.Tail = tail
		e.note(Decaying, "%s no longer asks for its floor, which is at %d on the way to %d, %.0f %% a minute",
			tail.By, sinking, floor.value, DecayPerMinute*100)
	}
	maximum := e.hold(top, sinking)
	if sinking > floor.value {
		floor = claim{value: sinking, by: tail.By, contribution: -1}
	}
	b := Bounds{Min: min(floor.value, maximum), Max: maximum}
	e.out.Bounds, e.out.FloorBy, e.out.MaxBy = b, floor.by, top.by
	e.win(floor, "sets minReplicas %d", b.Min)
	e.win(top, "sets maxReplicas %d", top.value)
	if c := floor.contribution; c >= 0 && e.Contributions[c].Sinking {
		e.note(RampingDown, "%s has ended; its floor is at %d on its way down", floor.by, b.Min)
	}
	if b == e.Base && tail == nil {
		return
	}
	e.out.State.Applied, e.out.State.FloorBy, e.out.State.Since = &b, floor.by, e.Now
	if floor.contribution >= 0 {
		e.out.State.RampEnds = e.Contributions[floor.contribution].RampEnds
	}
	if old := e.State.Applied; old != nil && *old == b {
		e.out.State.Since = e.State.Since
	}
}

// makeRoom raises a maximum that one contribution lowered below the floor of another that does not rank lower, up to
// what the latter may have. A forecast's floor never does that.
func (e *evaluation) makeRoom(top, floor claim) claim {
	if floor.value <= top.value || floor.contribution < 0 || top.contribution < 0 {
		return top
	}
	c := e.Contributions[floor.contribution]
	if c.Source.Kind == KindForecast || c.outranks(e.Contributions[top.contribution]) < 0 {
		return top
	}
	room := floor.value
	if _, states := c.ceiling(); !states {
		room = min(room, e.Base.Max)
	}
	if room <= top.value {
		return top
	}
	e.note(MaxRaised, "the floor of %d that %s asks for is above the maximum %d of %s, which does not rank higher", floor.value, floor.by, top.value, top.by)
	e.out.Verdicts[top.contribution].Why = fmt.Sprintf("its maximum %d is below the floor %d of %s", top.value, floor.value, floor.by)
	return claim{value: room, by: floor.by, contribution: floor.contribution}
}

// hold returns the maximum: the wanted one, or as much more of the present one as the HPA needs now, with room.
func (e *evaluation) hold(top claim, sinking int32) int32 {
	present := e.Base.Max
	if e.State.Applied != nil {
		present = e.State.Applied.Max
	}
	if top.hard || present <= top.value {
		return top.value
	}
	need := max(e.Observed.Replicas, e.Observed.Desired, sinking)
	if wanted := e.Observed.Wanted; wanted != nil {
		need = max(need, *wanted)
	}
	if need <= top.value {
		return top.value
	}
	held := WithRoom(need, present)
	e.note(Restoring, "maxReplicas goes from %d to %d as the HPA needs fewer; now it needs %d", held, top.value, need)
	return held
}

// WithRoom is a maximum for an HPA that needs so many replicas now: a tenth more, because it may scale up at the moment
// at which the maximum is written, and would be cut back to it. It never exceeds the present one for that, so it follows
// demand down and not up.
func WithRoom(need, present int32) int32 {
	return int32(min(int64(present), int64(need)+max(1, int64(need)/10)))
}

// win records a contribution's success.
func (e *evaluation) win(c claim, format string, args ...any) {
	if c.contribution < 0 {
		return
	}
	v := &e.out.Verdicts[c.contribution]
	text := fmt.Sprintf(format, args...)
	if v.Won {
		text = v.Why + " and " + text
	}
	v.Won, v.Why = true, text
}
