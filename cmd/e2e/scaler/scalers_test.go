// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func scalerName(i int) string { return fmt.Sprintf("scaler-%d", i) }

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
