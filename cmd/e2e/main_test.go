// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// shared is the one cluster of this package's tests; each test has namespaces of its own.
var shared *world

// world is a stack with a Prometheus that collects from an exporter whose words are the tests'.
type world struct {
	*stack.Stack
	exporter *exporter
	cluster  kubernetes.Interface
	objects  dynamic.Interface
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("cmd/e2e: not run with -short: its tests need a local cluster")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plimsoll-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	w, err := newWorld(dir, adapters)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tests' cluster does not start:", err)
		return 1
	}
	shared = w
	code := m.Run()
	if code != 0 {
		w.printLogs()
	}
	if err := w.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests' cluster does not end:", err)
		return 1
	}
	return code
}

// newWorld starts a cluster, a Prometheus that scrapes every second, and adapters.
func newWorld(dir string, adapters int) (*world, error) {
	w := &world{exporter: newExporter()}
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
- job_name: app
  honor_labels: true
  static_configs: [{targets: [%q]}]
`, w.exporter.server.Listener.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // a cold build of Kubernetes
	defer cancel()
	s, err := stack.Start(ctx, stack.Options{
		ClusterOptions: stack.ClusterOptions{Name: "e2e", Dir: filepath.Join(dir, "stack"), HPASyncPeriod: 2 * time.Second, PrometheusConfig: config, Progress: os.Stderr},
		Adapters:       adapters,
	})
	if err != nil {
		return nil, err
	}
	w.Stack = s
	if w.cluster, err = kubernetes.NewForConfig(s.RESTConfig); err != nil {
		return nil, err
	}
	w.objects, err = dynamic.NewForConfig(s.RESTConfig)
	return w, err
}

func (w *world) printLogs() {
	logs, _ := filepath.Glob(filepath.Join(w.Dir, "adapters", "*.log"))
	for _, file := range logs {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(os.Stderr, "== the end of %s\n%s\n", filepath.Base(file), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// exporter is an application's /metrics: each test sets the series of its own name, and may let the whole exporter hang.
type exporter struct {
	server *httptest.Server

	mu     sync.Mutex
	series map[string]string
	hangs  chan struct{} // closed to let go; nil: it answers
}

func newExporter() *exporter {
	e := &exporter{series: map[string]string{}}
	e.server = httptest.NewServer(e)
	return e
}

// set replaces what the exporter says under a test's name; "" takes it away.
func (e *exporter) set(name, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if text == "" {
		delete(e.series, name)
		return
	}
	e.series[name] = text
}

// hang lets every scrape wait until the returned function is called.
func (e *exporter) hang() (resume func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	let := make(chan struct{})
	e.hangs = let
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.hangs = nil
		close(let)
	})
}

func (e *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	hangs := e.hangs
	var text strings.Builder
	for _, s := range e.series {
		text.WriteString(strings.TrimSpace(s) + "\n")
	}
	e.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(text.String()))
}
