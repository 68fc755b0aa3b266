// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"errors"
	"math"
	"slices"
)

// The reasons of the conditions that Decide sets; they are Kubernetes' own.
const (
	ReasonSucceededGetScale   = "SucceededGetScale"
	ReasonSucceededRescale    = "SucceededRescale"
	ReasonReadyForNewScale    = "ReadyForNewScale"
	ReasonScaleUpStabilized   = "ScaleUpStabilized"
	ReasonScaleDownStabilized = "ScaleDownStabilized"
	ReasonScalingDisabled     = "ScalingDisabled"
	ReasonValidMetricFound    = "ValidMetricFound"
	ReasonWithinRange         = "DesiredWithinRange"
	ReasonTooFewReplicas      = "TooFewReplicas"
	ReasonTooManyReplicas     = "TooManyReplicas"
	ReasonScaleUpLimit        = "ScaleUpLimit"
	ReasonScaleDownLimit      = "ScaleDownLimit"
)

// failedReason is the reason of ScalingActive when a metric of this type is the first that gave nothing.
func (t MetricType) failedReason() string { return "FailedGet" + string(t) + "Metric" }

// Decide is one sync of the HPA. It changes none of its arguments: the second result is the state for the next sync.
// A spec that Validate accepts never makes it panic, whatever is observed.
func Decide(spec Spec, opts Options, obs Observation, state State) (Decision, State) {
	state.Recommendations = slices.Clone(state.Recommendations)
	state.ScaleUps = slices.Clone(state.ScaleUps)
	state.ScaleDowns = slices.Clone(state.ScaleDowns)
	return decide(spec, opts, obs, state)
}

// Autoscaler is an HPA with its state, for simulations: a step of it does what Decide does, without the copies.
type Autoscaler struct {
	Spec    Spec
	Options Options
	state   State
}

// Step is one sync.
func (a *Autoscaler) Step(obs Observation) Decision {
	d, state := decide(a.Spec, a.Options, obs, a.state)
	a.state = state
	return d
}

// decide is Decide; it writes into the slices of the state.
func decide(spec Spec, opts Options, obs Observation, state State) (Decision, State) {
	s := sync{spec: spec, opts: opts, obs: obs, state: state}
	if spec.Behavior != nil {
		filled := spec.Behavior.withDefaults(opts)
		s.behavior = &filled
	}
	s.out = Decision{Replicas: obs.Replicas, Winner: -1, AbleToScale: Condition{true, ReasonSucceededGetScale}}
	if s.state.Recommendations == nil {
		s.state.Recommendations = []Recommendation{{obs.Replicas, obs.Now}}
	}
	fromZero := obs.Replicas == 0 && s.mayLeaveZero()
	switch {
	case obs.Replicas == 0 && !fromZero:
		s.out.ScalingActive = Condition{false, ReasonScalingDisabled}
	case obs.Replicas > spec.MaxReplicas:
		s.out.Jump = AboveMax
		s.rescale(spec.MaxReplicas)
	case obs.Replicas < spec.MinReplicas && !fromZero:
		s.out.Jump = BelowMin
		s.rescale(spec.MinReplicas)
	default:
		s.follow(fromZero)
	}
	if !opts.ScaleToZero && (s.out.Rescaled || s.out.ScalingActive.Reason == ReasonScalingDisabled) {
		s.state.ScaledToZero = false
	}
	return s.out, s.state
}

// sync is one decision while it is being made.
type sync struct {
	spec     Spec
	opts     Options
	obs      Observation
	behavior *Behavior
	state    State
	out      Decision
}

// mayLeaveZero says whether zero replicas are the HPA's own doing; otherwise somebody switched the workload off.
func (s *sync) mayLeaveZero() bool {
	return s.opts.ScaleToZero && s.state.ScaledToZero && (s.spec.MinReplicas != 0 || s.hasOutsideMetric())
}

// hasOutsideMetric says whether there is a metric that has a value without pods.
func (s *sync) hasOutsideMetric() bool {
	for _, m := range s.spec.Metrics {
		if m.Type == ObjectMetric || m.Type == ExternalMetric {
			return true
		}
	}
	return false
}

// follow asks the metrics and applies stabilization and limits.
func (s *sync) follow(fromZero bool) {
	wanted, ok := s.ask()
	if !ok {
		return
	}
	stabilized := s.stabilize(wanted)
	replicas, reason := s.limit(stabilized)
	s.out.Wanted, s.out.Stabilized = &wanted, &stabilized
	s.out.ScalingLimited = Condition{replicas != stabilized, reason}
	if fromZero {
		replicas = max(replicas, s.spec.MinReplicas)
	}
	if replicas != s.obs.Replicas {
		s.rescale(replicas)
	}
}

