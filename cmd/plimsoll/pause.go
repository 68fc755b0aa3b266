// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/pause"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// pauseFlags are the flags of `pause` and `resume`.
type pauseFlags struct {
	kube   kubeFlags
	pause  bool
	reason string
	dryRun bool
	output string
}

func newPause(stderr io.Writer) *cobra.Command {
	f := &pauseFlags{pause: true}
	command := f.command(stderr)
	command.Use = "pause (hpa|namespace)/NAME..."
	command.Short = "Freeze the bounds of an HPA, or of all HPAs of a namespace, where they are"
	command.Long = `pause freezes the bounds of an HPA, or of all HPAs of a namespace, where they are: Plimsoll writes them neither up nor
down until resume. The HPA itself goes on scaling between them. To keep an HPA from scaling down, use
"plimsoll override hpa/NAME --no-scale-down" instead.

It is the annotation plimsoll.dev/paused: "true". The exit code is 0 also if it was paused already; 1 if something
failed; 2 for bad arguments.`
	command.Example = `  plimsoll pause hpa/shop --reason "incident 4711"
  plimsoll pause namespace/live`
	command.Flags().StringVar(&f.reason, "reason", "", "why; plimsoll explain tells it, with your name")
	return command
}

func newResume(stderr io.Writer) *cobra.Command {
	f := &pauseFlags{}
	command := f.command(stderr)
	command.Use = "resume (hpa|namespace)/NAME..."
	command.Short = "Let paused bounds follow schedules, forecasts and overrides again"
	command.Long = `resume ends a pause: the bounds follow schedules, forecasts and overrides again, at once; floors that are over sink in
steps. It says which bounds that will be. An HPA is still paused if its namespace is.

The exit code is 0 also if nothing was paused; 1 if something failed; 2 for bad arguments.`
	command.Example = `  plimsoll resume hpa/shop --dry-run
  plimsoll resume namespace/live`
	return command
}

func (f *pauseFlags) command(stderr io.Writer) *cobra.Command {
	kinds := []string{target.HPA, target.Namespace}
	command := &cobra.Command{
		RunE: func(c *cobra.Command, args []string) error {
			refs, err := target.Parse(args, kinds...)
			if err == nil && len(refs) == 0 {
				err = errors.New("nothing named: write hpa/NAME or namespace/NAME")
			}
			if err != nil {
				return badInput{err}
			}
			return f.run(c.Context(), c.OutOrStdout(), stderr, refs)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return f.kube.complete(c.Context(), args, typed, kinds...)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	command.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and write nothing")
	addOutput(command, &f.output)
	return command
}

func (f *pauseFlags) run(ctx context.Context, out, stderr io.Writer, refs []target.Ref) error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	cluster, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	request := pause.Request{Pause: f.pause, DryRun: f.dryRun}
	if f.reason != "" {
		request.Note = f.reason
		if user := cluster.User(ctx); user != "" {
			request.Note = user + ": " + f.reason
		}
	}
	document := pause.Document{Objects: []pause.Object{}}
	for _, ref := range refs {
		object, err := f.one(ctx, cluster, ref, request)
		if err != nil {
			return target.Sentence(err)
		}
		document.Objects = append(document.Objects, object)
		if f.output == "table" {
			if _, err := io.WriteString(out, pause.Text(object, f.dryRun)); err != nil {
				return err
			}
		}
	}
	if f.output == "json" {
		return writeJSON(out, document)
	}
	return nil
}

func (f *pauseFlags) one(ctx context.Context, c *target.Cluster, ref target.Ref, request pause.Request) (pause.Object, error) {
	namespace := c.Namespace
	if ref.Kind == target.Namespace {
		namespace = ref.Name
	}
	seen, err := snapshot.Take(ctx, c, namespace)
	if err != nil {
		return pause.Object{}, err
	}
	return pause.Do(ctx, c, seen, ref, request)
}
