// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"time"
)

// Trust is whether a forecast may act.
type Trust string

const (
	// Disarmed: the forecast is shown, but moves nothing.
	Disarmed Trust = "Disarmed"
	// Armed: the forecast may raise the floor.
	Armed Trust = "Armed"
)

// Reason says why a forecast is armed or disarmed. The set is closed.
type Reason string

const (
	// Learning: too few outcomes are known to judge.
	Learning Reason = "Learning"
	// Trusted: the bound holds as often as promised and leaves less demand unserved than reacting does.
	Trusted Reason = "Trusted"
	// CoverageLow: demand exceeded the bound more often than promised.
	CoverageLow Reason = "CoverageLow"
	// NoGain: the bound leaves no less demand unserved than reacting does.
	NoGain Reason = "NoGain"
	// TooWide: the bound is so far above the demand that it is no forecast.
	TooWide Reason = "TooWide"
	// Probation: the figures are good again, but have to stay so for a while.
	Probation Reason = "Probation"
)

// Limits of a Gate. The band for arming is narrower than that for staying armed, so that a forecast at a border does
// not flap.
const (
	// coverage may fall short of the quantile by these shares of (1 - quantile): at 0.95 it arms from 0.92 and disarms
	// under 0.88.
	armShort, disarmShort = 0.6, 1.4
	// the unserved demand may be these shares of that under plain reacting
	armGain, disarmGain = 0.8, 1.0
	// the spare capacity may be that many times the demand
	armSpare, disarmSpare = 2.0, 3.0
	// a bound so good is fine even if reacting does as well: there is nothing to gain, and nothing to lose
	negligible = 1e-4
)

// Gate decides whether a forecast is trusted, from its own live accuracy: it begins disarmed, arms when the figures
// are good, and disarms itself when they are no longer. The zero value is not usable: see NewGate. Its fields are
// its whole state, so that it can be kept in a status.
type Gate struct {
	Quantile float64 `json:"quantile"`
	// Needed is the number of outcomes needed to judge; Dwell the number for which a gate that disarmed must wait.
	Needed int `json:"needed"`
	Dwell  int `json:"dwell"`

	Trust  Trust  `json:"trust"`
	Reason Reason `json:"reason"`
	// Changed is the count of outcomes at the last disarming; 0: it never was armed.
	Changed int `json:"changed,omitempty"`
}

// NewGate returns a gate for a forecaster's configuration. It needs outcomes over two days (of the seasons given, at
// least 300), and disarms for at least half a day (100 outcomes).
func NewGate(c Config) (Gate, error) {
	p, err := c.compile()
	if err != nil {
		return Gate{}, err
	}
	return Gate{Quantile: p.quantile, Needed: max(300, 2*p.day), Dwell: max(100, p.day/2), Trust: Disarmed, Reason: Learning}, nil
}

// Judge takes the present accuracy of the lead time that matters and returns the gate with its new verdict. Without
// new outcomes (the source is silent) the verdict stays.
func (g Gate) Judge(a Accuracy) Gate {
	if a.Outcomes < g.Changed { // the forecaster began anew
		g.Changed = 0
	}
	if g.Trust == Armed {
		if reason := g.fault(a, disarmShort, disarmGain, disarmSpare); reason != Trusted {
			g.Trust, g.Reason, g.Changed = Disarmed, reason, a.Outcomes
		}
		return g
	}
	switch reason := g.fault(a, armShort, armGain, armSpare); {
	case a.Outcomes < g.Needed:
		g.Reason = Learning
	case reason != Trusted:
		g.Reason = reason
	case g.Changed > 0 && a.Outcomes < g.Changed+g.Dwell:
		g.Reason = Probation
	default:
		g.Trust, g.Reason = Armed, Trusted
	}
	return g
}

// fault names what is outside the given limits, the worst first.
func (g Gate) fault(a Accuracy, short, gain, spare float64) Reason {
	switch {
	case a.Coverage < g.Quantile-short*(1-g.Quantile):
		return CoverageLow
	case a.Shortfall > gain*a.ShortfallReactive && a.Shortfall > negligible:
		return NoGain
	case a.Spare > spare:
		return TooWide
	}
	return Trusted
}

// Explain says in one sentence why the gate stands as it does.
func (g Gate) Explain(a Accuracy) string {
	about := fmt.Sprintf("%s ahead the bound covered %.1f %% of the demand's values (%.1f %% promised)", short(a.Lead), 100*a.Coverage, 100*g.Quantile)
	switch g.Reason {
	case Learning:
		return fmt.Sprintf("%d of the %d outcomes needed to judge the forecast are known", a.Outcomes, g.Needed)
	case CoverageLow:
		return about
	case NoGain:
		return fmt.Sprintf("%s ahead %.2f %% of the demand was above the bound, and reacting alone would have left %.2f %% unserved", short(a.Lead), 100*a.Shortfall, 100*a.ShortfallReactive)
	case TooWide:
		return fmt.Sprintf("%s ahead the bound is %.1f times the demand above it: the demand cannot be forecast", short(a.Lead), a.Spare)
	case Probation:
		return fmt.Sprintf("%s; it is trusted again after %d more outcomes", about, max(0, g.Changed+g.Dwell-a.Outcomes))
	}
	return fmt.Sprintf("%s, and left %.2f %% of the demand unserved against %.2f %% for reacting alone", about, 100*a.Shortfall, 100*a.ShortfallReactive)
}

// short writes a lead time without needless zeros: 15m, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	for _, tail := range []string{"m0s", "h0m"} {
		if len(s) > len(tail) && s[len(s)-len(tail):] == tail {
			s = s[:len(s)-2]
		}
	}
	return s
}
