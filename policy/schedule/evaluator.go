// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// Evaluator gives the answers of Evaluate for one target, faster: it keeps the intervals of two days and the last
// decision until its Next. It is not safe for several goroutines at once. Losing it loses nothing but time.
type Evaluator struct {
	rules []*Schedule
	line  timeline
	lead  int64

	obs  Observations
	last Decision
	kept bool
}

// NewEvaluator returns an evaluator for the schedules of one target, which must not change.
func NewEvaluator(rules ...*Schedule) *Evaluator { return &Evaluator{rules: rules} }

// Evaluate returns what the function Evaluate returns, but Next may be earlier where nothing changes for a day. The
// decision may share memory with the next one: do not change it.
func (e *Evaluator) Evaluate(obs Observations, now time.Time) Decision {
	at := now.Unix()
	if e.kept && at >= e.last.At.Unix() && at < e.last.Next.Unix() && obs.equal(e.obs) {
		d := e.last
		d.At = time.Unix(at, 0).UTC()
		return d
	}
	lead, horizon := obs.leadSeconds(), int64(evaluationHorizon/time.Second)
	if !e.kept || lead != e.lead || at < e.line.from || at+horizon > e.line.to {
		e.line, e.lead = newTimeline(e.rules, lead, at, at+2*horizon), lead
	}
	e.last, e.obs, e.kept = e.line.decide(&obs, at), obs.copy(), true
	return e.last
}