// ask returns the largest number that a metric asks for, at least 0. Metrics without a value are passed over, unless
// all are without or what the others ask for would remove replicas.
func (s *sync) ask() (int32, bool) {
	p := proposer{opts: s.opts, obs: s.obs, tol: tolerancesOf(s.spec, s.opts)}
	s.out.Errs = make([]error, len(s.spec.Metrics))
	var best int32
	failed, firstFailed := 0, -1
	for i, m := range s.spec.Metrics {
		n, err := p.propose(m, s.reading(i))
		if err != nil {
			s.out.Errs[i] = err
			if failed++; firstFailed < 0 {
				firstFailed = i
			}
			continue
		}
		if best == 0 || n > best {
			best, s.out.Winner = n, i
		}
	}
	if failed > 0 && (failed == len(s.spec.Metrics) || best < s.obs.Replicas) {
		s.out.Winner = -1
		s.out.ScalingActive = Condition{false, s.spec.Metrics[firstFailed].Type.failedReason()}
		return 0, false
	}
	s.out.ScalingActive = Condition{true, ReasonValidMetricFound}
	return max(best, 0), true
}

var errNoReading = errors.New("the observation has no reading for this metric")

func (s *sync) reading(i int) Reading {
	if i >= len(s.obs.Readings) {
		return Reading{Err: errNoReading}
	}
	return s.obs.Readings[i]
}

// stabilize applies the stabilization windows and remembers what was wanted.
func (s *sync) stabilize(wanted int32) int32 {
	var stabilized int32
	reason := ReasonScaleDownStabilized
	if s.behavior == nil {
		stabilized, s.state.Recommendations = stabilizePlain(s.state.Recommendations, s.opts.DownscaleStabilization, s.obs.Now, wanted)
	} else {
		stabilized, s.state.Recommendations = s.behavior.stabilize(s.state.Recommendations, s.obs.Now, s.obs.Replicas, wanted)
		if wanted >= s.obs.Replicas {
			reason = ReasonScaleUpStabilized
		}
	}
	if stabilized == wanted {
		reason = ReasonReadyForNewScale
	}
	s.out.AbleToScale = Condition{true, reason}
	return stabilized
}

// limit applies the bounds and the rate of change. The reason is that of the condition ScalingLimited.
func (s *sync) limit(wanted int32) (int32, string) {
	if s.behavior == nil {
		return s.limitPlain(wanted)
	}
	current := s.obs.Replicas
	switch {
	case wanted > current:
		top, reason := s.spec.MaxReplicas, ReasonTooManyReplicas
		if rate := s.behavior.ScaleUp.ceiling(s.state, s.obs.Now, current); rate < top {
			top, reason = rate, ReasonScaleUpLimit
		}
		if wanted > top {
			return top, reason
		}
	case wanted < current:
		bottom, reason := s.spec.MinReplicas, ReasonTooFewReplicas
		if rate := s.behavior.ScaleDown.floor(s.state, s.obs.Now, current); rate > bottom {
			bottom, reason = rate, ReasonScaleDownLimit
		}
		if wanted < bottom {
			return bottom, reason
		}
	}
	return wanted, ReasonWithinRange
}

// limitPlain is the rule for a spec without a behavior: per sync at most twice as many, or 4.
func (s *sync) limitPlain(wanted int32) (int32, string) {
	top, reason := s.spec.MaxReplicas, ReasonTooManyReplicas
	if rate := ceil(math.Max(2*float64(s.obs.Replicas), 4)); rate < top {
		top, reason = rate, ReasonScaleUpLimit
	}
	switch {
	case wanted < s.spec.MinReplicas:
		return s.spec.MinReplicas, ReasonTooFewReplicas
	case wanted > top:
		return top, reason
	}
	return wanted, ReasonWithinRange
}

// rescale writes the replicas and remembers the change where a behavior will need it.
func (s *sync) rescale(replicas int32) {
	before := s.obs.Replicas
	s.out.Replicas, s.out.Rescaled = replicas, true
	s.out.AbleToScale = Condition{true, ReasonSucceededRescale}
	s.state.ScaledToZero = s.opts.ScaleToZero && before > 0 && replicas == 0 && s.spec.MinReplicas == 0 && s.hasOutsideMetric()
	switch {
	case s.behavior == nil:
	case replicas > before:
		s.state.ScaleUps = s.behavior.ScaleUp.record(s.state.ScaleUps, s.obs.Now, replicas-before)
	default:
		s.state.ScaleDowns = s.behavior.ScaleDown.record(s.state.ScaleDowns, s.obs.Now, before-replicas)
	}
}
