// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// working is a trusted forecast of 950 whose floor is enforced and reached.
func working() Input {
	return Input{
		Now:  noon,
		Rule: forecast.Rule{Interval: 5 * time.Minute, MaxIncrease: 1, Enforce: true},
		Lead: 10 * time.Minute,
		Target: Target{
			Name: "shop", PerReplica: 100, Replicas: 10, Ready: 10, Max: 50, Min: 10,
		},
		View: &View{
			Newest: forecast.Point{Time: noon, Value: 900}, Lead: 10 * time.Minute, Demand: 950,
			Accuracy: forecast.Accuracy{Lead: 10 * time.Minute, Outcomes: 3000, Coverage: 0.95},
			Gate:     forecast.Gate{Quantile: 0.95, Trust: forecast.Armed, Reason: forecast.Trusted},
		},
		Held: Held{Floor: 9, At: noon.Add(-5 * time.Minute)},
	}
}

func disarmed(reason forecast.Reason) func(*Input) {
	return func(in *Input) { in.View.Gate.Trust, in.View.Gate.Reason = forecast.Disarmed, reason }
}

func silent(in *Input, age time.Duration) {
	in.View.Newest.Time = noon.Add(-age)
	in.Held.At = in.View.Newest.Time
}

func TestReasons(t *testing.T) {
	const none = int32(-1)
	reached := map[string]bool{}
	for _, test := range []struct {
		name   string
		change func(*Input)
		reason string
		effect v1alpha1.ForecastEffect
		floor  int32 // none: it asks for nothing
		text   string
	}{
		{"it works", func(*Input) {}, v1alpha1.ForecastTrusted, v1alpha1.ForecastEnforcing, 10, "the bound covered"},
		{"it is only watched", func(in *Input) { in.Rule.Enforce = false }, v1alpha1.ForecastTrusted, v1alpha1.ForecastObserving, 10, "the bound covered"},
		{"watched and capped", func(in *Input) { in.Rule.Enforce, in.Target.Max = false, 5 }, v1alpha1.ForecastTrusted, v1alpha1.ForecastObserving, 5, "maxReplicas is 5"},
		{"learning", disarmed(forecast.Learning), v1alpha1.ForecastLearning, v1alpha1.ForecastDisarmed, 10, "needed to judge"},
		{"probation", disarmed(forecast.Probation), v1alpha1.ForecastProbation, v1alpha1.ForecastDisarmed, 10, "trusted again after"},
		{"coverage", disarmed(forecast.CoverageLow), v1alpha1.ForecastCoverageLow, v1alpha1.ForecastDisarmed, 10, "promised"},
		{"no gain", disarmed(forecast.NoGain), v1alpha1.ForecastNoGain, v1alpha1.ForecastDisarmed, 10, "reacting alone"},
		{"too wide", disarmed(forecast.TooWide), v1alpha1.ForecastTooWide, v1alpha1.ForecastDisarmed, 10, "cannot be forecast"},
		{"a mistake in the spec", func(in *Input) { in.Invalid = "spec.season is wrong"; silent(in, 0) }, v1alpha1.ForecastInvalid, v1alpha1.ForecastEnforcing, 9, "spec.season is wrong; the floor stays at 9"},
		{"a query that is no PromQL", func(in *Input) {
			in.Problem = Problem{Reason: v1alpha1.ForecastInvalid, Message: "parse error", AtOnce: true}
		}, v1alpha1.ForecastInvalid, v1alpha1.ForecastEnforcing, 10, "parse error"},
		{"no HPA", func(in *Input) { in.Target.Missing = true }, v1alpha1.ForecastNoTarget, v1alpha1.ForecastDisarmed, none, "no HorizontalPodAutoscaler shop"},
		{"somebody's HPA", func(in *Input) { in.Target.Owner = "ScaledObject shop" }, v1alpha1.ForecastTargetRefused, v1alpha1.ForecastDisarmed, 10, "ScaledObject shop owns"},
		{"no target value", func(in *Input) { in.Target.Unknown = "HPA shop has no such target"; silent(in, 0) }, v1alpha1.ForecastDemandUnknown, v1alpha1.ForecastEnforcing, 9, "no such target; the floor stays at 9"},
		{"no series, at first", func(in *Input) {
			in.View, in.Held = nil, Held{}
			in.Problem = Problem{Reason: v1alpha1.ForecastNoData, Message: "no value"}
		}, v1alpha1.ForecastNoData, v1alpha1.ForecastDisarmed, none, "no value"},
		{"no series for a moment", func(in *Input) { in.Problem = Problem{Reason: v1alpha1.ForecastNoData, Message: "no value"} }, v1alpha1.ForecastTrusted, v1alpha1.ForecastEnforcing, 10, ""},
		{"several series", func(in *Input) {
			in.Problem = Problem{Reason: v1alpha1.ForecastNoData, Message: "several", AtOnce: true}
		}, v1alpha1.ForecastNoData, v1alpha1.ForecastEnforcing, 10, "several"},
		{"the source is away", func(in *Input) {
			silent(in, 12*time.Minute)
			in.Problem = Problem{Reason: v1alpha1.ForecastQueryFailed, Message: "no answer"}
		}, v1alpha1.ForecastQueryFailed, v1alpha1.ForecastEnforcing, 9, "no answer; the floor stays at 9"},
		{"for longer", func(in *Input) {
			silent(in, 20*time.Minute)
			in.Problem = Problem{Reason: v1alpha1.ForecastQueryFailed, Message: "no answer"}
		}, v1alpha1.ForecastStale, v1alpha1.ForecastEnforcing, 10, "of 2026-11-22T11:40:00Z: no answer; the floor is widened to 10"},
		{"too long", func(in *Input) { silent(in, 80*time.Minute) }, v1alpha1.ForecastStale, v1alpha1.ForecastEnforcing, 7, "given up in steps, now 7"},
		{"given up", func(in *Input) { silent(in, 8*time.Hour) }, v1alpha1.ForecastStale, v1alpha1.ForecastDisarmed, none, "goes on alone"},
		{"a restart", func(in *Input) { in.View, in.Armed = nil, true }, v1alpha1.ForecastLearning, v1alpha1.ForecastEnforcing, 9, "being read; the floor stays at 9"},
		{"a restart of one that was not trusted", func(in *Input) { in.View = nil }, v1alpha1.ForecastLearning, v1alpha1.ForecastDisarmed, 9, "being read"},
		{"a restart without the source", func(in *Input) {
			in.View, in.Armed, in.Problem = nil, true, Problem{Reason: v1alpha1.ForecastQueryFailed, Message: "no answer"}
		}, v1alpha1.ForecastQueryFailed, v1alpha1.ForecastEnforcing, 9, "no answer"},
		{"paused", func(in *Input) { in.Target.PausedBy = "Namespace shop" }, v1alpha1.ForecastPaused, v1alpha1.ForecastEnforcing, 10, "Namespace shop"},
		{"above the HPA's maximum", func(in *Input) { in.Target.Max = 8 }, v1alpha1.ForecastFloorCapped, v1alpha1.ForecastEnforcing, 8, "maxReplicas is 8"},
		{"too far above what runs", func(in *Input) { in.Target.Replicas = 3 }, v1alpha1.ForecastFloorCapped, v1alpha1.ForecastEnforcing, 6, "at most 6"},
		{"no node", func(in *Input) { in.Target.Ready, in.Target.Pending, in.Target.Unschedulable = 8, 2, 2 }, v1alpha1.ForecastFloorNotReached, v1alpha1.ForecastEnforcing, 10, "2 of these find no node"},
		{"pods that do not get Ready", func(in *Input) { in.Target.Ready, in.Risen = 8, noon.Add(-21*time.Minute) }, v1alpha1.ForecastFloorNotReached, v1alpha1.ForecastEnforcing, 10, "8 pods are Ready"},
		{"pods that start", func(in *Input) { in.Target.Ready, in.Risen = 8, noon.Add(-19*time.Minute) }, v1alpha1.ForecastTrusted, v1alpha1.ForecastEnforcing, 10, ""},
		{"somebody writes it back", func(in *Input) { in.Target.Contested = true }, v1alpha1.ForecastReverted, v1alpha1.ForecastEnforcing, 10, "writes the bounds of HPA shop back"},
		{"a refused write", func(in *Input) { in.Target.WriteProblem = "forbidden" }, v1alpha1.ForecastWriteFailed, v1alpha1.ForecastEnforcing, 10, "forbidden"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := working()
			test.change(&in)
			v := Decide(in)
			require.Equal(t, test.reason, v.Reason, v.Message)
			require.Contains(t, v1alpha1.ForecastReasons(), v.Reason)
			require.Equal(t, test.effect, v.Effective)
			if test.floor == none {
				require.False(t, v.Asks)
			} else {
				require.True(t, v.Asks)
				require.Equal(t, test.floor, v.Floor)
			}
			require.Contains(t, v.Message, test.text)
			require.NotEmpty(t, v.Message)
			reached[v.Reason] = true
		})
	}
	for _, reason := range v1alpha1.ForecastReasons() {
		require.True(t, reached[reason], "no case leads to %s", reason)
	}
}

// A demand that cannot be turned into replicas asks for nothing that was not asked for before.
func TestFloorUnknown(t *testing.T) {
	in := working()
	in.Target.PerReplica = 0
	v := Decide(in)
	require.Equal(t, int32(9), v.Floor)
	require.Equal(t, in.Held, v.Held)
}
