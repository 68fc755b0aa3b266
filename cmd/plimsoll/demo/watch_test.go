// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"log/slog"
	"testing"

	prometheus "github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/file" // file_sd_configs register themselves
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Only changes of the bounds are noted, not those of an HPA's status.
func TestBoundsLog(t *testing.T) {
	var log boundsLog
	hpa := func(low, high int32) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &low, MaxReplicas: high}}
	}
	log.saw(hpa(2, 40))
	other := hpa(2, 40)
	other.Status.CurrentReplicas = 7
	log.saw(other)
	log.saw(hpa(8, 40))
	log.saw("not an HPA")
	log.saw(hpa(2, 40))
	var seen []bounds.Bounds
	for _, b := range log.all() {
		seen = append(seen, b.Bounds)
		require.False(t, b.Time.IsZero())
	}
	require.Equal(t, []bounds.Bounds{{Min: 2, Max: 40}, {Min: 8, Max: 40}, {Min: 2, Max: 40}}, seen)
}

func TestScrapeConfig(t *testing.T) {
	s := &stage{dir: t.TempDir()}
	config, err := prometheus.Load(fmt.Sprintf(scrapeConfig, "127.0.0.1:1234", s.targets()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	jobs, err := config.GetScrapeConfigs()
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	for _, job := range jobs {
		require.True(t, job.HonorLabels, "the shop says which pod a series is about, the scaler which HPA")
	}
}
