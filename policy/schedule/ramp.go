// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

const (
	maxRampSteps   = 30
	minRampSeconds = 10
)

// Phase is where an instant lies in the life of one interval of a window.
type Phase int

// The phases, in their order.
const (
	Waiting  Phase = iota + 1 // the ramp should have begun, but a target of `after` is not Ready
	RampUp                    // the floor rises
	Lead                      // the floor is full, so that the pods are Ready by the start
	On                        // from start to end
	RampDown                  // the floor sinks
)

// String returns the word that status and the CLI use.
func (p Phase) String() string {
	switch p {
	case Waiting:
		return "Waiting"
	case RampUp:
		return "RampUp"
	case Lead:
		return "Lead"
	case On:
		return "On"
	case RampDown:
		return "RampDown"
	default:
		return "Off"
	}
}

// rampSteps are the numbers of equal steps in which a window's ramps go: at most 30, none shorter than 10 s, so that
// an HPA is not written every second. A window without ramps has one step.
type rampSteps struct{ up, down int64 }

func stepsOf(seconds int64) int64 {
	return min(max(seconds/minRampSeconds, 1), maxRampSteps)
}

// stage is a place in the life of an interval: done of steps of a ramp, and when the next step or phase comes.
type stage struct {
	phase       Phase // 0: the interval does not matter
	done, steps int64
	next        int64 // Unix seconds; 0: never
}

// stageAt finds the stage at an instant. All ramps end at fixed times: the one up at start-lead, the one down at
// end+rampDown.
func (w *window) stageAt(s span, lead, now int64) stage {
	full := s.start - lead
	begin := full - w.rampUp
	switch {
	case now < begin:
		return stage{next: begin}
	case now < full:
		return rampStage(RampUp, begin, w.rampUp, w.steps.up, now)
	case now < s.start && now < s.end:
		return stage{phase: Lead, done: 1, steps: 1, next: s.start}
	case now < s.end:
		return stage{phase: On, done: 1, steps: 1, next: s.end}
	case now < s.end+w.rampDown:
		return rampStage(RampDown, s.end, w.rampDown, w.steps.down, now)
	default:
		return stage{}
	}
}

func rampStage(phase Phase, begin, length, steps, now int64) stage {
	done := (now - begin) * steps / length
	next := begin + ceilDiv((done+1)*length, steps)
	return stage{phase: phase, done: done, steps: steps, next: next}
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// level is the floor between base and full at this stage. It is never below base in a ramp.
func (g stage) level(base, full int32) int32 {
	if g.phase == On {
		return full
	}
	if full <= base {
		return base
	}
	done := g.done
	if g.phase == RampDown {
		done = g.steps - g.done
	}
	return base + int32(ceilDiv(int64(full-base)*done, g.steps))
}

// waiting returns the targets that hold back a ramp at an instant, and when the last of them is given up on.
func (w *window) waiting(s span, obs *Observations, lead, now int64) (targets []Target, until int64) {
	if len(w.After) == 0 || obs.AssumeReady {
		return nil, 0
	}
	begin := s.start - lead - w.rampUp
	for _, after := range w.After {
		timeout := after.Timeout
		if timeout == 0 {
			timeout = DefaultAfterTimeout
		}
		limit := begin + int64(timeout/time.Second)
		if now < limit && !obs.Ready[after.Target] && after.Target != obs.Self {
			targets = append(targets, after.Target)
			until = max(until, limit)
		}
	}
	return targets, until
}
