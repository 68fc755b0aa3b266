// SPDX-License-Identifier: Apache-2.0

package components

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// reportEvery is the time between two progress lines of one component.
const reportEvery = 10 * time.Second

// tailBytes is how much of the compiler's output is kept to explain a failure.
const tailBytes = 8 << 10

// meter reads the output of `go build -v`, which names each package when it is compiled, and tells how
// far the build is.
type meter struct {
	progress io.Writer
	label    string

	mu       sync.Mutex
	packages int
	last     []byte
}

func newMeter(progress io.Writer, label string) *meter {
	return &meter{progress: progress, label: label}
}

// Write counts lines and keeps the last of them.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages += bytes.Count(p, []byte("\n"))
	m.last = append(m.last, p...)
	if extra := len(m.last) - tailBytes; extra > 0 {
		m.last = m.last[extra:]
	}
	return len(p), nil
}

// start reports now and then until the returned function is called with the outcome.
func (m *meter) start() (stop func(error)) {
	begin, ticker, done := time.Now(), time.NewTicker(reportEvery), make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				m.report("building", begin)
			}
		}
	})
	return func(err error) {
		ticker.Stop()
		close(done)
		reporter.Wait()
		if err == nil {
			m.report("built", begin)
		}
	}
}

func (m *meter) report(verb string, begin time.Time) {
	m.mu.Lock()
	packages := m.packages
	m.mu.Unlock()
	fmt.Fprintf(m.progress, "%s %s: %d packages compiled, %s\n", verb, m.label, packages, time.Since(begin).Round(time.Second))
}

// tail returns the last output without the names of packages, which are lines without a space.
func (m *meter) tail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var kept []string
	for line := range strings.Lines(string(m.last)) {
		if strings.Contains(line, " ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
