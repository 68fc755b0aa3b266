// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/health"
)

var findings = []health.Cause{ok, ok, ok, un, un, un, health.Unhealthy, health.Unauthorized, health.Untrusted, health.Invalid, health.NotProbed, "Strange", health.NodesNotReady}

func drawOptions(t *rapid.T) health.Options {
	seconds := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(-1, most*1000).Draw(t, name)) * time.Millisecond
	}
	return health.Options{
		Interval: seconds("interval", 30), Timeout: seconds("timeout", 10),
		SuspectThreshold: rapid.Int32Range(-1, 4).Draw(t, "suspect threshold"), FailureThreshold: rapid.Int32Range(-1, 5).Draw(t, "failure threshold"),
		FailedAfter: seconds("failed after", 60), SuccessThreshold: rapid.Int32Range(-1, 5).Draw(t, "success threshold"), HealthyAfter: seconds("healthy after", 90),
		MinReadyNodes: rapid.Int32Range(-10, 120).Draw(t, "nodes"), MinReadyPods: rapid.Int32Range(-10, 120).Draw(t, "pods"),
		SharesFor: seconds("shares", 90), DemandFor: seconds("demand", 90), DemandAtMost: seconds("demand at most", 200), MaxSkew: seconds("skew", 30),
	}
}

func drawShare(t *rapid.T, name string, now time.Time) *health.Share {
	if rapid.Float64().Draw(t, name+" known") < 0.3 {
		return nil
	}
	total := rapid.Int64Range(-1, 10).Draw(t, name)
	return &health.Share{Ready: rapid.Int64Range(-1, 10).Draw(t, name+" ready"), Total: total, At: now.Add(-time.Duration(rapid.IntRange(-2, 60).Draw(t, name+" age")) * time.Second)}
}

// story draws steps as a hub makes them: mostly at Next or somewhat before, sometimes late, after a sleep, or with a clock
// that was set.
type story struct {
	t       *rapid.T
	options health.Options
	kept    health.Kept
	now     time.Time
	input   health.Input
	verdict health.Verdict
	quiet   bool // no jumps, and nothing but probes
	causes  []health.Cause
	counted time.Time // the latest probe that was news
}

func newStory(t *rapid.T) *story {
	s := &story{t: t, options: drawOptions(t), now: noon, causes: findings}
	s.kept = rapid.SampledFrom([]health.Kept{{}, healthy(), suspect(), failed()}).Draw(t, "kept")
	s.verdict.Next = noon.Add(time.Second)
	return s
}

func (s *story) move() {
	wait := max(s.verdict.Next.Sub(s.now), time.Millisecond)
	if kind := rapid.Float64().Draw(s.t, "when"); kind < 0.2 {
		wait = time.Duration(rapid.Int64Range(0, int64(wait)).Draw(s.t, "wait"))
	} else if !s.quiet && kind > 0.95 {
		wait = time.Duration(rapid.IntRange(-4000, 4000).Draw(s.t, "jump")) * time.Second
	}
	s.now = s.now.Add(wait)
	at := s.now.Add(-time.Duration(rapid.IntRange(0, 900).Draw(s.t, "lag")) * time.Millisecond)
	if sameSecond := at.Truncate(time.Second).Equal(s.input.Probe.At.Truncate(time.Second)); !sameSecond && rapid.Float64().Draw(s.t, "probed") < 0.9 {
		s.input.Probe = health.Probe{At: at, Cause: rapid.SampledFrom(s.causes).Draw(s.t, "cause"), Message: "words"}
	}
	s.input.Options = s.options
	if s.quiet {
		return
	}
	s.input.Nodes, s.input.Pods = drawShare(s.t, "nodes", s.now), drawShare(s.t, "pods", s.now)
	s.input.Suspended = rapid.Float64().Draw(s.t, "suspended") < 0.03
	if s.input.DuplicateOf = ""; rapid.Float64().Draw(s.t, "duplicate") < 0.05 {
		s.input.DuplicateOf = "east"
	}
	if rapid.Float64().Draw(s.t, "demand") < 0.2 {
		s.input.Demand = s.now.Add(-time.Duration(rapid.IntRange(-5, 100).Draw(s.t, "age")) * time.Second)
	}
}

