// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// The first of two sources dies: the second takes over without a gap, and the first is used again once it is back.
func TestFaultFailover(t *testing.T) {
	s := newStage(t)
	first := s.realSource
	second := s.anotherPrometheus(t)
	stacktest.Eventually(t, "samples in the second source", func() error { return s.fresh(second) })
	s.restores(t, "start", "prometheus")
	s.restartAdapters(t, first, "--prometheus-url="+second)
	s.namesSource(t, first)
	reads := s.read(t, 2, 50*time.Millisecond)

	s.component(t, "kill", "prometheus")
	s.namesSource(t, second)
	stacktest.Eventually(t, "a status that names the second source", func() error {
		_, status, err := s.condition("", s.users)
		if err == nil && status.Source != second {
			err = fmt.Errorf("it names %s", status.Source)
		}
		return err
	})
	s.component(t, "start", "prometheus")
	s.namesSource(t, first)
	reads.stop()
	require.LessOrEqual(t, reads.longestFailure(), maxAge, "a gap in the reads")
	reads.requireAnswered(t)
	s.stillScales(t)
}

// namesSource waits until both metrics' explanations say where the values come from.
func (s *stage) namesSource(t *testing.T, want string) {
	t.Helper()
	for _, metric := range []string{s.users, s.orders} {
		stacktest.Eventually(t, "the source of "+metric, func() error {
			body, err := s.get("/apis/query.plimsoll.dev/v1alpha1/namespaces/" + s.ns + "/metrics/" + metric + "/explain")
			if err != nil {
				return err
			}
			var said explain.Metric
			if err := json.Unmarshal(body, &said); err != nil {
				return err
			}
			if said.Source != want || len(said.Values) == 0 {
				return fmt.Errorf("%d values from %s", len(said.Values), said.Source)
			}
			return nil
		})
	}
}

// anotherPrometheus runs a second Prometheus, which scrapes the same, until the test ends.
func (s *stage) anotherPrometheus(t *testing.T) (address string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), filepath.Join("..", "..", "bin", "localcluster"), "build")
	output, err := build.Output()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := listener.Addr().String()
	require.NoError(t, listener.Close())
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(output)), "prometheus"),
		"--config.file="+s.prometheusConfig(), "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+host, "--log.level=error")
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		stop()
		_ = command.Wait() // it was killed
	})
	return "http://" + host
}
