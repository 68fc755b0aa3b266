// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/target"
)

// Faults of a whole cluster, one after the other on one of its own.
func TestFaultOfTheWholeCluster(t *testing.T) {
	t.Parallel()
	w, err := newWorld("faults", replicas)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			stacktest.WriteLogs(os.Stderr, w.Stack)
		}
		require.NoError(t, w.stop())
	})
	for _, fault := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"PrometheusGoneForLongerThanEveryLimit", prometheusGone},
		{"APIServerAwayForTwoMinutes", apiServerAway},
		{"ClockMovedByAnHour", clockMoved},
		{"UninstallUnderFullLoad", uninstall},
	} {
		t.Run(fault.name, func(t *testing.T) { fault.test(t, w) })
	}
}

// The source of the demand is lost: the floor of a forecast is held, given up in steps, and back when the source is.
func prometheusGone(t *testing.T, w *world) {
	s := newForesight(t, w, bounds.Bounds{Min: 2, Max: 20}, 80, 100)
	s.floorBetween(t, 9, 20)
	require.NoError(t, w.Component(t.Context(), "kill", "prometheus"))
	t.Cleanup(func() { require.NoError(t, w.Component(context.Background(), "start", "prometheus")) })
	s.forecastIs(t, "held without its source", func(f *v1alpha1.ScaleForecast) bool {
		trouble := []string{v1alpha1.ForecastQueryFailed, v1alpha1.ForecastStale}
		return slices.Contains(trouble, reasonOf(f)) && f.Status.Effective == v1alpha1.ForecastEnforcing
	})
	s.forecastIs(t, "given up", func(f *v1alpha1.ScaleForecast) bool {
		return f.Status.Effective == v1alpha1.ForecastDisarmed
	})
	s.event(t, "BoundsSinking", "ScaleForecast soon", "minReplicas sinks from")
	require.NoError(t, w.Component(t.Context(), "start", "prometheus"))
	s.forecastIs(t, "enforcing again", func(f *v1alpha1.ScaleForecast) bool {
		return f.Status.Effective == v1alpha1.ForecastEnforcing && f.Status.Floor != nil
	})
	s.floorBetween(t, 9, 20)
	s.letsGoOf(t)
}

// Nobody can write while the API server is away; what should have happened meanwhile is caught up on.
func apiServerAway(t *testing.T, w *world) {
	const away = 2 * time.Minute
	// An API server that has just started refuses everybody until it knows its roles.
	require.Empty(t, w.refusals(), "the scaler lacks rights")
	begins, ends := newScene(t, w, bounds.Bounds{Min: 2, Max: 20}, 30), newScene(t, w, bounds.Bounds{Min: 2, Max: 6}, 30)
	ending := ends.opens(t, window{fields: "minReplicas: 10, maxReplicas: 30, rampDown: 1s"})
	ends.bounds(t, 10, 30)
	ends.setDemand(200)
	ends.scaledTo(t, 20)
	ends.atLeast(t, 20)
	beginning := begins.opens(t, window{begin: time.Now().Add(time.Minute), fields: "minReplicas: 12, rampDown: 1s"})
	begins.says(t, beginning.name, v1alpha1.ScheduleIdle)
	ending.end = time.Now().Add(time.Minute)
	ends.opens(t, ending)
	require.True(t, knowsTheEnd(t, ending, ends.hpaRecord))

	require.NoError(t, w.Component(t.Context(), "kill", "kube-apiserver"))
	back := time.Now().Add(away)
	t.Cleanup(func() { require.NoError(t, w.Component(context.Background(), "start", "kube-apiserver")) })
	begins.passes(t, back)
	require.NoError(t, w.Component(t.Context(), "start", "kube-apiserver"))

	begins.bounds(t, 12, 20)
	begins.scaledTo(t, 12)
	ends.bounds(t, 2, 22) // a tenth of room
	ends.setDemand(30)
	ends.restored(t)
	begins.closes(t, beginning)
	begins.restored(t)
	w.theLeader(t)
}

// The clock jumps an hour ahead and back: windows are on when it says so, and no floor falls for it.
func clockMoved(t *testing.T, w *world) {
	s, ends := newScene(t, w, bounds.Bounds{Min: 9, Max: 20}, 30), newScene(t, w, bounds.Bounds{Min: 2, Max: 20}, 30)
	now := time.Now()
	s.opens(t, window{begin: now.Add(50 * time.Minute), end: now.Add(80 * time.Minute), fields: "minReplicas: 10, maxReplicas: 30, rampDown: 1s"})
	ends.opens(t, window{end: now.Add(30 * time.Minute), fields: "minReplicas: 12, rampDown: 1s"})
	s.says(t, "sale", v1alpha1.ScheduleIdle)
	ends.bounds(t, 12, 20)
	setClocks(t, w, "--clock-offset=1h")
	s.bounds(t, 10, 30)
	s.scaledTo(t, 10)
	ends.restored(t)
	setClocks(t, w)
	ends.bounds(t, 12, 20)
	s.bounds(t, 10, 20)
	s.restored(t)
	ends.deleteSchedule(t, "sale")
	ends.sinksAtOnce(t)
}

// setClocks starts the scalers anew with other clocks.
func setClocks(t *testing.T, w *world, flags ...string) {
	t.Helper()
	for i := range replicas {
		require.NoError(t, w.StopScaler(scalerName(i)))
	}
	for i := range replicas {
		w.startScaler(t, scalerName(i), flags...)
	}
}

// Plimsoll leaves under full load: first it shows what it will do, then nothing is cut, and what it leaves is said.
func uninstall(t *testing.T, w *world) {
	loaded, calm := newScene(t, w, bounds.Bounds{Min: 2, Max: 6}, 30), newScene(t, w, bounds.Bounds{Min: 2, Max: 20}, 30)
	loaded.opens(t, window{fields: "minReplicas: 10, maxReplicas: 30"})
	calm.opens(t, window{fields: "minReplicas: 12, maxReplicas: 30"})
	calm.bounds(t, 12, 30)
	loaded.bounds(t, 10, 30)
	loaded.setDemand(250)
	loaded.scaledTo(t, 25)
	loaded.atLeast(t, 25)
	for i := range replicas {
		require.NoError(t, w.StopScaler(scalerName(i)))
	}
	for _, dryRun := range []bool{true, false} {
		released, err := target.Release(t.Context(), w.client, loaded.key(), time.Now(), dryRun)
		require.NoError(t, err)
		require.True(t, released.MaxKept)
		require.Equal(t, bounds.Bounds{Min: 2, Max: 27}, released.After)
		require.Contains(t, released.Message, "maxReplicas stays at 27, because the HPA needs about as many now: set its own 6")
		released, err = target.Release(t.Context(), w.client, calm.key(), time.Now(), dryRun)
		require.NoError(t, err)
		require.Equal(t, calm.base, released.After)
	}
	calm.restored(t)
	calm.scaledTo(t, 3)
	base := loaded.base
	loaded.base = bounds.Bounds{Min: 2, Max: 27}
	loaded.restored(t)
	loaded.atLeast(t, 3)
	loaded.setDemand(30)
	loaded.scaledTo(t, 3)
	loaded.base = base
	loaded.serverSideApply(t, base)
	loaded.restored(t)
}
