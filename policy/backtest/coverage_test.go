// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// kinds of demand that are hard to bound, each made from a random source.
func hardSeries() map[string]func(r *rand.Rand) func(i int) float64 {
	day := func(i int) float64 { return 1 - 0.8*math.Cos(2*math.Pi*float64(i%288)/288) }
	return map[string]func(r *rand.Rand) func(i int) float64{
		"few events, mostly none": func(r *rand.Rand) func(i int) float64 {
			return func(i int) float64 { return poisson(r, 0.3*day(i)) }
		},
		"bursts that fade": func(r *rand.Rand) func(i int) float64 {
			level := 0.0
			return func(int) float64 { level = 0.95*level + 0.3*r.NormFloat64(); return 100 * math.Exp(level) }
		},
		"heavy tail": func(r *rand.Rand) func(i int) float64 {
			return func(int) float64 { return 10 * math.Pow(1-r.Float64(), -1/1.5) }
		},
		"jobs that come and go": func(r *rand.Rand) func(i int) float64 {
			on := 0.0
			return func(int) float64 {
				if r.Float64() < 0.03 {
					on = float64(r.IntN(5)) * 100
				}
				return on + math.Abs(10*r.NormFloat64())
			}
		},
		"twelve times the spread, while it is judged": func(r *rand.Rand) func(i int) float64 {
			return func(i int) float64 {
				spread := 5.0
				if i > 5*288 {
					spread = 60
				}
				return 500*day(i) + spread*r.NormFloat64()
			}
		},
	}
}

func poisson(r *rand.Rand, mean float64) float64 {
	limit, product := math.Exp(-mean), r.Float64()
	for n := 0.0; ; n++ {
		if product <= limit {
			return n
		}
		product *= r.Float64()
	}
}

// TestCoverageIsKept on four judged days of demand that no model foresees.
func TestCoverageIsKept(t *testing.T) {
	for name, kind := range hardSeries() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				points := series(8*288, kind(rand.New(rand.NewPCG(seed, 17))))
				r, err := Run(points, Options{Leads: minutes(5, 15, 30, 60)})
				require.NoError(t, err)
				for _, lead := range r.Leads {
					require.InDelta(t, 0.95, lead.Coverage, 0.025, "seed %d, lead %s", seed, lead.Lead)
				}
			}
		})
	}
}

// TestOtherQuantiles are kept as well.
func TestOtherQuantiles(t *testing.T) {
	points := series(28*288, daily(18))
	for _, quantile := range []float64{0.8, 0.9, 0.99} {
		r, err := Run(points, Options{Leads: minutes(15), Quantile: quantile})
		require.NoError(t, err)
		require.InDelta(t, quantile, r.Leads[0].Coverage, 0.3*(1-quantile))
		require.Equal(t, quantile, r.Quantile)
	}
}
