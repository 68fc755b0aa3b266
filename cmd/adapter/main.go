// SPDX-License-Identifier: Apache-2.0

// Command adapter serves business metrics to HPA v2 through the aggregated API.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json

	cliflag "k8s.io/component-base/cli/flag"

	"github.com/plimsoll/plimsoll/adapter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "plimsoll-adapter:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	options := adapter.DefaultOptions()
	logging := logsapi.NewLoggingConfiguration()
	f := flags{options: &options}
	cmd := &cobra.Command{
		Use:   "adapter",
		Short: "Serve business metrics to HPA v2: one query per rule, answers from memory",
		Long: `The adapter asks a Prometheus-compatible source (or scrapes by itself) for the values of MetricRules and
ClusterMetricRules, once per rule and interval and only for rules that somebody reads, and serves them as
custom.metrics.k8s.io and external.metrics.k8s.io to HPA v2.`,
		Example: `  adapter --prometheus-url=https://prometheus.monitoring:9090 --prometheus-ca-file=/etc/prometheus/ca.crt
  adapter --scrape-config=scrape.yaml --storage-dir=/var/lib/plimsoll   # no Prometheus needed`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := logsapi.ValidateAndApply(logging, nil); err != nil {
				return err
			}
			if err := f.complete(); err != nil {
				return err
			}
			defer logs.FlushLogs()
			return adapter.Run(cmd.Context(), options)
		},
	}
	sets := f.sets()
	logsapi.AddFlags(logging, sets.FlagSet("Logging"))
	globalflag.AddGlobalFlags(sets.FlagSet("Global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, set := range sets.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	cliflag.SetUsageAndHelpFunc(cmd, sets, 120)
	return cmd
}
