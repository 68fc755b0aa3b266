// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters"
)

func newDemoClusters(stdout *os.File, stderr io.Writer) *cobra.Command {
	options := democlusters.Options{Out: stdout, Progress: stderr}
	command := &cobra.Command{
		Use:   "clusters",
		Short: "Start a hub and three member clusters, let one of them die and come back, and say what that did",
		Long: `Start four real Kubernetes control planes on loopback: a hub, and the members berlin, paris and rome, which have simulated
nodes. A plain HPA in the hub scales one shop that a FederatedScale divides over the members; a Headroom keeps a reserve of
20 % in each. Users come; after a third of the time every process of paris is killed; later it is started again, a fifth more
users come at once, and the replicas return in steps. The same surge meets a shop for which nothing is reserved.

Health and failover have their default settings; only failover.returnAfter is shortened. The summary has every step with its
time, from the API servers. The exit code is 0 only if the replacements were Ready within a minute of the declaration that
paris has failed, the Ready replicas of the survivors never fell meanwhile, and the way back had no dip.`,
		Example: `  plimsoll demo clusters --duration 6m`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return democlusters.Run(c.Context(), options) },
	}
	flags := command.Flags()
	flags.DurationVar(&options.Duration, "duration", democlusters.DefaultDuration, "length of the day, at least 5m; starting the clusters comes before it")
	flags.StringVar(&options.Dir, "dir", "", "folder for the clusters, their kubeconfigs and logs (default: a temporary one)")
	flags.BoolVar(&options.Keep, "keep", false, "keep the temporary folder with the logs when the demo ends")
	return command
}
