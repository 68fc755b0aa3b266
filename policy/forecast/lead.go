// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// The members of the ensemble. The last value comes first: it is the reactive autoscaler's forecast, and every loss
// is measured against it.
const (
	lastValue   = iota // as now
	hourUsual          // as usual at this minute of the hour
	dayAgo             // as at the same time a day ago
	dayShifted         // now plus the change at the same time a day ago
	weekAgo            // as usual at this time of the week
	weekShifted        // the same, shifted to the present level
	smoothed           // damped Holt-Winters
	dayProfile         // as usual at this time of day, plus what is left of the present residual
	weekProfile        // the same with the time of the week
	regressed          // recursive least squares on all of the above
	numMembers
)

// MemberNames are the names of the ensemble's members, in the order of Accuracy.Members.
func MemberNames() []string {
	return []string{
		"last value", "minute of the hour", "day ago", "day ago, shifted", "week ago", "week ago, shifted",
		"damped Holt-Winters", "day profile + AR(1)", "week profile + AR(1)", "recursive least squares",
	}
}

// lead forecasts one distance ahead. All that it learns, it learns when the outcome is known.
type lead struct {
	steps      int
	mixture    mixture
	regression regression
	margin     margin
	dayStays   persistence
	weekStays  persistence
	waiting    []pending // by slot(index of the origin, steps)
	accuracy   accuracy
}

// pending is a forecast that waits for its outcome.
type pending struct {
	known                     bool // made from a measured value: may be learned from
	members                   [numMembers]float64
	features                  [numFeatures]float64
	size                      float64 // unit of the features
	dayResidual, weekResidual float64
	now, forecast, upper      float64
}

func newLead(steps int, quantile float64, memory float64) lead {
	return lead{
		steps:      steps,
		mixture:    newMixture(steps),
		regression: newRegression(),
		margin:     newMargin(quantile, steps),
		waiting:    make([]pending, steps),
		accuracy:   accuracy{memory: memory, coverage: quantile},
	}
}

// due returns the forecast that was made for the step `index`.
func (l *lead) due(index int64) *pending { return &l.waiting[slot(index, l.steps)] }

// learn takes the value of the step `index`, for which a forecast was made `steps` ago.
func (l *lead) learn(index int64, value float64, s *state) {
	p := l.due(index)
	if !p.known {
		return
	}
	l.accuracy.learn(p, value)
	l.margin.learn(p.forecast, p.upper, value)
	l.mixture.learn(&p.members, value)
	// a series may jump from nothing to anything: no more than a million times its size is told to the regression
	const widest = 1e6
	l.regression.learn(&p.features, max(-widest, min(widest, (value-p.now)/p.size)))
	l.dayStays.learn(p.dayResidual, s.day.residual)
	l.weekStays.learn(p.weekResidual, s.week.residual)
}

// predict makes the forecast from the step `index`, and keeps it until its outcome.
func (l *lead) predict(index int64, s *state, measured bool) {
	p := l.due(index) // the same slot: that outcome has just been learned
	p.known = measured
	p.now, p.size = s.now, s.size
	if p.size < math.SmallestNonzeroFloat32 { // all zero so far: any unit will do
		p.size = 1
	}
	p.dayResidual, p.weekResidual = s.day.residual, s.week.residual
	l.members(index, s, p)
	l.features(s, p)
	p.members[regressed] = s.now + p.size*l.regression.predict(&p.features)
	for i := range p.members {
		p.members[i] = s.within(known(p.members[i], s.now))
	}
	p.forecast = s.within(l.mixture.combine(&p.members))
	p.upper = max(p.forecast, s.within(l.margin.upper(p.forecast)))
}

// members fills in what each model says, except the regression, which uses the others' answers.
func (l *lead) members(index int64, s *state, p *pending) {
	target := index + int64(l.steps)
	ago, change := s.dayAgo(index, l.steps)
	m := &p.members
	m[lastValue] = s.last
	m[hourUsual] = known(s.hour.usual(target), s.now)
	m[dayAgo] = known(ago, known(s.day.usual(target), s.now))
	m[dayShifted] = s.now + known(change, 0)
	m[smoothed] = s.smooth.forecast(s.learned, int(index-s.learned)+l.steps)
	m[dayProfile] = known(s.day.usual(target)+l.dayStays.share()*s.day.residual, s.now)
	usual := s.week.usual(target)
	m[weekAgo] = known(usual, m[dayAgo])
	m[weekShifted] = known(usual+s.week.residual, m[dayShifted])
	m[weekProfile] = known(usual+l.weekStays.share()*s.week.residual, m[dayProfile])
}

// features fills in the regression's inputs: all are differences, so that zero stands for "unknown" as well as for
// "no change", in units of the size of the series.
func (l *lead) features(s *state, p *pending) {
	m := &p.members
	p.features = [numFeatures]float64{
		(s.now - s.before) / p.size,
		(s.now - s.fast) / p.size,
		(s.now - s.slow) / p.size,
		(m[hourUsual] - s.now) / p.size,
		(m[dayShifted] - s.now) / p.size,
		(m[weekShifted] - s.now) / p.size,
		(s.now - m[dayProfile]) / p.size,
		(s.now - m[weekProfile]) / p.size,
	}
}

// known returns the value, or the other one when it is unknown.
func known(value, otherwise float64) float64 {
	if math.IsNaN(value) {
		return otherwise
	}
	return value
}
