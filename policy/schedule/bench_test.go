// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manySchedules makes schedules as users write them: a window of every evening, one of working days, one sale.
func manySchedules(t testing.TB, n int) []*Schedule {
	zones, all := &Zones{}, make([]*Schedule, n)
	for i := range all {
		spec := Spec{Name: fmt.Sprint("schedule-", i), TimeZone: referenceZones[i%len(referenceZones)], Exclude: []string{"2026-10-01/2026-10-07"},
			Windows: []Window{
				{Name: "evening", Cron: fmt.Sprintf("%d 19 * * *", i%60), Duration: 4 * time.Hour, MinReplicas: floorOf(40), RampUp: 30 * time.Minute},
				{Name: "office", Cron: "0 9 * * 1-5", Duration: 9 * time.Hour, MinReplicas: floorOf(20)},
				{Name: "sale", Start: "2026-11-11T00:00", End: "2026-11-12T00:00", MinReplicas: floorOf(200), MaxReplicas: floorOf(1000)},
			}}
		s, err := Compile(spec, zones)
		require.NoError(t, err)
		all[i] = s
	}
	return all
}

const manyTargets = 10_000

var benchStart = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)

// Each iteration decides for 10,000 targets at a later time, 15 s after the one before.
func BenchmarkEvaluator10000(b *testing.B) {
	var evaluators []*Evaluator
	for _, s := range manySchedules(b, manyTargets) {
		evaluators = append(evaluators, NewEvaluator(s))
	}
	obs, at := Observations{BaseMin: 3, BaseMax: 50, Lead: time.Minute}, benchStart
	for _, e := range evaluators {
		e.Evaluate(obs, at)
	}
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(15 * time.Second)
		for _, e := range evaluators {
			e.Evaluate(obs, at)
		}
	}
}

// The same when every observation has changed, so that no decision can be used again.
func BenchmarkEvaluator10000NewObservations(b *testing.B) {
	var evaluators []*Evaluator
	for _, s := range manySchedules(b, manyTargets) {
		evaluators = append(evaluators, NewEvaluator(s))
	}
	obs, at := Observations{BaseMin: 3, BaseMax: 50, Lead: time.Minute}, benchStart
	for _, e := range evaluators {
		e.Evaluate(obs, at)
	}
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(15 * time.Second)
		obs.BaseMin ^= 1
		for _, e := range evaluators {
			e.Evaluate(obs, at)
		}
	}
}

// With nothing kept from before, as after a restart, but compiled.
func BenchmarkEvaluate10000(b *testing.B) {
	all := manySchedules(b, manyTargets)
	obs := Observations{BaseMin: 3, BaseMax: 50, Lead: time.Minute}
	b.ReportAllocs()
	for b.Loop() {
		for i := range all {
			Evaluate(all[i:i+1], obs, benchStart)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		manySchedules(b, 1)
	}
}

func BenchmarkPreview48Hours(b *testing.B) {
	all := manySchedules(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		Preview(all, Observations{BaseMin: 3}, benchStart, benchStart.Add(48*time.Hour), 1000)
	}
}
