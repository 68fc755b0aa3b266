// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/clusters"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// clustersFlags are the flags of `clusters`.
type clustersFlags struct {
	kube   kubeFlags
	output string
}

func newClusters(stderr io.Writer) *cobra.Command {
	f := &clustersFlags{}
	command := &cobra.Command{
		Use:   "clusters",
		Short: "Show the member clusters: health, what is free and reserved, and what if one is lost",
		Long: `clusters shows every MemberCluster as the hub sees it: its state and since when, its Ready nodes, what they have
free (the reserve included), what of that is the reserve, its replicas of divided workloads, and what becomes of them if it
dies now (which a Headroom works out). Below, every FederatedScale with its replicas in each cluster (Ready/all, and an arrow
to its share while they are on their way), and what is wrong, in a sentence.

Only the hub is asked. The exit code is 0; 1 if the hub cannot be asked; 2 for bad flags.`,
		Example: `  plimsoll clusters
  plimsoll clusters -o json | jq '.clusters[] | select(.state != "Healthy")'`,
		Args:              func(c *cobra.Command, args []string) error { return badInput{cobra.NoArgs(c, args)}.orNil() },
		RunE:              func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), stderr) },
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	addOutput(command, &f.output)
	return command
}

func (f *clustersFlags) run(ctx context.Context, out, stderr io.Writer) error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	hub, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	loaded, err := clusters.Load(ctx, hub)
	if err != nil {
		return target.Sentence(err)
	}
	document := clusters.Show(loaded)
	if f.output == "json" {
		return writeJSON(out, document)
	}
	_, err = io.WriteString(out, clusters.Text(document, clusters.View{Now: time.Now(), Width: widthOf(out)}))
	return err
}
