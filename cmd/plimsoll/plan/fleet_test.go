// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, name, metrics string) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	text := "metadata: {name: " + name + ", namespace: shop}\nspec: {maxReplicas: 90, scaleTargetRef: {kind: Deployment, name: " + name + "}, metrics: [" + metrics + "]}"
	var out autoscalingv2.HorizontalPodAutoscaler
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &out))
	return &out
}

const (
	external = `{type: External, external: {metric: {name: users, selector: {matchLabels: {a: 'x"y'}}}, target: {type: AverageValue, averageValue: "100"}}}`
	perPod   = `{type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: "100"}}}`
	memory   = `{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 50}}}`
	strange  = `{type: External, external: {metric: {name: "a-b"}, target: {type: AverageValue, averageValue: "1"}}}`
)

func TestWhatToAskPrometheus(t *testing.T) {
	one := Resources{CPU: 0.5, Memory: 1}
	for metrics, want := range map[string]string{
		external: `sum(users{a="x\"y",namespace="shop"})`,
		perPod:   `sum(rps{namespace="shop",pod=~"web-.*"})`,
		"":       `sum(rate(container_cpu_usage_seconds_total{namespace="shop",pod=~"web-.*",container!=""}[5m]))`,
	} {
		c := CandidateOf(object(t, "web", metrics), one)
		require.NoError(t, c.Problem)
		require.Equal(t, want, c.Query)
	}
	require.ErrorContains(t, CandidateOf(object(t, "web", memory), one).Problem, "only the utilization of cpu")
	require.ErrorContains(t, CandidateOf(object(t, "web", strange), one).Problem, "a name that Prometheus does not have")
	require.ErrorContains(t, CandidateOf(object(t, "web", ""), Resources{}).Problem, "no cpu request")
}

func TestFleetIsRankedByWhatItLoses(t *testing.T) {
	one := Resources{CPU: 0.5, Memory: 1}
	var candidates []Candidate
	for name, metrics := range map[string]string{"calm": perPod, "evening": external, "blind": memory, "silent": perPod} {
		candidates = append(candidates, CandidateOf(object(t, name, metrics), one))
	}
	fetch := func(_ context.Context, query string) (Trace, error) {
		switch {
		case strings.Contains(query, "silent"):
			return Trace{}, errors.New("no values")
		case strings.Contains(query, "calm"):
			flat := days(10)
			for i := range flat.Points {
				flat.Points[i].Value = 1000
			}
			return flat, nil
		}
		return days(10), nil
	}
	ranking, err := Fleet(t.Context(), candidates, Input{Prices: Prices{CPU: 1}}, fetch)
	require.NoError(t, err)
	var names []string
	for _, r := range ranking {
		names = append(names, r.Name)
	}
	require.Equal(t, []string{"evening", "calm", "blind", "silent"}, names)
	require.Less(t, ranking[0].Best.ShortMinutes, ranking[0].Today.ShortMinutes)
	require.Positive(t, *ranking[0].Today.Cost)
	require.Equal(t, PlainHPA, ranking[1].Recommendation.Policy)
	require.Contains(t, ranking[3].Problem, "no values")

	var out bytes.Buffer
	require.NoError(t, WriteFleetTable(&out, ranking))
	require.Contains(t, out.String(), "Not judged: shop/silent: no values")
	require.NoError(t, WriteFleetJSON(&out, ranking))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Fleet(ctx, candidates, Input{}, func(ctx context.Context, _ string) (Trace, error) { return Trace{}, ctx.Err() })
	require.ErrorIs(t, err, context.Canceled)
}
