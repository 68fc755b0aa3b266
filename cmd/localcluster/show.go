// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/localcluster/cluster"
)

// report is what `status --output json` prints.
type report struct {
	Name          string                    `json:"name"`
	Dir           string                    `json:"dir"`
	Running       bool                      `json:"running"`
	Kubeconfig    string                    `json:"kubeconfig"`
	Server        string                    `json:"server"`
	PrometheusURL string                    `json:"prometheusURL,omitempty"`
	Ports         cluster.Ports             `json:"ports"`
	Components    []cluster.ComponentStatus `json:"components"`
}

func newReport(state *cluster.State) report {
	entries, running := state.Status()
	return report{
		Name: state.Options.Name, Dir: state.Options.Dir, Running: running,
		Kubeconfig: state.Kubeconfig, Server: state.Server, PrometheusURL: state.PrometheusURL,
		Ports: state.Ports, Components: entries,
	}
}

func newStatus(manager *cluster.Manager) *cobra.Command {
	var choice choice
	var output string
	command := &cobra.Command{
		Use:   "status",
		Short: "Show a cluster's addresses and components; fails if it does not run",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %q: must be text or json", output)
			}
			state, err := load(manager, &choice)
			if err != nil {
				return err
			}
			report := newReport(state)
			if err := report.print(command.OutOrStdout(), output); err != nil {
				return err
			}
			if !report.Running {
				return fmt.Errorf("cluster %s does not run as it should", report.Name)
			}
			return nil
		},
	}
	choice.addFlags(command)
	command.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return command
}

func (r report) print(out io.Writer, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	fmt.Fprintf(out, "cluster     %s\nkubeconfig  %s\nserver      %s\n", r.Name, r.Kubeconfig, r.Server)
	if r.PrometheusURL != "" {
		fmt.Fprintf(out, "prometheus  %s\n", r.PrometheusURL)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nCOMPONENT\tSTATE\tPID\tLOG")
	for _, entry := range r.Components {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", entry.Component, entry.State, entry.PID, entry.Log)
	}
	return table.Flush()
}

func newList(manager *cluster.Manager) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List this user's clusters",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			states, err := manager.List()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tSTATE\tNODES\tCREATED\tDIR")
			for _, state := range states {
				fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", state.Options.Name, state.Word(), state.Options.Nodes,
					state.Created.Format("2006-01-02 15:04:05Z"), state.Options.Dir)
			}
			return table.Flush()
		},
	}
}

func newLogs(manager *cluster.Manager) *cobra.Command {
	var choice choice
	command := &cobra.Command{
		Use:       "logs COMPONENT",
		Short:     "Print a component's log",
		Args:      cobra.ExactArgs(1),
		ValidArgs: componentNames(),
		RunE: func(command *cobra.Command, arguments []string) error {
			state, err := load(manager, &choice)
			if err != nil {
				return err
			}
			entries, _ := state.Status()
			i := slices.IndexFunc(entries, func(e cluster.ComponentStatus) bool { return e.Component == arguments[0] })
			if i < 0 {
				return fmt.Errorf("cluster %s has no component %s", state.Options.Name, arguments[0])
			}
			file, err := os.Open(entries[i].Log)
			if err != nil {
				return fmt.Errorf("read the log: %w", err)
			}
			defer func() { _ = file.Close() }() // it was only read
			_, err = io.Copy(command.OutOrStdout(), file)
			return err
		},
	}
	choice.addFlags(command)
	return command
}

// load returns the state of the chosen cluster.
func load(manager *cluster.Manager, choice *choice) (*cluster.State, error) {
	dir, err := choice.folder(manager)
	if err != nil {
		return nil, err
	}
	state, err := cluster.Load(dir)
	if err != nil {
		return nil, err
	}
	if state == nil {
		return nil, fmt.Errorf("no cluster in %s; start it by `localcluster up`", dir)
	}
	return state, nil
}
