// SPDX-License-Identifier: Apache-2.0

// Package stacktest has what the end-to-end tests of the adapter and of the scaler have in common.
package stacktest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// patience is how long a state may take to come about on a busy machine. The API server asks for discovery documents once a
// minute.
const patience = 4 * time.Minute

// Eventually waits for a state and fails with the last thing that stood in its way.
func Eventually(t testing.TB, what string, state func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := state()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within %s: %v", what, patience, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Says is what an HPA says about itself.
func Says(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	var out []string
	for _, c := range hpa.Status.Conditions {
		out = append(out, fmt.Sprintf("%s=%s (%s)", c.Type, c.Status, c.Message))
	}
	return strings.Join(out, "; ")
}

// WritePrometheusConfig writes the configuration of a Prometheus that scrapes one exporter every second, as the job app.
// The settings are further lines of it.
func WritePrometheusConfig(file string, e *Exporter, settings string) error {
	text := fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 900ms}
%sscrape_configs:
- job_name: app
  honor_labels: true
  static_configs: [{targets: [%q]}]
`, settings, e.Address())
	return os.WriteFile(file, []byte(text), 0o600)
}

// WriteLogs writes the end of every log of the stack's adapters and scalers.
func WriteLogs(w io.Writer, s *stack.Stack) {
	const shown = 25
	for _, folder := range []string{"adapters", "scalers"} {
		logs, _ := filepath.Glob(filepath.Join(s.Dir, folder, "*.log"))
		for _, file := range logs {
			content, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			lines := strings.Split(strings.TrimSpace(string(content)), "\n")
			fmt.Fprintf(w, "== the end of %s\n%s\n", filepath.Base(file), strings.Join(lines[max(0, len(lines)-shown):], "\n"))
		}
	}
}