func (s *story) step() { s.verdict = health.Step(s.input, s.kept, s.now) }

// news is what a probe found that nobody has counted; "": there is none.
func (s *story) news() health.Cause {
	p := s.input.Probe
	if s.counted.After(s.now) {
		s.counted = time.Time{}
	}
	if s.input.Suspended || p.At.After(s.now) || !p.At.Truncate(time.Second).After(s.counted) || p.Cause.Meaning() == "" || p.Cause == health.NotProbed || p.Cause == health.NodesNotReady {
		return ""
	}
	s.counted = p.At.Truncate(time.Second)
	return p.Cause
}

// run calls check after every step, before what was kept is replaced.
func (s *story) run(check func()) {
	for range rapid.IntRange(1, 25).Draw(s.t, "steps") {
		s.move()
		s.step()
		check()
		s.kept = s.verdict.Kept
	}
}

// Whatever comes: a verdict from the closed sets with words and a time to look again, the same for the same arguments and
// for what was kept as JSON.
func TestPropertyAlways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.run(func() {
			v := s.verdict
			require.Contains(t, []health.State{h, health.Suspect, f}, v.State)
			require.Contains(t, health.Causes(), v.Cause)
			require.Equal(t, v.State == h, v.Cause == ok)
			require.NotEmpty(t, v.Message)
			require.True(t, v.Next.After(s.now))
			require.False(t, v.Since.After(s.now))
			require.Equal(t, v.State, v.Kept.State)
			if s.kept.State != "" && !s.kept.Since.After(s.now) && (s.kept.State == h) == (v.State == h) {
				require.True(t, v.Since.Equal(s.kept.Since), "since changes with health only")
			}

			text, err := json.Marshal(s.kept)
			require.NoError(t, err)
			var read health.Kept
			require.NoError(t, json.Unmarshal(text, &read))
			require.Equal(t, v, health.Step(s.input, read, s.now))
		})
	})
}

// A new leader that knows what was written last may count anew, but never declares anything that the old one would not.
func TestPropertyChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		written := s.kept
		s.run(func() {
			other := health.Step(s.input, written, s.now)
			if other.State == f || other.State == h && written.State != h {
				require.Equal(t, other.State, s.verdict.State)
			}
			if s.verdict.Kept.Changed(written) {
				written = s.verdict.Kept
			}
			require.Equal(t, s.verdict.State, written.State)
			require.True(t, s.verdict.Since.Equal(written.Since))
		})
	})
}

// No credential and no certificate ever fail anybody, with whatever good probes between.
func TestPropertyRefusalsNeverFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.causes = []health.Cause{health.Unauthorized, health.Untrusted, health.Invalid, health.NotProbed, ok}
		s.kept = rapid.SampledFrom([]health.Kept{{}, healthy(), suspect()}).Draw(t, "not failed")
		s.quiet = rapid.Bool().Draw(t, "quiet")
		s.run(func() {
			if s.verdict.State == f {
				require.NotNil(t, s.input.Nodes)
				require.Equal(t, ok, s.input.Probe.Cause, "only a live API over dead nodes")
			}
		})
	})
}

// The younger of two members that are one cluster is never Healthy, and fails only where another one would.
func TestPropertyDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.run(func() {
			other := s.input
			other.DuplicateOf = "east"
			v := health.Step(other, s.kept, s.now)
			require.NotEqual(t, h, v.State)
			other.DuplicateOf = ""
			alone := health.Step(other, s.kept, s.now)
			switch {
			case alone.State == f:
				require.Equal(t, f, v.State)
			case s.kept.State != f:
				require.Equal(t, health.Suspect, v.State)
			}
		})
	})
}

