// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

func TestReadyMeansThatEveryDemandedRuleWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.readers[rule.Key{Name: "a"}] = 1
		s.src.does(func(context.Context, func(source.Sample) error) error { return source.ErrUnreachable })
		require.Error(t, s.Ready())
		s.play(time.Second)
		require.NoError(t, s.Ready(), "also when the source is down: somebody has to say so")
	})
}

func TestReadyDoesNotWaitForWhatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(slow(time.Hour))
		s.play(time.Second)
		require.NoError(t, s.Ready())
	})
}

func TestReadinessDoesNotWaitForAHangingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rules []rule.Rule
		for i := range 200 {
			rules = append(rules, orders(fmt.Sprint("r", i), 10*time.Second))
		}
		s := newStage(t, rules...)
		for _, r := range rules {
			s.readers[r.Key] = 1
		}
		s.src.does(slow(time.Hour))
		s.play(firstPatience + time.Second)
		require.NoError(t, s.Ready())
	})
}

func TestAliveSaysWhenTheLoopHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		require.NoError(t, s.Alive(), "not started")
		s.play(time.Second)
		require.NoError(t, s.Alive())
		time.Sleep(stuck + time.Second)
		require.ErrorContains(t, s.Alive(), "has not turned")
	})
}

// An evaluation that ends because the adapter does says nothing about its rule.
func TestTheEndIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(slow(time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		s.Run(ctx)
		require.EqualValues(t, 1, s.src.asked.Load())
		require.Nil(t, s.entry("a").Outcome())
		require.Empty(t, s.entry("a").Failures())
	})
}
