// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// shared is the cluster that tests use side by side, each in namespaces of its own.
var shared *world

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("cmd/e2e/scaler: not run with -short: its tests need a local cluster")
		return
	}
	// The tests wait for states of the cluster most of the time: all of them may do so at once, whatever the machine.
	if err := flag.Set("test.parallel", "64"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	w, err := newWorld("scaler", replicas)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tests' cluster does not start:", err)
		return 1
	}
	shared = w
	code := m.Run()
	if code != 0 {
		stacktest.WriteLogs(os.Stderr, w.Stack)
	}
	if found := w.refusals(); len(found) > 0 {
		fmt.Fprintf(os.Stderr, "the scaler lacks rights:\n%s\n", strings.Join(found, "\n"))
		code = 1
	}
	if err := w.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests' cluster does not end:", err)
		return 1
	}
	return code
}

// startWithin includes a cold build of Kubernetes.
const startWithin = 15 * time.Minute

func startContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), startWithin)
}