// Nobody fails before failedAfter has passed since the last good probe and since the last jump of the clock, nor without
// as many failed probes as asked for, nor while demand comes in.
func TestPropertyFailedNotEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.kept = rapid.SampledFrom([]health.Kept{{}, healthy(), suspect()}).Draw(t, "not failed")
		s.options.MinReadyNodes = 0
		o := positive(s.options)
		begin, failures := s.now.Add(-time.Hour), int32(0)
		s.run(func() {
			if s.now.Before(s.kept.Looked) || s.now.Sub(s.kept.Looked) > 3*(o.Interval+o.Timeout) {
				begin, failures = s.now.Add(-time.Second), 0 // of a probe that ended a second ago at most
			}
			switch s.news() {
			case un, health.Unhealthy:
				failures++
			case ok:
				begin, failures = s.input.Probe.At, 0
			}
			if s.verdict.State == f && s.kept.State != f {
				require.GreaterOrEqual(t, s.now.Sub(begin), o.FailedAfter)
				require.GreaterOrEqual(t, failures, o.FailureThreshold)
				demanded := s.input.Demand.After(s.kept.FailingSince) && !s.input.Demand.After(s.now) && s.now.Sub(s.input.Demand) <= o.DemandFor
				require.False(t, demanded && s.now.Sub(s.kept.FailingSince) <= o.DemandAtMost)
			}
		})
	})
}

// Nobody becomes Healthy before healthyAfter of good probes only, however the API flaps.
func TestPropertyHealthyNotEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.kept = rapid.SampledFrom([]health.Kept{{}, suspect(), failed()}).Draw(t, "not healthy")
		o := positive(s.options)
		begin, good := s.now, int32(0)
		s.run(func() {
			switch s.news() {
			case "":
			case ok:
				if good++; good == 1 {
					begin = s.input.Probe.At
				}
			default:
				good = 0
			}
			if s.input.Suspended || s.input.DuplicateOf != "" || s.verdict.Cause == health.NodesNotReady {
				good = 0
			}
			if s.verdict.State == h && s.kept.State != h {
				require.GreaterOrEqual(t, good, o.SuccessThreshold)
				require.GreaterOrEqual(t, s.now.Sub(begin), o.HealthyAfter)
			}
		})
	})
}

// Failed ends with Healthy, or because somebody suspends the member.
func TestPropertyFailedEndsHealthy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.run(func() {
			if s.kept.State == f && s.verdict.State == health.Suspect {
				require.True(t, s.input.Suspended)
			}
		})
	})
}

// A member that is dead from some time on fails, and one that is well from then on is Healthy, whatever was before, both
// in bounded time: nobody is stuck.
func TestPropertyEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.run(func() {})
		end := rapid.SampledFrom([]health.Cause{ok, un, health.Unhealthy}).Draw(t, "end")
		o := positive(s.options)
		s.quiet, s.input = true, health.Input{Options: s.options}
		limit := s.now.Add(2*max(o.FailedAfter, o.HealthyAfter) + o.DemandFor + 10*(o.Interval+5*time.Second))
		for s.now.Before(limit) {
			s.now = s.now.Add(max(s.verdict.Next.Sub(s.now), time.Second))
			s.input.Probe = health.Probe{At: s.now, Cause: end}
			s.step()
			s.kept = s.verdict.Kept
		}
		want := f
		if end == ok {
			want = h
		}
		require.Equal(t, want, s.verdict.State, s.verdict.Message)
	})
}

// positive is what the options mean.
func positive(o health.Options) health.Options {
	d := health.DefaultOptions()
	pick := func(value, otherwise time.Duration) time.Duration {
		if value <= 0 {
			return otherwise
		}
		return value
	}
	o.Interval, o.Timeout, o.FailedAfter = pick(o.Interval, d.Interval), pick(o.Timeout, d.Timeout), pick(o.FailedAfter, d.FailedAfter)
	o.HealthyAfter, o.DemandFor = pick(o.HealthyAfter, d.HealthyAfter), pick(o.DemandFor, d.DemandFor)
	o.DemandAtMost = pick(o.DemandAtMost, d.DemandAtMost)
	o.Interval, o.Timeout = max(o.Interval, time.Second), max(o.Timeout, time.Second)
	if o.FailureThreshold <= 0 {
		o.FailureThreshold = d.FailureThreshold
	}
	if o.SuccessThreshold <= 0 {
		o.SuccessThreshold = d.SuccessThreshold
	}
	return o
}
