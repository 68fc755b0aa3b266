// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func scalerName(i int) string { return fmt.Sprintf("scaler-%d", i) }

// scalerFlags make a change of leader short, as long as the tests' machine is not at a standstill.
func scalerFlags() []string {
	return []string{"--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s"}
}

// refusals are the lines of the scalers' logs in which the API server says that it forbids something
// (in a namespace that goes, everybody is forbidden to make events).
func (w *world) refusals() []string {
	var found []string
	logs, _ := filepath.Glob(filepath.Join(w.Dir, "scalers", "*.log"))
	for _, file := range logs {
		content, err := os.ReadFile(file)
		if err != nil {
			return []string{err.Error()}
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, "forbidden") && !strings.Contains(line, "being terminated") {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	return found
}
