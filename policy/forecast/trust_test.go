// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func good(outcomes int) Accuracy {
	return Accuracy{Lead: 15 * time.Minute, Outcomes: outcomes, Coverage: 0.95, Shortfall: 0.001, ShortfallReactive: 0.01, Spare: 0.1}
}

func newGate(t *testing.T) Gate {
	t.Helper()
	g, err := NewGate(fourLeads())
	require.NoError(t, err)
	return g
}

func TestGateArmsOnlyOnGoodFigures(t *testing.T) {
	tests := map[string]struct {
		change func(a *Accuracy)
		trust  Trust
		reason Reason
		says   string
	}{
		"good":                  {func(*Accuracy) {}, Armed, Trusted, "15m ahead the bound covered 95.0 %"},
		"too young":             {func(a *Accuracy) { a.Outcomes = 500 }, Disarmed, Learning, "500 of the 576 outcomes"},
		"covers too little":     {func(a *Accuracy) { a.Coverage = 0.915 }, Disarmed, CoverageLow, "covered 91.5 %"},
		"covers just enough":    {func(a *Accuracy) { a.Coverage = 0.925 }, Armed, Trusted, ""},
		"no better than before": {func(a *Accuracy) { a.Shortfall = 0.009 }, Disarmed, NoGain, "0.90 % of the demand was above"},
		"nothing to gain":       {func(a *Accuracy) { a.Shortfall, a.ShortfallReactive = 0, 0 }, Armed, Trusted, ""},
		"hopeless":              {func(a *Accuracy) { a.Spare = 2.5 }, Disarmed, TooWide, "2.5 times the demand"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := good(1000)
			tt.change(&a)
			g := newGate(t).Judge(a)
			require.Equal(t, tt.trust, g.Trust)
			require.Equal(t, tt.reason, g.Reason)
			require.Contains(t, g.Explain(a), tt.says)
		})
	}
}

func TestGateDoesNotFlap(t *testing.T) {
	g := newGate(t).Judge(good(1000))
	border := good(1010)
	for i, coverage := range []float64{0.925, 0.915, 0.921, 0.90, 0.885} { // around the arming border
		border.Coverage, border.Outcomes = coverage, 1010+i
		g = g.Judge(border)
		require.Equal(t, Armed, g.Trust, "coverage %v", coverage)
	}
	border.Coverage, border.Outcomes = 0.87, 1100
	g = g.Judge(border)
	require.Equal(t, Disarmed, g.Trust)
	require.Equal(t, CoverageLow, g.Reason)

	g = g.Judge(good(1110))
	require.Equal(t, Probation, g.Reason)
	require.Contains(t, g.Explain(good(1110)), "after 134 more outcomes")
	require.Equal(t, Armed, g.Judge(good(1100+144)).Trust)
	require.Equal(t, g, g.Judge(good(1110)), "without new outcomes nothing changes")
	require.Equal(t, Armed, g.Judge(good(800)).Trust, "a forecaster that began anew is judged anew")
}

func TestGateWithForecaster(t *testing.T) {
	g := newGate(t)
	f := trained(t, fourLeads(), nil)
	armedAt := 0
	for i, p := range shape(28*288, fiveMinutes, daily(41)) {
		require.NoError(t, f.Observe(p))
		g = g.Judge(f.Accuracy()[1])
		if g.Trust == Armed && armedAt == 0 {
			armedAt = i
		}
	}
	require.Equal(t, Armed, g.Trust)
	require.InDelta(t, 2*288, armedAt, 288)

	// then there is nothing but rare bursts, which no model can foresee and every bound must allow for
	random := rand.New(rand.NewPCG(6, 6))
	wild := func(int) float64 {
		if random.Float64() < 0.08 {
			return 5000
		}
		return 10
	}
	later := shape(30*288, fiveMinutes, wild)[28*288:]
	for _, p := range later {
		require.NoError(t, f.Observe(p))
		g = g.Judge(f.Accuracy()[1])
	}
	require.Equal(t, Disarmed, g.Trust, g.Explain(f.Accuracy()[1]))
}

func TestGateOfABadConfiguration(t *testing.T) {
	_, err := NewGate(Config{})
	require.ErrorContains(t, err, "step")
}
