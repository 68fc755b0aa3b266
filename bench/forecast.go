// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"sort"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/bench/forecast"
)

func forecastCommand() *cobra.Command {
	traces, asJSON := "bench/forecast/testdata", false
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Errors and coverage of the forecast on traces, strictly causal, last half of each",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var files []string
			for _, pattern := range []string{"*.csv", "*.csv.gz"} {
				found, err := filepath.Glob(filepath.Join(traces, pattern))
				if err != nil {
					return fmt.Errorf("looking for traces in %s: %w", traces, err)
				}
				files = append(files, found...)
			}
			if len(files) == 0 {
				return fmt.Errorf("no traces in %s: give --traces a folder with .csv or .csv.gz files of time,value", traces)
			}
			sort.Strings(files)
			if asJSON {
				return forecast.RunJSON(cmd.OutOrStdout(), files)
			}
			return forecast.Run(cmd.OutOrStdout(), files)
		},
	}
	cmd.Flags().StringVar(&traces, "traces", traces, "folder with the traces")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return cmd
}
