// SPDX-License-Identifier: Apache-2.0

// Command plimsoll is the command line of Plimsoll. Installed as kubectl-plimsoll it is `kubectl plimsoll`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(arguments(os.Args), os.Stdout, os.Stderr)) }

// completer is the name under which kubectl looks for a program that completes the words of its plugin.
const completer = "kubectl_complete-plimsoll"

// arguments are those after the program's name. kubectl calls the completer with the words typed so far, and expects the
// answer that cobra gives under its hidden command.
func arguments(args []string) []string {
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completer {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

// run returns the exit code: 0, or 1 (for bad input of some commands 2) after one sentence on stderr.
func run(args []string, stdout *os.File, stderr io.Writer) int {
	ctx, stop := untilSignalled(stderr)
	defer stop()
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "plimsoll: "+err.Error())
		return exitCode(err)
	}
	return 0
}

// exitCode is 1, unless the error says otherwise.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

// untilSignalled returns a context that the first SIGINT, SIGTERM or SIGHUP ends. Further signals are answered with a
// word instead of killing the process: whatever it started must end before it does.
func untilSignalled(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel()
		for range signals {
			fmt.Fprintln(stderr, "plimsoll: still ending what it started; a few seconds more")
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
