// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockStep is the time between two attempts to take a lock that another process holds.
const lockStep = 50 * time.Millisecond

// Lock takes an exclusive lock on the file at path, which it creates if needed, and calls waiting once if
// another process holds it. The kernel releases the lock when its holder ends, however it ends.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := TryLock(path)
	if err != nil {
		return nil, err
	}
	if file == nil {
		waiting()
	}
	for file == nil {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-time.After(lockStep):
		}
		if file, err = TryLock(path); err != nil {
			return nil, err
		}
	}
	return func() { _ = file.Close() }, nil
}

// TryLock takes the lock without waiting. The lock lasts until the file, and every copy of it that a
// child inherits, is closed. It returns nil if another process holds the lock.
func TryLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder for locks: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close() // nothing was written
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
