// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func startShell(t *testing.T, script string) *child {
	t.Helper()
	c, err := startChild("/bin/sh", filepath.Join(t.TempDir(), "log"), []string{"-c", script})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.end(syscall.SIGKILL)) })
	return c
}

func TestChildEnds(t *testing.T) {
	tests := map[string]struct {
		script string
		signal syscall.Signal
		fail   string
	}{
		"obeys":            {"trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done", syscall.SIGTERM, ""},
		"obeys with error": {"trap 'echo lost a read; exit 3' TERM; echo up; while :; do sleep 0.01; done", syscall.SIGTERM, "lost a read"},
		"killed":           {"trap '' TERM; echo up; while :; do sleep 0.01; done", syscall.SIGKILL, ""},
		"ended before":     {"echo up", syscall.SIGTERM, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := startShell(t, test.script)
			require.Eventually(t, func() bool { return string(c.tail()) == "up" }, time.Minute, time.Millisecond)
			if name == "ended before" {
				<-c.done
			}
			err := c.end(test.signal)
			require.Error(t, c.ended())
			if test.fail == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.fail)
		})
	}
}

func TestChildThatIsNotThere(t *testing.T) {
	_, err := startChild(filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "log"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}
