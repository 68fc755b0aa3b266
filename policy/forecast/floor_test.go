// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFloorOf(t *testing.T) {
	tests := map[string]struct {
		in    FloorInput
		want  int32
		limit string
	}{
		"rounded up":         {FloorInput{Demand: 401, PerReplica: 10, Replicas: 40, MaxReplicas: 100}, 41, ""},
		"exact":              {FloorInput{Demand: 0.3, PerReplica: 0.1, Replicas: 3, MaxReplicas: 100}, 3, ""},
		"nothing":            {FloorInput{Demand: 0, PerReplica: 10, Replicas: 3, MaxReplicas: 100}, 0, ""},
		"below zero":         {FloorInput{Demand: -5, PerReplica: 10, Replicas: 3, MaxReplicas: 100}, 0, ""},
		"the user's maximum": {FloorInput{Demand: 5000, PerReplica: 10, Replicas: 90, MaxReplicas: 100}, 100, "maxReplicas is 100"},
		"one step at a time": {FloorInput{Demand: 5000, PerReplica: 10, Replicas: 40, MaxReplicas: 1000, MaxIncrease: 0.5}, 60, "at most 60"},
		"from nothing":       {FloorInput{Demand: 5000, PerReplica: 10, MaxReplicas: 1000, MaxIncrease: 1}, 2, "at most 2"},
		"more than can be":   {FloorInput{Demand: 1e100, PerReplica: 1e-3, Replicas: math.MaxInt32, MaxIncrease: 5}, math.MaxInt32, ""},
		"an infinite demand": {FloorInput{Demand: math.Inf(1), PerReplica: 1, MaxReplicas: 7}, 7, "maxReplicas is 7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FloorOf(tt.in)
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Replicas)
			if tt.limit == "" {
				require.Empty(t, got.Limit)
			}
			require.Contains(t, got.Limit, tt.limit)
		})
	}
	for _, bad := range []FloorInput{{Demand: 1}, {Demand: 1, PerReplica: -1}, {Demand: 1, PerReplica: math.NaN()}, {Demand: math.NaN(), PerReplica: 1}} {
		_, err := FloorOf(bad)
		require.Error(t, err)
	}
}

func TestLeadTime(t *testing.T) {
	m := time.Minute
	require.Equal(t, 10*m, Rule{Lead: 10 * m, MaxLead: 60 * m}.LeadTime(3*m))
	require.Equal(t, 3*m, Rule{MaxLead: 60 * m}.LeadTime(3*m))
	require.Equal(t, 5*m, Rule{MaxLead: 60 * m}.LeadTime(0))
	require.Equal(t, 15*time.Second, Rule{MaxLead: 60 * m}.LeadTime(time.Second))
	require.Equal(t, 60*m, Rule{MaxLead: 60 * m}.LeadTime(5*time.Hour))
	require.Equal(t, 30*time.Second, Rule{Lead: 30 * time.Second, MaxLead: 60 * m}.LeadTime(0), "what was given is taken as it is: a demo's day is short")
}

func TestRuleConfig(t *testing.T) {
	c := Rule{Interval: 5 * time.Minute, Quantile: 0.9}.Config(15*time.Minute, 10*time.Minute, time.Hour, 61*time.Minute)
	require.Equal(t, []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, time.Hour}, c.Leads)
	f, err := New(c)
	require.NoError(t, err)
	require.Equal(t, 0.9, f.Config().Quantile)
}
