// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// shared is the hub with its members. The tests use it one after the other, and each leaves it as it was.
var shared *fleet

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("cmd/e2e/clusters: not run with -short: its tests need local clusters")
		return
	}
	ctrllog.SetLogger(klog.Background())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// The limit includes a cold build of Kubernetes.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	f, err := newFleet(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tests' clusters do not start:", err)
		return 1
	}
	shared = f
	code := m.Run()
	if code != 0 {
		stacktest.WriteLogs(os.Stderr, f.hub)
	}
	if err := f.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests' clusters do not end:", err)
		return 1
	}
	return code
}
