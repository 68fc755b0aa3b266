// SPDX-License-Identifier: Apache-2.0

// Command bench runs the large benchmarks: whole programs on real clusters, and forecasts on real traces. The small ones
// stand beside the code they measure: make bench.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/bench/reads"
	"github.com/plimsoll/plimsoll/bench/schedules"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measure Plimsoll: whole programs on real clusters, forecasts on real traces",
		Long:  "Each command prints one JSON object or a table on standard output and its progress on standard error. bench/README.md has the method.",
		// Errors are one sentence; the usage would hide it.
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(readsCommand(), constantCommand(), forecastCommand(), schedulesCommand(), headroomCommand(), federateCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func readsCommand() *cobra.Command {
	o := reads.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "reads",
		Short: "Reads per second of the adapter on a real cluster, against the same server's floor and a constant provider",
		Long: `Starts a local cluster with Prometheus and the adapter, runs apps as Deployments on kwok nodes, and reads their metrics
as the HPA controller's service account, in a closed loop. Rounds of reads, of the same server's /livez (the floor) and of
the library's server with a provider that returns a constant alternate; medians count. Prints one JSON object.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			return reads.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.Apps, "apps", o.Apps, "number of apps; with --kind external, of selectors")
	fs.IntVar(&o.PodsPerApp, "pods-per-app", o.PodsPerApp, "pods of each app; with --kind external none are made")
	fs.StringVar(&o.Kind, "kind", o.Kind, "what is read: pods or external")
	fs.IntVar(&o.Clients, "clients", o.Clients, "readers in a closed loop; the HPA controller has 5 workers")
	fs.IntVar(&o.Rounds, "rounds", o.Rounds, "rounds of reads, floor and constant provider")
	fs.DurationVar(&o.Round, "round", o.Round, "length of each part of a round")
	return cmd
}

// constantCommand is the process that reads starts for comparison.
func constantCommand() *cobra.Command {
	var o reads.ConstantOptions
	cmd := &cobra.Command{
		Use: "constant", Hidden: true, Args: cobra.NoArgs,
		Short: "The library's server with a provider that returns a constant (started by reads)",
		RunE:  func(cmd *cobra.Command, _ []string) error { return reads.ServeConstant(cmd.Context(), o) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Kubeconfig, "kubeconfig", "", "the adapter's kubeconfig")
	fs.StringVar(&o.Dir, "dir", "", "folder for the serving certificate")
	fs.IntVar(&o.Port, "port", 0, "port on 127.0.0.1")
	fs.IntVar(&o.Items, "items", 1, "values in an answer")
	return cmd
}

func schedulesCommand() *cobra.Command {
	o := schedules.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "schedules",
		Short: "Schedules of many HPAs that change in the same minute: time, writes, CPU and memory of the scaler",
		Long: `Starts a local cluster without the HPA controller, makes HPAs with a ScaleSchedule each whose windows all begin and end at
the same second, and runs the scaler. Prints one JSON object: when the bounds were right, how often HPAs were written, and
what the scaler used.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			return schedules.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&o.HPAs, "hpas", o.HPAs, "number of HPAs, each with a ScaleSchedule")
	cmd.Flags().BoolVar(&o.Apply, "apply", o.Apply, "the HPAs' owner applies them on the server's side instead of creating them")
	return cmd
}
