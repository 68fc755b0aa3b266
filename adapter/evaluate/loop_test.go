// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// scripted is a source whose answers a test writes.
type scripted struct {
	asked   atomic.Int64
	running atomic.Int64
	most    atomic.Int64
	mu      sync.Mutex
	answer  func(ctx context.Context, each func(source.Sample) error) error
	last    source.Query

	slow             string // queries with this in them are never answered
	slowNow, slowest atomic.Int64
}

func (s *scripted) Name() string      { return "scripted" }
func (s *scripted) API() http.Handler { return http.NotFoundHandler() }

func (s *scripted) Instant(ctx context.Context, q source.Query, each func(source.Sample) error) error {
	if s.slow != "" && strings.Contains(q.Expr, s.slow) {
		s.slowest.Store(max(s.slowest.Load(), s.slowNow.Add(1)))
		defer s.slowNow.Add(-1)
		return slow(time.Hour)(ctx, each)
	}
	s.asked.Add(1)
	s.most.Store(max(s.most.Load(), s.running.Add(1)))
	defer s.running.Add(-1)
	s.mu.Lock()
	answer := s.answer
	s.last = q
	s.mu.Unlock()
	return answer(ctx, each)
}

func (s *scripted) does(answer func(context.Context, func(source.Sample) error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func one(_ context.Context, each func(source.Sample) error) error {
	return each(source.Sample{Value: 1, Labels: []source.Label{{Name: rule.PartLabel, Value: rule.PartValue}}})
}

func slow(d time.Duration) func(context.Context, func(source.Sample) error) error {
	return func(ctx context.Context, each func(source.Sample) error) error {
		select {
		case <-time.After(d):
			return one(ctx, each)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", source.ErrTimeout, ctx.Err())
		}
	}
}

// stage is a loop over some external rules, with HPAs that read as many of them as readers says.
type stage struct {
	*Loop
	src     *scripted
	store   *snapshot.Store
	readers map[rule.Key]int
	reg     *prometheus.Registry
}

func newStage(t *testing.T, rules ...rule.Rule) *stage {
	t.Helper()
	s := &stage{src: &scripted{answer: one}, store: &snapshot.Store{}, readers: map[rule.Key]int{}, reg: prometheus.NewRegistry()}
	s.put(t, rules...)
	readers := func(*snapshot.Catalog) map[rule.Key]int { return s.readers }
	metrics, err := NewMetrics(s.reg, s.store, readers)
	require.NoError(t, err)
	s.Loop = New(Options{
		Store: s.store, Readers: readers, Metrics: metrics, Identity: "test",
		Ask: func(ctx context.Context, question func(context.Context, source.Source) error) error {
			return question(ctx, s.src)
		},
	})
	return s
}

func (s *stage) put(t *testing.T, rules ...rule.Rule) {
	t.Helper()
	var compiled []*rule.Rule
	for _, r := range rules {
		c, err := rule.Compile(r)
		require.NoError(t, err)
		compiled = append(compiled, c)
	}
	c, _ := snapshot.NewCatalog(compiled, s.store.Catalog())
	s.store.Swap(c)
}

func (s *stage) entry(name string) *snapshot.Entry {
	return s.store.Catalog().Entry(rule.Key{Name: name})
}

func orders(name string, interval time.Duration) rule.Rule {
	return rule.Rule{Key: rule.Key{Name: name}, Metric: name, Query: "orders", Interval: interval, MaxAge: time.Minute}
}

// play runs the loop for a while on synctest's clock.
func (s *stage) play(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.Run(ctx)
}

func TestADemandedRuleIsEvaluatedOncePerIntervalHoweverManyReadIt(t *testing.T) {
	for _, readers := range []int{1, 5000} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, orders("a", 10*time.Second))
			s.readers[rule.Key{Name: "a"}] = readers
			s.play(10*time.Minute + time.Second)
			require.InDelta(t, 60, s.src.asked.Load(), 2)
		})
	}
}

// The look-back is the rule's, so that the source itself finds nothing that is too old.
func TestAQuestionHasTheRulesLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := orders("a", 10*time.Second)
		r.MaxAge, r.MaxSeries = 42*time.Second, 10
		s := newStage(t, r)
		s.play(time.Millisecond)
		require.Equal(t, 42*time.Second, s.src.last.Lookback)
		require.Equal(t, time.Now().Add(-time.Millisecond), s.src.last.Time)
		require.Equal(t, 2*(timesLimit+1), s.src.last.MaxSeries, "of the values and of their times")
	})
	for interval, want := range map[time.Duration]time.Duration{
		time.Second: shortestTimeout, 2 * time.Second: 2 * time.Second, 9 * time.Second: 9 * time.Second, time.Hour: longestTimeout,
	} {
		require.Equal(t, want, timeout(interval))
	}
}

