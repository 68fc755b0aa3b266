// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"log/slog"
	"testing"

	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // the kind of discovery that the file uses
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/manifests"
)

// The embedded engine's scrape configuration is one that Prometheus reads, and gives series the labels that rules go by.
func TestScrapeConfiguration(t *testing.T) {
	text, err := manifests.Files.ReadFile("components/embedded-engine/scrape.yaml")
	require.NoError(t, err)
	loaded, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	jobs, err := loaded.GetScrapeConfigs()
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	targets := map[string]bool{}
	for _, relabel := range jobs[0].RelabelConfigs {
		targets[relabel.TargetLabel] = true
	}
	require.True(t, targets["namespace"] && targets["pod"])
	require.NotZero(t, jobs[0].SampleLimit)
}
