// SPDX-License-Identifier: Apache-2.0

package schedule

// merge settles what the active windows come to. Of the windows that are on, the highest priority decides, and the
// larger number among equals; ramps then raise the result, unless a window of higher priority has decided it.
func (d *Decision) merge(obs *Observations) {
	d.MinBy, d.MaxBy = -1, -1
	for i := range d.Active {
		a := &d.Active[i]
		if a.Phase != On {
			continue
		}
		if a.Min != nil && (d.MinBy < 0 || a.beats(&d.Active[d.MinBy], a.min, d.Active[d.MinBy].min)) {
			d.MinBy = i
		}
		if a.Max != nil && (d.MaxBy < 0 || a.beats(&d.Active[d.MaxBy], a.max, d.Active[d.MaxBy].max)) {
			d.MaxBy = i
		}
	}
	d.raise(obs)
	if d.MinBy >= 0 {
		d.Min = &d.Active[d.MinBy].min
	}
	if d.MaxBy >= 0 {
		d.Max, d.HardMax = &d.Active[d.MaxBy].max, d.Active[d.MaxBy].HardMax
	}
	d.settle()
}

func (a *Active) beats(b *Active, mine, other int32) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return mine > other
}

// raise lets ramps raise the floor and make room for it. The windows that are on are fixed first: a ramp is
// measured against their priority, not against other ramps.
func (d *Decision) raise(obs *Observations) {
	minOn, maxOn := d.MinBy, d.MaxBy
	for i := range d.Active {
		a := &d.Active[i]
		if a.Phase == On || a.Phase == Waiting {
			continue
		}
		if a.Min != nil && (minOn < 0 || a.Priority >= d.Active[minOn].Priority) && a.min > d.floor(obs) {
			d.MinBy = i
		}
		if a.Max != nil && (maxOn < 0 || a.Priority >= d.Active[maxOn].Priority) && a.max > d.ceiling(obs) {
			d.MaxBy = i
		}
	}
}

func (d *Decision) floor(obs *Observations) int32 {
	if d.MinBy >= 0 {
		return d.Active[d.MinBy].min
	}
	return obs.BaseMin
}

func (d *Decision) ceiling(obs *Observations) int32 {
	if d.MaxBy >= 0 {
		return d.Active[d.MaxBy].max
	}
	return obs.BaseMax
}

// settle resolves a floor above the maximum when windows decided both. What the HPA's own bounds make of the result
// is decided where the bounds are written.
func (d *Decision) settle() {
	if d.Min == nil || d.Max == nil || *d.Min <= *d.Max {
		return
	}
	floor, ceiling := *d.Min, *d.Max
	if d.Active[d.MaxBy].Priority > d.Active[d.MinBy].Priority {
		d.Min, d.Clash = &ceiling, FloorLowered
		return
	}
	d.Max, d.Clash = &floor, MaxRaised
}
