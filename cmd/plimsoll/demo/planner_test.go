// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
	"github.com/plimsoll/plimsoll/scaler/record"
)

var began = time.Date(2026, 11, 22, 20, 15, 37, 123e6, time.UTC)

func plannerOf(length time.Duration) planner {
	return planner{day: dayOf(Options{Duration: length}), target: targetOf(length), began: began}
}

// The sale's floor is asked for when its first users come, on every day.
func TestScheduleOfTheSale(t *testing.T) {
	for _, length := range []time.Duration{2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 157 * time.Second} {
		p := plannerOf(length)
		for _, number := range []int{0, 7} {
			rule, err := p.scheduleOf(number).Compile(nil)
			require.NoError(t, err)
			from, to := p.day.Sale()
			midnight := began.Add(time.Duration(number) * length)
			at := func(t time.Duration) schedule.Decision {
				obs := schedule.Observations{BaseMin: 2, BaseMax: 40, PerReplicaMilli: 100_000, Lead: p.target.Startup, AssumeReady: true}
				return schedule.Evaluate([]*schedule.Schedule{rule}, obs, midnight.Add(t))
			}
			require.Empty(t, at(from-p.target.Startup-p.day.Length/20).Active, "it does not begin long before")
			for _, now := range []time.Duration{from - p.target.Startup, from, to - 2*time.Second} {
				require.Len(t, at(now).Active, 1)
				require.Equal(t, int32(36), *at(now).Active[0].Min, "a fifth more than 3,000 users of 100 a pod")
			}
		}
	}
}

// The forecast is trusted from the earlier days alone, and sees the morning before it comes.
func TestForecastKnowsTheMorning(t *testing.T) {
	for _, length := range []time.Duration{2 * time.Minute, 3 * time.Minute, 5 * time.Minute} {
		p := plannerOf(length)
		rule, err := p.forecast().Compile()
		require.NoError(t, err)
		require.Zero(t, length%rule.Interval)
		lead := rule.LeadTime(p.target.Startup + 15*time.Second)
		require.Less(t, lead, rule.MaxLead, "the measured lead counts, not its limit")
		m, err := model.New(rule, lead, earlierDemand(p.day, began, began))
		require.NoError(t, err)
		require.Equal(t, forecast.Armed, m.Gate().Trust, "%s: %s", length, m.Gate().Reason)

		soon := time.Duration(0.15*float64(length)) - lead
		for at := began.Truncate(rule.Interval).Add(rule.Interval); at.Before(began.Add(soon)); at = at.Add(rule.Interval) {
			require.NoError(t, m.Learn(forecast.Point{Time: at, Value: float64(p.day.Users(at.Sub(began)))}))
		}
		view, err := m.Look(began.Add(soon))
		require.NoError(t, err)
		require.GreaterOrEqual(t, view.Lead, lead)
		now, then := p.day.Users(soon), p.day.Users(soon+view.Lead)
		require.Greater(t, then, 2*now)
		require.InEpsilon(t, then, view.Demand, 0.25, "%s: %d users now, %d then", length, now, then)
	}
}

func TestIntervalDividesTheDay(t *testing.T) {
	require.Equal(t, 3*time.Second, intervalOf(5*time.Minute))
	require.Equal(t, time.Second, intervalOf(3*time.Minute))
	require.Equal(t, time.Second, intervalOf(2*time.Minute))
	require.Equal(t, time.Second, intervalOf(157*time.Second), "a prime number of seconds")
}

// The override is in force, with pods that are Ready, when the show names the shop.
func TestOverrideForTheShow(t *testing.T) {
	p := plannerOf(5 * time.Minute)
	from, to := p.day.Mention()
	o := p.override(1380, 2)
	require.NoError(t, o.Validate())
	parsed, err := record.ParseOverride(map[string]string{record.OverrideAnnotation: o.Format()})
	require.NoError(t, err)
	midnight := began.Add(2 * p.day.Length)
	require.True(t, parsed.Active(midnight.Add(from-p.target.Startup-syncPeriod)))
	require.False(t, parsed.Active(midnight.Add(to+time.Second)))
	require.GreaterOrEqual(t, float64(*parsed.Min)*p.target.Capacity, float64(p.day.Users(2*p.day.Length+from+10*time.Second)))
	require.Equal(t, "plimsoll override hpa/shop -n shop-planned --min 23 --for 52s", command(o))
}

func TestTextIsWhatPeopleWrite(t *testing.T) {
	written, err := text(plannerOf(5 * time.Minute).forecast())
	require.NoError(t, err)
	require.NotContains(t, written, "status")
	require.NotContains(t, written, "creationTimestamp")
	var back v1alpha1.ScaleForecast
	require.NoError(t, yaml.UnmarshalStrict([]byte(written), &back))
	require.Equal(t, v1alpha1.ForecastEnforce, back.Spec.Mode)
	require.True(t, strings.HasPrefix(written, "apiVersion: plimsoll.dev/v1alpha1\n"))
}
