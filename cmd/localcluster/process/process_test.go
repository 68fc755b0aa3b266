// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 1 1 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 1000 2 3"
	tests := map[string]struct {
		line string
		want stat
		fail string
	}{
		"plain":               {line: "7 (etcd) S" + rest, want: stat{state: 'S', startTicks: 4711}},
		"blanks in the name":  {line: "7 (a b c) R" + rest, want: stat{state: 'R', startTicks: 4711}},
		"closing parenthesis": {line: "7 (a) S 1) Z" + rest, want: stat{state: 'Z', startTicks: 4711}},
		"no name":             {line: "7 etcd S" + rest, fail: "no program name"},
		"cut off":             {line: "7 (etcd) S 1 2", fail: "too few fields"},
		"not a number":        {line: "7 (etcd) S 1 1 1 0 -1 0 1 0 0 0 1 2 0 0 20 0 1 0 x 1", fail: "start time"},
		"empty":               {fail: "no program name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(test.line))
			if test.fail != "" {
				require.ErrorContains(t, err, test.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func FuzzParseStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	require.NoError(f, err)
	f.Add(own)
	f.Add([]byte("7 (a) S 1) Z 1 1 1 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 1000"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if parsed, err := parseStat(line); err != nil {
			require.Zero(t, parsed)
		}
	})
}

// begin starts a program in the shell and returns its identity and mark.
func begin(t *testing.T, script string) (Identity, string) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	mark := t.Name()
	log := filepath.Join(t.TempDir(), "log")
	identity, _, err := Start(Program{Path: shell, Arguments: []string{"-c", script}, Log: log, Mark: mark})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, identity.End(context.Background(), 0)) })
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(log)
		return err == nil && string(content) == "up\n"
	}, time.Minute, 5*time.Millisecond, "the program says that it is up")
	return identity, mark
}

func TestEndEndsTheProcess(t *testing.T) {
	const obedient, stubborn = "echo up; exec sleep 600", "trap '' TERM; echo up; while :; do sleep 600; done"
	tests := map[string]struct {
		script string
		pause  bool
		grace  time.Duration
	}{
		"asked":                   {obedient, false, time.Minute},
		"killed at once":          {obedient, false, 0},
		"killed after the grace":  {stubborn, false, 50 * time.Millisecond},
		"asked while it is still": {obedient, true, time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			identity, _ := begin(t, test.script)
			require.True(t, identity.Alive())
			if test.pause {
				require.NoError(t, identity.Signal(unix.SIGSTOP))
				require.Eventually(t, identity.Stopped, time.Minute, time.Millisecond)
			}
			require.NoError(t, identity.End(t.Context(), test.grace))
			require.False(t, identity.Alive())
			require.NoError(t, identity.End(t.Context(), test.grace), "ending it twice is harmless")
			require.NoError(t, identity.Wait(t.Context()))
			require.ErrorIs(t, identity.Signal(unix.SIGTERM), ErrGone)
		})
	}
}

// A number that has passed to another process, or an identity of an earlier boot, is never signalled.
func TestOtherProcessesAreLeftAlone(t *testing.T) {
	identity, _ := begin(t, "echo up; exec sleep 600")
	recycled, rebooted := identity, identity
	recycled.StartTicks--
	rebooted.Boot = "00000000-0000-0000-0000-000000000000"
	for name, stranger := range map[string]Identity{"recycled": recycled, "rebooted": rebooted, "none": {}} {
		t.Run(name, func(t *testing.T) {
			require.False(t, stranger.Alive())
			require.NoError(t, stranger.End(t.Context(), 0))
			require.Error(t, stranger.Signal(unix.SIGKILL))
			require.True(t, identity.Alive())
		})
	}
}

func TestWaitHeedsItsContext(t *testing.T) {
	identity, _ := begin(t, "echo up; exec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, identity.Wait(ctx), context.Canceled)
}

func TestMarkedFindsProcesses(t *testing.T) {
	identity, mark := begin(t, "echo up; exec sleep 600")
	found, err := Marked(mark)
	require.NoError(t, err)
	require.Equal(t, []Identity{identity}, found)
	found, err = Marked(mark + "-other")
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "one")
	unlock, err := Lock(t.Context(), path, func() { t.Error("nobody holds it") })
	require.NoError(t, err)
	second, err := TryLock(path)
	require.NoError(t, err)
	require.Nil(t, second)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = Lock(ctx, path, cancel)
	require.ErrorIs(t, err, context.Canceled)

	waiting, taken := make(chan struct{}), make(chan error, 1)
	go func() {
		unlock, err := Lock(t.Context(), path, func() { close(waiting) })
		if err == nil {
			unlock()
		}
		taken <- err
	}()
	<-waiting
	unlock()
	require.NoError(t, <-taken)
}
