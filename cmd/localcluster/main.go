// SPDX-License-Identifier: Apache-2.0

// Command localcluster runs real Kubernetes clusters on loopback, for demo, tests and benchmarks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/plimsoll/plimsoll/cmd/localcluster/cluster"
	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	manager, err := newManager()
	if err == nil {
		err = newCommand(manager).ExecuteContext(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		return 1
	}
	return 0
}

func newManager() (*cluster.Manager, error) {
	cache, err := components.DefaultCache()
	if err != nil {
		return nil, err
	}
	recipe, err := components.NewRecipe(goMod, goSum)
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own program: %w", err)
	}
	return &cluster.Manager{
		Cache:      cache,
		Recipe:     recipe,
		Executable: executable,
		Progress:   os.Stderr,
	}, nil
}
