// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecommend(t *testing.T) {
	poor := Outcome{Name: PlainHPA, UnservedShare: 0.05, TimeShort: 0.2, ShortMinutes: 1000, ReplicaHours: 100}
	good := Outcome{Name: PlainHPA, UnservedShare: 0.0001, TimeShort: 0.001, ShortMinutes: 10, ReplicaHours: 100}
	as := func(o Outcome, name string, hours, short float64) Outcome {
		o.Name, o.ReplicaHours, o.ShortMinutes = name, hours, short
		return o
	}
	for name, c := range map[string]struct {
		policies []Outcome
		want     string
	}{
		"good enough stays":              {[]Outcome{good, as(good, WeekAgo, 130, 0), as(good, WithForecast, 120, 0)}, PlainHPA},
		"good enough beats poor":         {[]Outcome{poor, as(good, WeekAgo, 130, 10)}, WeekAgo},
		"the cheaper of the good":        {[]Outcome{poor, as(good, WeekAgo, 130, 10), as(good, WithForecast, 110, 20)}, WithForecast},
		"the simpler of the nearly same": {[]Outcome{poor, as(good, WeekAgo, 130, 10), as(good, WithForecast, 129, 10)}, WeekAgo},
		"better in both":                 {[]Outcome{poor, as(good, WeekAgo, 130, 300), as(good, WithForecast, 129, 30)}, WithForecast},
		"nothing helps":                  {[]Outcome{poor, as(poor, WeekAgo, 130, 1000)}, PlainHPA},
	} {
		r := Result{Policies: append(c.policies, as(good, FixedMaximum, 500, 0), as(good, Oracle, 50, 0))}
		got := recommend(r)
		require.Equal(t, c.want, got.Policy, name)
		require.NotEmpty(t, got.Reason)
	}
	r := Result{Policies: []Outcome{good, as(good, FixedMaximum, 80, 0), as(good, Oracle, 50, 0)}}
	require.Equal(t, PlainHPA, recommend(r).Policy, "hindsight is no policy")
	require.Contains(t, recommend(r).Reason, "Scaling saves nothing here")
}
