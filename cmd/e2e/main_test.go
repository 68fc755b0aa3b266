// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// shared is the one cluster of this package's tests; each test has namespaces of its own.
var shared *world

// world is a stack with a Prometheus that collects from an exporter whose words are the tests'.
type world struct {
	*stack.Stack
	exporter *stacktest.Exporter
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
		stacktest.WriteLogs(os.Stderr, w.Stack)
	}
	if err := w.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests' cluster does not end:", err)
		return 1
	}
	return code
}

// newWorld starts a cluster, a Prometheus that scrapes every second, and adapters.
func newWorld(dir string, adapters int) (*world, error) {
	w := &world{exporter: stacktest.NewExporter()}
	config := filepath.Join(dir, "prometheus.yaml")
	if err := stacktest.WritePrometheusConfig(config, w.exporter, ""); err != nil {
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
