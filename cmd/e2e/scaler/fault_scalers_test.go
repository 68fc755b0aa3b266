// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// replicas is how many scalers run side by side when a fault begins.
const replicas = 2

// A ramp goes on where it would be by now, whoever was not there meanwhile.
func TestFaultScalerKilledInTheMiddleOfARamp(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{begin: time.Now().Add(45 * time.Second), fields: "minReplicas: 14, rampUp: 40s, rampDown: 40s"})
	s.floorBetween(t, 3, 13)
	var stood int32
	s.withoutScalers(t, func() {
		stood = situation.LiveBounds(s.hpa(t)).Min
		s.passes(t, w.begin.Add(-10*time.Second))
		require.Equal(t, stood, situation.LiveBounds(s.hpa(t)).Min, "nobody is there to raise it")
	})
	s.bounds(t, 14, 20)
	s.scaledTo(t, 14)
	w = s.closes(t, w)
	s.floorBetween(t, 3, 13)
	s.withoutScalers(t, func() { s.passes(t, w.end.Add(20*time.Second)) })
	s.restored(t)
}

// A window that ends while no scaler is there ends as soon as one is.
func TestFaultScalerKilledAtAWindowsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 22, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 22, 30)
	s.scaledTo(t, 22)
	s.killingScalersAfter(t, func() { w = s.closesSoon(t, w) }, func() {
		require.True(t, time.Now().Before(w.end), "the scalers were killed too late to miss the end")
		s.passes(t, w.end.Add(2*time.Second))
		require.Equal(t, bounds.Bounds{Min: 22, Max: 30}, situation.LiveBounds(s.hpa(t)))
	})
	s.restored(t)
	s.scaledTo(t, 3)
}

// A schedule that is deleted while no scaler is there leaves a floor that sinks, and does not fall.
func TestFaultScheduleDeletedDuringItsWindow(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 9, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 11, maxReplicas: 30, rampDown: 1s"}) // 10 could be gone with one step
	s.bounds(t, 11, 30)
	s.followed(t)
	s.withoutScalers(t, func() { s.deleteSchedule(t, w.name) })
	s.bounds(t, 11, 20)
	s.event(t, "BoundsSinking", "no longer asks for a floor")
	s.restored(t)
}

// Two scalers that both act, because one was started without leader election, agree: nothing is written twice.
func TestFaultTwoScalers(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	func() {
		s.scalers.Lock()
		defer s.scalers.Unlock()
		s.theLeader(t)
		s.startScaler(t, "scaler-second", "--leader-elect=false")
		defer func() { require.NoError(t, s.StopScaler("scaler-second")) }()
		w := s.opens(t, window{fields: "minReplicas: 18, maxReplicas: 30, rampDown: 1s"})
		s.bounds(t, 18, 30)
		s.scaledTo(t, 18)
		require.Equal(t, 1, s.changes(t), "the bounds were written once")
		s.closesSoon(t, w)
		s.restored(t)
		require.Equal(t, 2, s.changes(t), "and given back once")
	}()
	s.scaledTo(t, 3)
}

// The leader stands still, another leads, and the first one wakes up in the belief that it leads.
func TestFaultLeaderChange(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 22, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 22, 30)
	func() {
		s.scalers.Lock()
		defer s.scalers.Unlock()
		first := s.theLeader(t)
		require.NoError(t, s.SignalScaler(first, syscall.SIGSTOP))
		var second string
		stacktest.Eventually(t, "another leader", func() error {
			var err error
			if second, err = s.leader(); err == nil && second == first {
				err = fmt.Errorf("%s leads still", first)
			}
			return err
		})
		s.closesSoon(t, w)
		s.restored(t)
		w = s.opens(t, window{fields: "minReplicas: 18, rampDown: 1s"})
		s.bounds(t, 18, 20)
		require.NoError(t, s.SignalScaler(first, syscall.SIGCONT))
		require.NoError(t, s.StopScaler(second)) // it hands the Lease over
		s.theLeader(t)
		s.startScaler(t, second)
	}()
	s.bounds(t, 18, 20)
	s.closes(t, w)
	s.restored(t)
	s.scaledTo(t, 3)
}
