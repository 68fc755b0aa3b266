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
		Short: "Start a Kubernetes cluster of its own and show an HPA that follows the users of a shop",
		Long: `Start a real Kubernetes control plane on loopback, a simulated shop, the adapter and an ordinary HPA, and show
how the HPA follows the shop's users over a day of a few minutes, until Ctrl-C, which leaves nothing running.

With --duration the day takes that long and is the only one; the demo ends with a summary, and with exit code 0 only
if the HPA followed the users up and down.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return demo.Run(c.Context(), options) },
	}
	flags := command.Flags()
	flags.DurationVar(&options.Duration, "duration", 0, "show one day compressed into this time, at least 2m, and judge it; 0: days of 5m until Ctrl-C")
	flags.StringVar(&options.Dir, "dir", "", "folder for the cluster, its kubeconfig and logs (default: a temporary one)")
	flags.BoolVar(&options.Keep, "keep", false, "keep the temporary folder with the logs when the demo ends")
	flags.BoolVar(&options.Prometheus, "prometheus", false, "let a Prometheus server scrape the shop; without it the adapter scrapes by itself")
	return command
}
