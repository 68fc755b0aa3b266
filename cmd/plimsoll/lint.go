// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
)

// maxLintBytes is far more than the API server would take for one object, and room for many.
const maxLintBytes = 64 << 20

func newLint() *cobra.Command {
	output := ""
	command := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check ScaleSchedules, ScaleForecasts and overrides without a cluster: mistakes, contradictions, jumps",
		Long: `lint checks manifests of ScaleSchedules and ScaleForecasts, and Plimsoll's annotations on HPAs and Namespaces, without
a cluster. It applies the checks of the API server and of the scaler, and looks for contradictions and surprises in the next 400 days: windows that never begin or never decide,
floors that more than double at once, floors above the HPA's maximum, local times that a clock change skips or repeats.

Give it the HPAs' manifests too, and it compares the windows with their bounds. "-" reads standard input.
The exit code is 0 without errors (warnings and notes are none), 1 with errors, 2 if a file or a flag cannot be read.`,
		Example: `  plimsoll lint schedules.yaml hpa.yaml
  kubectl kustomize overlays/production | plimsoll lint -`,
		Args: func(c *cobra.Command, args []string) error { return badInput{cobra.MinimumNArgs(1)(c, args)}.orNil() },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) error {
			return runLint(c.InOrStdin(), c.OutOrStdout(), args, output)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	command.Flags().StringVarP(&output, "output", "o", "text", "text (one line for each finding) or json")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func runLint(stdin io.Reader, stdout io.Writer, names []string, output string) error {
	write, known := map[string]func(lint.Report, io.Writer) error{"text": lint.Report.Write, "json": lint.Report.WriteJSON}[output]
	if !known {
		return badInput{fmt.Errorf("-o %s is not known: use text or json", output)}
	}
	var files []lint.File
	for _, name := range names {
		text, err := readManifest(stdin, name)
		if err != nil {
			return badInput{err}
		}
		files = append(files, lint.File{Name: name, Text: text})
	}
	linter, err := lint.New()
	if err != nil {
		return err
	}
	report := linter.Check(files, time.Now())
	if err := write(report, stdout); err != nil {
		return fmt.Errorf("print the findings: %w", err)
	}
	if n := report.Count(lint.Error); n > 0 {
		return fmt.Errorf("lint found %s", human.Things(n, "error"))
	}
	return nil
}

func readManifest(stdin io.Reader, name string) ([]byte, error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the manifest: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxLintBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(text) > maxLintBytes:
		return nil, errors.New(name + " is larger than 64 MiB; give lint the manifests only")
	}
	return text, nil
}
