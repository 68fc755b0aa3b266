// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// pollStep bounds one wait on a pidfd, so that a cancelled context is noticed.
const pollStep = 100 * time.Millisecond

// open returns a pidfd of this very process; ErrGone if it has ended.
func (i Identity) open() (int, error) {
	if i.PID <= 0 {
		return -1, ErrGone // nobody's
	}
	fd, err := unix.PidfdOpen(i.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", i.PID, err)
	}
	// The check comes after opening: from now on the number cannot pass to another process unseen.
	if err := i.check(); err != nil {
		closeFD(fd)
		return -1, err
	}
	return fd, nil
}

// closeFD closes a pidfd, which cannot fail in a way that matters.
func closeFD(fd int) { _ = unix.Close(fd) }

// Signal sends a signal to this very process; ErrGone if it has ended.
func (i Identity) Signal(signal unix.Signal) error {
	fd, err := i.open()
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return i.signal(fd, signal)
}

func (i Identity) signal(fd int, signal unix.Signal) error {
	err := unix.PidfdSendSignal(fd, signal, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(signal), i.PID, err)
	}
	return nil
}

// Wait returns nil once the process has ended, and the context's error if that comes first.
func (i Identity) Wait(ctx context.Context) error {
	fd, err := i.open()
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return waitFD(ctx, fd)
}

func waitFD(ctx context.Context, fd int) error {
	for ctx.Err() == nil {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(events, int(pollStep.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for a process: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// End asks the process to end (SIGTERM), gives it grace to do so, and then kills it. It returns once the
// process has ended; one that had ended before is no error.
func (i Identity) End(ctx context.Context, grace time.Duration) error {
	fd, err := i.open()
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if grace > 0 {
		if err := i.signal(fd, unix.SIGTERM); err != nil {
			return ignoreGone(err)
		}
		// A process that stands still (SIGSTOP) would see the request only when it goes on.
		if err := i.signal(fd, unix.SIGCONT); err != nil {
			return ignoreGone(err)
		}
		patience, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if waitFD(patience, fd) == nil {
			return nil
		}
	}
	if err := i.signal(fd, unix.SIGKILL); err != nil {
		return ignoreGone(err)
	}
	return waitFD(context.WithoutCancel(ctx), fd)
}

func ignoreGone(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}
