// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/bench/headroom"
)

func headroomCommand() *cobra.Command {
	o := headroom.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "headroom",
		Short: "How long a surge waits on full nodes, with placeholder pods that give way and without",
		Long: `Starts a local cluster of four nodes that a workload and its reserve fill, scales the workload up, and takes the time until
the new pods are Ready. Then the same with other pods in the reserve's place, where nodes come after a stated delay. It is
scheduling that is measured: there are no images to pull and nothing starts. Prints one JSON object.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			return headroom.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.Replicas, "replicas", o.Replicas, "replicas of one cpu each before the surge")
	fs.IntVar(&o.Surge, "surge", o.Surge, "percent by which they grow")
	fs.IntVar(&o.Rounds, "rounds", o.Rounds, "surges of each kind")
	fs.DurationVar(&o.NodeDelay, "node-delay", o.NodeDelay, "time until new nodes come, once a pod fits nowhere")
	fs.DurationVar(&o.PodDelay, "pod-delay", o.PodDelay, "time from a pod's scheduling until it is Ready")
	return cmd
}
