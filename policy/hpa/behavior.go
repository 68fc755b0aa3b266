// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"math"
	"time"
)

// withDefaults fills in what the API server fills in when a spec has a behavior; the stabilization of scaling down
// comes from the controller's flag.
func (b Behavior) withDefaults(opts Options) Behavior {
	none := time.Duration(0)
	window := opts.DownscaleStabilization.Truncate(time.Second)
	return Behavior{
		ScaleUp: b.ScaleUp.withDefaults(&none, []Policy{
			{Type: PodsPolicy, Value: 4, Period: 15 * time.Second},
			{Type: PercentPolicy, Value: 100, Period: 15 * time.Second},
		}),
		ScaleDown: b.ScaleDown.withDefaults(&window, []Policy{
			{Type: PercentPolicy, Value: 100, Period: 15 * time.Second},
		}),
	}
}

func (r Rules) withDefaults(window *time.Duration, policies []Policy) Rules {
	if r.Stabilization == nil {
		r.Stabilization = window
	}
	if r.Select == "" {
		r.Select = SelectMax
	}
	if len(r.Policies) == 0 {
		r.Policies = policies
	}
	return r
}

// stabilize returns the replicas after the stabilization windows of a spec with a behavior, and the memory with wanted.
func (b Behavior) stabilize(memory []Recommendation, now time.Time, current, wanted int32) (int32, []Recommendation) {
	upStart := now.Add(-*b.ScaleUp.Stabilization)
	downStart := now.Add(-*b.ScaleDown.Stabilization)
	lowest, highest, spent := wanted, wanted, -1
	for i, r := range memory {
		if r.Time.After(upStart) {
			lowest = min(lowest, r.Replicas)
		}
		if r.Time.After(downStart) {
			highest = max(highest, r.Replicas)
		}
		if r.Time.Before(upStart) && r.Time.Before(downStart) {
			spent = i
		}
	}
	return min(max(current, lowest), highest), remember(memory, spent, Recommendation{wanted, now})
}

// stabilizePlain does the same for a spec without a behavior.
func stabilizePlain(memory []Recommendation, window time.Duration, now time.Time, wanted int32) (int32, []Recommendation) {
	start := now.Add(-window)
	highest, spent := wanted, -1
	for i, r := range memory {
		if r.Time.Before(start) {
			spent = i
		} else {
			highest = max(highest, r.Replicas)
		}
	}
	return highest, remember(memory, spent, Recommendation{wanted, now})
}

// remember adds an entry to the memory, in the place of a spent one if there is any. It matters which place: spent
// entries come to life again when the spec's windows become longer.
func remember[T any](memory []T, spent int, entry T) []T {
	if spent < 0 {
		return append(memory, entry)
	}
	memory[spent] = entry
	return memory
}

// changed adds up the events of the period before now.
func changed(events []ScaleEvent, now time.Time, period time.Duration) int32 {
	start := now.Add(-period)
	var sum int32
	for _, e := range events {
		if e.Time.After(start) {
			sum += e.Change
		}
	}
	return sum
}

// record adds an event.
func (r Rules) record(events []ScaleEvent, now time.Time, change int32) []ScaleEvent {
	var longest time.Duration
	for _, p := range r.Policies {
		longest = max(longest, p.Period)
	}
	start, spent := now.Add(-longest), -1
	for i := range events {
		if events[i].Time.Before(start) {
			events[i].Spent = true
		}
		if events[i].Spent {
			spent = i
		}
	}
	return remember(events, spent, ScaleEvent{Change: change, Time: now})
}

// ceiling is how far the policies let the replicas rise now.
func (r Rules) ceiling(s State, now time.Time, current int32) int32 {
	if r.Select == SelectDisabled {
		return current
	}
	limit := int32(math.MinInt32)
	if r.Select == SelectMin {
		limit = math.MaxInt32
	}
	for _, p := range r.Policies {
		start := current - changed(s.ScaleUps, now, p.Period) + changed(s.ScaleDowns, now, p.Period)
		proposed := start + p.Value
		if p.Type == PercentPolicy {
			proposed = ceil(float64(start) * (1 + float64(p.Value)/100))
		}
		if r.Select == SelectMin {
			limit = min(limit, proposed)
		} else {
			limit = max(limit, proposed)
		}
	}
	return max(limit, current)
}

// floor is how far the policies let the replicas sink now.
func (r Rules) floor(s State, now time.Time, current int32) int32 {
	if r.Select == SelectDisabled {
		return current
	}
	limit := int32(math.MaxInt32)
	if r.Select == SelectMin {
		limit = math.MinInt32
	}
	for _, p := range r.Policies {
		start := current - changed(s.ScaleUps, now, p.Period) + changed(s.ScaleDowns, now, p.Period)
		proposed := start - p.Value
		if p.Type == PercentPolicy {
			proposed = int32(max(float64(start)*(1-float64(p.Value)/100), math.MinInt32))
		}
		if r.Select == SelectMin {
			limit = max(limit, proposed)
		} else {
			limit = min(limit, proposed)
		}
	}
	return min(limit, current)
}
