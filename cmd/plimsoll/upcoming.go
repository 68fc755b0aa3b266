// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
)

// maxAhead is how far ahead `upcoming` looks at most; ramps and clock changes are worked out for each day of it.
const maxAhead = 31 * 24 * time.Hour

// upcomingFlags are the flags of `upcoming`.
type upcomingFlags struct {
	kube   kubeFlags
	all    bool
	ahead  time.Duration
	output string
}

func newUpcoming(stderr io.Writer) *cobra.Command {
	f := &upcomingFlags{}
	command := &cobra.Command{
		Use:   "upcoming [hpa/NAME]",
		Short: "Say what will change in the bounds of HPAs in the next 48 hours, when and why",
		Long: `upcoming computes the next 48 hours with the same functions as the scaler: the windows of all ScaleSchedules with
their ramps, the end of overrides, and the outlook of the forecasts that act. For each change it says when it comes (in
your time, and in the schedule's), from which bounds to which, who decides, which windows are overruled, and where a
floor is capped by a maximum.

What people and the demand do in between is not known: a maximum that waits until the HPA needs less is shown as the
maximum that it goes to, and numbers of forecasts are marked as such.

The exit code is 0, also if nothing is planned; 1 if the cluster cannot be asked; 2 for bad flags.`,
		Example: `  plimsoll upcoming -A
  plimsoll upcoming hpa/shop -n live --for 168h
  plimsoll upcoming -A -o json | jq '.changes[] | select(.notes != null)'`,
		Args: func(c *cobra.Command, args []string) error { return badInput{cobra.MaximumNArgs(2)(c, args)}.orNil() },
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), c.OutOrStdout(), stderr, args) },
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return f.kube.complete(c.Context(), args, typed, target.HPA)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	command.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "all namespaces")
	command.Flags().DurationVar(&f.ahead, "for", 48*time.Hour, "how far to look ahead, at most 744h")
	addOutput(command, &f.output)
	return command
}

func (f *upcomingFlags) run(ctx context.Context, out, stderr io.Writer, args []string) error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	if f.ahead <= 0 || f.ahead > maxAhead {
		return badInput{fmt.Errorf("--for %s must be above 0s and at most %s", f.ahead, maxAhead)}
	}
	refs, err := target.Parse(args, target.HPA)
	if err != nil {
		return badInput{err}
	}
	if len(args) > 0 && (f.all || len(refs) != 1) {
		return badInput{errors.New("name one HPA of one namespace, or none")}
	}
	cluster, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	now := time.Now()
	q := upcoming.Question{Namespace: cluster.Namespace, From: now, To: now.Add(f.ahead)}
	if f.all {
		q.Namespace = ""
	}
	if len(refs) > 0 {
		q.HPA = refs[0].Name
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	document, err := upcoming.Look(ctx, cluster, q)
	if err != nil {
		return target.Sentence(err)
	}
	if f.output == "json" {
		return writeJSON(out, document)
	}
	_, err = io.WriteString(out, upcoming.Text(document, upcoming.View{Zone: now.Location(), Width: widthOf(out)}))
	return err
}
