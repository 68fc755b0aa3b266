// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The source is lost for longer than every limit, with a restart in the middle, and comes back.
func TestSourceLostAndBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.run(t, start.Add(9*time.Hour+2*time.Minute), true)
	b.said()
	last := *b.get(t).Status.Floor
	lost := b.loop.entries.all[key].shown.Load().newest
	b.prom.down.Store(true)

	s := b.run(t, lost.Add(14*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastQueryFailed, reason(s), s.Conditions)
	require.Equal(t, last, *s.Floor)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	s = b.run(t, lost.Add(70*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastStale, reason(s), s.Conditions)
	require.Greater(t, *s.Floor, last, "the uncertainty has grown, and the demand rises at this time")
	widest := *s.Floor

	b.restart(t)
	b.look(t)
	require.Equal(t, widest, *b.get(t).Status.Floor, "a restart changes nothing")
	require.Equal(t, v1alpha1.ForecastEnforcing, b.get(t).Status.Effective)
	before := widest
	for _, at := range []time.Duration{76 * time.Minute, 91 * time.Minute, 106 * time.Minute} {
		s = b.run(t, lost.Add(at), false)
		require.Less(t, *s.Floor, before)
		require.Positive(t, *s.Floor)
		before = *s.Floor
	}
	s = b.run(t, lost.Add(121*time.Minute), false)
	require.Nil(t, s.Floor)
	require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
	s = b.run(t, lost.Add(10*time.Hour), false)
	require.Nil(t, s.Floor)
	all := strings.Join(b.said(), "\n")
	require.Contains(t, all, "Warning SourceLost")
	require.Contains(t, all, "Warning FloorGivenUp")

	b.prom.down.Store(false) // it has the values of the meantime
	s = b.run(t, lost.Add(10*time.Hour+10*time.Minute), true)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	require.InDelta(t, users(b.now)/100, float64(*s.Floor), 4)
	all = strings.Join(b.said(), "\n")
	require.Contains(t, all, "Normal SourceBack")
	require.Contains(t, all, "Normal Enforcing")
}

// Values stop, but the source answers.
func TestNoNewValues(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.look(t)
	last := *b.get(t).Status.Floor
	s := b.run(t, start.Add(40*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastStale, reason(s), s.Conditions)
	require.GreaterOrEqual(t, *s.Floor, last)
	s = b.run(t, start.Add(3*time.Hour), false)
	require.Nil(t, s.Floor)
	s = b.run(t, start.Add(3*time.Hour+20*time.Minute), true)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
}

func TestSourceProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query        string
		reason, text string
	}{
		"no series":      {"sum(no_such_metric)", v1alpha1.ForecastNoData, "no value now"},
		"several series": {"online_users or label_replace(online_users, \"pod\", \"b\", \"\", \"\")", v1alpha1.ForecastNoData, "several series"},
		"no PromQL":      {"sum(", v1alpha1.ForecastInvalid, "parse error"},
		"no evaluation":  {"online_users * on () group_left () (online_users or label_replace(online_users, \"a\", \"b\", \"\", \"\"))", v1alpha1.ForecastQueryFailed, "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForecast()
			f.Spec.Query = test.query
			b := newBed(t, newHPA(), f)
			s := b.look(t)
			require.Equal(t, test.reason, reason(s), s.Conditions)
			require.Contains(t, s.Conditions[0].Message, test.text)
			require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
			require.Nil(t, s.Floor)
		})
	}
}

// A series whose labels change with a release is one demand.
func TestSeriesThatFollowEachOther(t *testing.T) {
	f := newForecast()
	f.Spec.Query = "sum by (release) (sold)"
	b := emptyBed(t, newHPA(), f)
	half := start.Add(-3 * 24 * time.Hour)
	b.prom.push(t, `sold{namespace="shop",release="1"}`, start.Add(-10*24*time.Hour), half, time.Minute, users)
	b.prom.push(t, `sold{namespace="shop",release="2"}`, half.Add(10*time.Minute), start, time.Minute, users)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(b.look(t)))
}