func TestARuleWithoutReadersIsEvaluatedOnceAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.play(10 * time.Minute)
		require.EqualValues(t, 1, s.src.asked.Load())
		require.NotNil(t, s.entry("a").Table(), "its status is never blank")

		changed := orders("a", 10*time.Second)
		changed.MaxAge = 2 * time.Minute
		s.put(t, changed)
		s.play(10 * time.Minute)
		require.EqualValues(t, 2, s.src.asked.Load(), "once more after a change")
		require.Equal(t, 2.0, testutil.ToFloat64(s.metrics.evaluations), "its counter goes on")
	})
}

func TestARuleWithoutReadersIsLookedAtAgainUntilItHasValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(func(context.Context, func(source.Sample) error) error { return nil }) // not scraped yet
		s.play(5 * time.Minute)
		require.InDelta(t, 5, s.src.asked.Load(), 1, "after 10, 30, 70, 150, 310 seconds")
		s.src.does(one)
		s.play(12 * time.Minute)
		require.NotEmpty(t, s.entry("a").Table().Rows())
		asked := s.src.asked.Load()
		s.play(time.Hour)
		require.Equal(t, asked, s.src.asked.Load(), "then it rests")
	})
}

func TestARuleWithoutValuesIsLookedAtEveryTenMinutesAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(func(context.Context, func(source.Sample) error) error { return nil })
		s.play(3 * time.Hour)
		before := s.src.asked.Load()
		s.play(time.Hour)
		require.InDelta(t, time.Hour/lastRetry, s.src.asked.Load()-before, 1)
	})
}

func TestAReadKeepsARuleGoingForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.play(time.Minute)
		before := s.src.asked.Load()
		s.entry("a").MarkRead(time.Now())
		s.play(30 * time.Minute)
		require.InDelta(t, float64(readMemory/(10*time.Second)), s.src.asked.Load()-before, 2)
	})
}

func TestANewReaderWaitsForNoInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", time.Hour))
		s.play(2 * time.Hour)
		s.readers[rule.Key{Name: "a"}] = 1
		s.play(time.Second)
		require.EqualValues(t, 2, s.src.asked.Load())
	})
}

func TestAFailureKeepsTheValuesAndIsRemembered(t *testing.T) {
	for _, c := range []struct {
		err   error
		cause string
	}{
		{source.ErrUnreachable, v1alpha1.ReasonSourceUnreachable},
		{source.ErrRefused, v1alpha1.ReasonSourceRefused},
		{source.ErrBroken, v1alpha1.ReasonSourceFailed},
		{source.ErrBadAnswer, v1alpha1.ReasonBadAnswer},
		{source.ErrPartial, v1alpha1.ReasonPartialAnswer},
		{source.ErrTooManySeries, v1alpha1.ReasonTooManySeries},
		{source.ErrTimeout, v1alpha1.ReasonTimedOut},
	} {
		t.Run(c.cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, orders("a", 10*time.Second))
				s.readers[rule.Key{Name: "a"}] = 1
				s.play(time.Second)
				good := s.entry("a").Table()
				s.src.does(func(ctx context.Context, each func(source.Sample) error) error {
					require.NoError(t, one(ctx, each), "what came before the failure does not count")
					return c.err
				})
				s.play(15 * time.Second)
				require.Same(t, good, s.entry("a").Table())
				require.Equal(t, c.cause, Cause(s.entry("a").Outcome().Err))
				require.Equal(t, 1.0, testutil.ToFloat64(s.metrics.evaluations.WithLabelValues("ClusterMetricRule", "", "a", "OK")))
				require.Positive(t, testutil.ToFloat64(s.metrics.evaluations.WithLabelValues("ClusterMetricRule", "", "a", c.cause)))
			})
		})
	}
}

