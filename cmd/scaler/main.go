// SPDX-License-Identifier: Apache-2.0

// Command scaler turns schedules, forecasts and overrides into the bounds of HPAs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json

	cliflag "k8s.io/component-base/cli/flag"

	"github.com/plimsoll/plimsoll/scaler"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "plimsoll-scaler:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	options := scaler.DefaultOptions()
	logging := logsapi.NewLoggingConfiguration()
	var clockOffset time.Duration
	cmd := &cobra.Command{
		Use:   "scaler",
		Short: "Raise and lower the bounds of HPAs on schedules, forecasts and overrides",
		Long: `The scaler keeps minReplicas and maxReplicas of HPAs at what ScaleSchedules, ScaleForecasts and overrides ask for, and
gives them back afterwards. The HPA stays the only one who decides replicas. Several scalers may run: one of them acts.`,
		Example: `  scaler                                                            # in a pod
  scaler --kubeconfig=$HOME/.kube/config --leader-elect=false --metrics-bind-address=0   # at a desk`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := logsapi.ValidateAndApply(logging, nil); err != nil {
				return err
			}
			if clockOffset != 0 {
				options.Now = func() time.Time { return time.Now().Add(clockOffset) }
			}
			defer logs.FlushLogs()
			return scaler.Run(cmd.Context(), options)
		},
	}
	sets := flagSets(&options)
	logsapi.AddFlags(logging, sets.FlagSet("Logging"))
	globalflag.AddGlobalFlags(sets.FlagSet("Global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, set := range sets.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	cmd.Flags().DurationVar(&clockOffset, "clock-offset", 0, "For tests: decide as if it were so much later.")
	cmd.Flags().Lookup("clock-offset").Hidden = true
	cliflag.SetUsageAndHelpFunc(cmd, sets, 120)
	return cmd
}
