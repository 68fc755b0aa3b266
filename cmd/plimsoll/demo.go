// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo"
)

func newDemo(stdout *os.File, stderr io.Writer) *cobra.Command {
	options := demo.Options{Out: stdout, Progress: stderr}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Start a Kubernetes cluster of its own and show the same shop twice: with an HPA alone, and with Plimsoll",
		Long: `Start a real Kubernetes control plane on loopback and the same simulated shop twice, on a day of a few minutes: in the
namespace shop with an ordinary HPA alone, and in shop-planned with the same HPA, a ScaleSchedule for the evening's sale,
a ScaleForecast that has learned from fourteen earlier days, and an override when a TV show is about to name the shop.
It goes on day after day until Ctrl-C, which leaves nothing running.

With --duration the day takes that long and is the only one; the demo ends with a summary of both shops. The exit code
is 0 only if both HPAs followed the users and the planned shop was short of capacity, by its pods' conditions Ready, for
at most a third of the other's time.`,
		Example: `  plimsoll demo --duration 5m
  plimsoll demo --duration 5m --record day && plimsoll plan --replay day`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return demo.Run(c.Context(), options) },
	}
	flags := command.Flags()
	flags.DurationVar(&options.Duration, "duration", 0, "show one day compressed into this time, at least 3m, and judge it; 0: days of 5m until Ctrl-C")
	flags.StringVar(&options.Dir, "dir", "", "folder for the cluster, its kubeconfig and logs (default: a temporary one)")
	flags.BoolVar(&options.Keep, "keep", false, "keep the temporary folder with the logs when the demo ends")
	flags.StringVar(&options.Record, "record", "", "folder for the demand, what the HPAs did and when, and the manifests, for plimsoll plan --replay (with --keep also in the demo's own)")
	flags.BoolVar(&options.Prometheus, "prometheus", false, "let a Prometheus server scrape the shop; without it the adapter scrapes by itself. It knows no earlier days, so the forecast begins in Learning and is not judged")
	command.AddCommand(newDemoClusters(stdout, stderr))
	return command
}
