// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkColdStart learns five weeks of 5-minute points at four lead times. Budget: 50 ms.
func BenchmarkColdStart(b *testing.B) {
	points := shape(5*7*288, fiveMinutes, daily(51))
	for b.Loop() {
		f := trained(b, fourLeads(), nil)
		for _, p := range points {
			if err := f.Observe(p); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(points)), "µs/point")
}

// BenchmarkObserve is the cost of one new point.
func BenchmarkObserve(b *testing.B) {
	value := daily(52)
	f := trained(b, fourLeads(), shape(7*288, fiveMinutes, value))
	next := shape(7*288+b.N, fiveMinutes, value)[7*288:]
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := f.Observe(next[i]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveLoad(b *testing.B) {
	f := trained(b, fourLeads(), shape(5*7*288, fiveMinutes, daily(53)))
	for b.Loop() {
		saved := f.Save()
		b.ReportMetric(float64(len(saved)), "bytes")
		_, err := Load(saved)
		require.NoError(b, err)
	}
}

// BenchmarkFindSeasons looks for periods in five weeks less a few points, so that their number is a prime.
func BenchmarkFindSeasons(b *testing.B) {
	points := shape(10079, fiveMinutes, daily(54))
	for b.Loop() {
		require.Equal(b, calendar, FindSeasons(points, fiveMinutes))
	}
}
