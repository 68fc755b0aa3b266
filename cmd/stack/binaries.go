// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// binEnvironment names the folder of the binaries, where neither we nor a checkout is at hand.
const binEnvironment = "PLIMSOLL_BIN"

// moduleLine begins the go.mod of a checkout.
const moduleLine = "module github.com/plimsoll/plimsoll\n"

// binaries are the programs that a stack runs.
type binaries struct{ localcluster, adapter, scaler string }

func in(folder string) binaries {
	return binaries{
		localcluster: filepath.Join(folder, "localcluster"),
		adapter:      filepath.Join(folder, "adapter"),
		scaler:       filepath.Join(folder, "scaler"),
	}
}

// findBinaries looks for the programs in the folder that $PLIMSOLL_BIN names, beside our own program, and in the
// checkout that the working directory is in. In a checkout it builds them, so that a test never meets an old adapter.
func findBinaries(ctx context.Context, progress io.Writer) (binaries, error) {
	if folder := os.Getenv(binEnvironment); folder != "" {
		return in(folder), nil
	}
	if executable, err := os.Executable(); err == nil {
		beside := in(filepath.Dir(executable))
		if _, err := os.Stat(beside.localcluster); err == nil {
			return beside, nil
		}
	}
	checkout, err := findCheckout()
	if err != nil {
		return binaries{}, err
	}
	return in(filepath.Join(checkout, "bin")), build(ctx, checkout, progress)
}

// findCheckout returns the folder of our go.mod, from the working directory upwards.
func findCheckout() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && bytes.HasPrefix(content, []byte(moduleLine)) {
			return folder, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find the checkout: %w", err)
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", fmt.Errorf("localcluster, adapter and scaler are not beside this program: run `make build` and set %s to the folder bin", binEnvironment)
		}
		folder = parent
	}
}

// build brings the checkout's binaries up to date. Test packages run side by side: one of them builds at a time.
func build(ctx context.Context, checkout string, progress io.Writer) error {
	if err := os.MkdirAll(filepath.Join(checkout, "bin"), 0o755); err != nil {
		return fmt.Errorf("build the binaries: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(checkout, "bin", ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("build the binaries: %w", err)
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("build the binaries: %w", err)
	}
	command := exec.CommandContext(ctx, "make", "--no-print-directory", "-C", checkout, "bin/localcluster", "bin/adapter", "bin/scaler")
	var output bytes.Buffer
	command.Stdout, command.Stderr = io.MultiWriter(&output, progress), io.MultiWriter(&output, progress)
	// A make that runs us would otherwise hand its own flags and jobs to this one.
	command.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=")
	if err := command.Run(); err != nil {
		return fmt.Errorf("build the binaries: %w\n%s", err, output.String())
	}
	return nil
}