func TestASlowSourceIsGivenUpAndDelaysNoOtherRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("slow", 5*time.Second), orders("fast", 5*time.Second))
		s.readers[rule.Key{Name: "slow"}], s.readers[rule.Key{Name: "fast"}] = 1, 1
		var slowAsked atomic.Int64
		s.src.does(func(ctx context.Context, each func(source.Sample) error) error {
			if slowAsked.Add(1) == 1 {
				return slow(time.Hour)(ctx, each)
			}
			return one(ctx, each)
		})
		s.play(20 * time.Second)
		failed := append(s.entry("slow").Failures(), s.entry("fast").Failures()...)
		require.Len(t, failed, 1)
		require.Equal(t, v1alpha1.ReasonTimedOut, Cause(failed[0].Err))
		require.Equal(t, 5*time.Second, failed[0].Duration)
		require.NotNil(t, s.entry("slow").Table())
		require.NotNil(t, s.entry("fast").Table())
	})
}

func TestEvaluationsAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rules []rule.Rule
		for i := range 100 {
			rules = append(rules, orders(fmt.Sprint("r", i), 10*time.Second))
		}
		s := newStage(t, rules...)
		s.src.does(slow(time.Second))
		s.play(time.Minute)
		require.EqualValues(t, 8, s.src.most.Load())
		require.EqualValues(t, 100, s.src.asked.Load())
	})
}

func TestReadersOfAColdRuleShareOneEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(slow(500 * time.Millisecond))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
				defer cancel()
				require.NoError(t, s.Now(ctx, s.entry("a")))
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, s.src.asked.Load())
		require.NotNil(t, s.entry("a").Table())
	})
}

func TestAReaderDoesNotWaitLongerThanItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.src.does(slow(5 * time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		began := time.Now()
		require.ErrorContains(t, s.Now(ctx, s.entry("a")), "ask again in a moment")
		require.Equal(t, 800*time.Millisecond, time.Since(began))
		time.Sleep(5 * time.Second)
		require.NotNil(t, s.entry("a").Table(), "the evaluation went on for the next reader")
	})
}

func TestPhasesSpreadOverTheIntervalAndSurviveARestart(t *testing.T) {
	s, again := newStage(t), newStage(t)
	began := time.Unix(1_800_000_000, 0)
	quarter := map[int64]int{}
	for i := range 400 {
		r := &rule.Rule{Key: rule.Key{Name: fmt.Sprint(i)}, Interval: 20 * time.Second}
		next := s.next(r, began)
		require.Equal(t, next, again.next(r, began))
		require.Equal(t, next.Add(20*time.Second), s.next(r, next))
		require.True(t, next.After(began) && !next.After(began.Add(20*time.Second)))
		quarter[int64(next.Sub(began)/(5*time.Second))]++
	}
	for q := range int64(4) {
		require.Greater(t, quarter[q], 60, "evaluations bunch up: %v", quarter)
	}
}

func TestOneNamespacesSlowRulesDoNotStarveAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rules []rule.Rule
		for i := range 12 {
			r := orders(fmt.Sprint("slow", i), 5*time.Second)
			r.Key.Namespace, r.Query, r.Created = "greedy", "slow_one", time.Unix(1, 0)
			rules = append(rules, r)
		}
		late := orders("late", 5*time.Second)
		late.Key.Namespace, late.Created = "modest", time.Unix(2, 0)
		s := newStage(t, append(rules, late)...)
		for _, r := range append(rules, late) {
			s.readers[r.Key] = 1
		}
		s.src.slow = "slow_one"
		s.play(31 * time.Second)
		require.NotNil(t, s.store.Catalog().Entry(late.Key).Table())
		require.Empty(t, s.store.Catalog().Entry(late.Key).Failures())
		require.LessOrEqual(t, s.src.slowest.Load(), int64(4), "half of the places")
	})
}

func TestARuleThatIsGoneLeavesNoMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, orders("a", 10*time.Second))
		s.play(time.Second)
		require.Equal(t, 1, testutil.CollectAndCount(s.metrics.evaluations))
		s.put(t)
		s.play(time.Second)
		require.Zero(t, testutil.CollectAndCount(s.metrics.evaluations))
	})
}

func TestARefusedRuleIsNotEvaluated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		c, _ := snapshot.NewCatalog([]*rule.Rule{{Key: rule.Key{Name: "a"}, Metric: "a", Refusal: source.ErrRefused}}, nil)
		s.store.Swap(c)
		s.readers[rule.Key{Name: "a"}] = 1
		s.play(time.Minute)
		require.Zero(t, s.src.asked.Load())
		require.NoError(t, s.Ready())
	})
}
