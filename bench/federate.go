// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/bench/federate"
)

func federateCommand() *cobra.Command {
	o := federate.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "federate",
		Short: "The scaler with many member clusters and FederatedScales: CPU, memory, bytes per member, time of a change",
		Long: `Starts a hub, a few member clusters and stubs of many others, divides FederatedScales over them with the real scaler, and
watches it: until all is divided, at rest, during changes of one, a hundred and all of them at once, while a member hangs, and
when one fails. Stubs are servers of our own that answer the scaler as a kube-apiserver does; they stand in for clusters that
this machine cannot hold. Fails if a number in a member is wrong at the end, or was too low at any time. Prints one JSON object.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			return federate.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.Real, "real", o.Real, "member clusters with a kube-apiserver, etcd, controllers, scheduler and kwok nodes of their own")
	fs.IntVar(&o.Stubbed, "stubbed", o.Stubbed, "stubs of further member clusters")
	fs.IntVar(&o.Scales, "scales", o.Scales, "FederatedScales, each of a Deployment")
	fs.IntVar(&o.PerScale, "clusters-per-scale", o.PerScale, "clusters that each FederatedScale names; every cluster gets as many as another, or one more")
	fs.IntVar(&o.Replicas, "replicas", o.Replicas, "replicas of a FederatedScale for each of its clusters, at first")
	fs.DurationVar(&o.PodDelay, "pod-delay", o.PodDelay, "time until a pod is Ready")
	fs.DurationVar(&o.Idle, "idle", o.Idle, "how long the scaler is watched at rest")
	fs.DurationVar(&o.Within, "within", o.Within, "how long one step may take before the benchmark gives up")
	fs.StringVar(&o.Keep, "dir", o.Keep, "folder where the scaler's log stays; default: a temporary one that is removed")
	return cmd
}
