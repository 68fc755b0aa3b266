// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/localcluster/cluster"
	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

func newCommand(manager *cluster.Manager) *cobra.Command {
	root := &cobra.Command{
		Use:   "localcluster",
		Short: "Real Kubernetes clusters on loopback: etcd, control plane, kwok nodes, Prometheus",
		Long: `localcluster runs real Kubernetes clusters on 127.0.0.1, without containers and without root:
etcd, kube-apiserver, kube-controller-manager, kube-scheduler, nodes and pods played by kwok,
and a Prometheus if asked for. It builds these programs from source once per machine.

  localcluster up --name hub            start a cluster and print its kubeconfig's path
  export KUBECONFIG=$(localcluster up)  the same again is harmless
  localcluster down --name hub          end it and leave nothing`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuild(manager), newUp(manager), newDown(manager), newStatus(manager),
		newList(manager), newLogs(manager), newWatch(manager))
	for _, verb := range verbs() {
		root.AddCommand(newVerb(manager, verb))
	}
	return root
}

func newBuild(manager *cluster.Manager) *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build the components, if that has not been done on this machine",
		Long: `Build the components and print the folder that holds them. From nothing it takes 5 to 7 minutes on
two cores; afterwards it is skipped. "up" builds by itself when it must.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			build, err := components.Ensure(command.Context(), manager.Cache, manager.Recipe, manager.Progress)
			if err == nil {
				fmt.Fprintln(command.OutOrStdout(), build)
			}
			return err
		},
	}
}

func newUp(manager *cluster.Manager) *cobra.Command {
	options := cluster.DefaultOptions()
	command := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster, wait until it is ready and print its kubeconfig's path",
		Long: `Start a cluster, wait until it is ready and print its kubeconfig's path as the last line.
The cluster lives on until "down". A cluster that runs already is left as it is; what a crash left
behind is removed first.`,
		Args: cobra.NoArgs,
	}
	flags := command.Flags()
	flags.StringVar(&options.Name, "name", options.Name, "the cluster's name")
	flags.StringVar(&options.Dir, "dir", "", "the cluster's folder (default: in the cache folder)")
	flags.IntVar(&options.Nodes, "nodes", options.Nodes, "number of nodes")
	flags.IntVar(&options.Zones, "zones", options.Zones, "number of zones that the nodes are spread over")
	flags.StringVar(&options.NodeCPU, "node-cpu", options.NodeCPU, "CPUs of a node")
	flags.StringVar(&options.NodeMemory, "node-memory", options.NodeMemory, "memory of a node")
	flags.IntVar(&options.NodePods, "node-pods", options.NodePods, "pods that fit on a node")
	flags.DurationVar(&options.PodReadyDelay, "pod-ready-delay", 0, "time from a pod's scheduling until it is Ready")
	flags.DurationVar(&options.HPASyncPeriod, "hpa-sync-period", options.HPASyncPeriod, "time between two decisions of the HPA controller")
	flags.IntVar(&options.KubeAPIQPS, "kube-api-qps", options.KubeAPIQPS, "requests per second allowed to the controller manager and to the scheduler")
	flags.StringSliceVar(&options.FeatureGates, "feature-gates", nil, "feature gates of the Kubernetes components, Name=true")
	flags.StringArrayVar(&options.Arguments, "component-arg", nil, "further argument of one component, such as kube-apiserver=--v=4")
	flags.StringVar(&options.PrometheusConfig, "prometheus-config", "", "also run a Prometheus with this configuration file")
	flags.IntVar(&options.ParentPID, "parent-pid", 0, "end the cluster when this process ends")
	flags.DurationVar(&options.Timeout, "timeout", options.Timeout, "give up when the cluster is not ready by then")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if options.Dir == "" {
			options.Dir = manager.DefaultDir(options.Name)
		}
		state, err := manager.Up(command.Context(), options)
		if err != nil {
			return err
		}
		if state.PrometheusURL != "" {
			fmt.Fprintf(manager.Progress, "Prometheus: %s\n", state.PrometheusURL)
		}
		fmt.Fprintln(command.OutOrStdout(), state.Kubeconfig)
		return nil
	}
	return command
}

func newDown(manager *cluster.Manager) *cobra.Command {
	var choice choice
	var all bool
	command := &cobra.Command{
		Use:   "down",
		Short: "End a cluster and remove its files",
		Long:  `End a cluster, whole or half started, and remove its files. It ends only what "up" started.`,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if !all {
				dir, err := choice.folder(manager)
				if err != nil {
					return err
				}
				return manager.Down(command.Context(), dir)
			}
			states, err := manager.List()
			problems := []error{err}
			for _, state := range states {
				problems = append(problems, manager.Down(command.Context(), state.Options.Dir))
			}
			return errors.Join(problems...)
		},
	}
	choice.addFlags(command)
	command.Flags().BoolVar(&all, "all", false, "end all clusters of this user")
	return command
}

// newWatch is how a cluster's watcher is started; it is of no use by hand.
func newWatch(manager *cluster.Manager) *cobra.Command {
	var dir, parent string
	command := &cobra.Command{
		Use:    "watch",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return manager.Watch(command.Context(), dir, parent)
		},
	}
	command.Flags().StringVar(&dir, "dir", "", "the cluster's folder")
	command.Flags().StringVar(&parent, "parent", "", "the identity of the process to watch")
	return command
}

// verbs lists what can be done to a component, with a help line each.
func verbs() []verbHelp {
	return []verbHelp{
		{cluster.Start, "Start a component that was stopped, and wait until it is ready"},
		{cluster.Stop, "Let a component end (after 2 seconds it is killed)"},
		{cluster.Kill, "Kill a component"},
		{cluster.Restart, "Stop and start a component, and wait until it is ready"},
		{cluster.Pause, "Let a component stand still, with its connections open"},
		{cluster.Resume, "Let a paused component go on"},
	}
}

type verbHelp struct {
	verb cluster.Verb
	help string
}

func newVerb(manager *cluster.Manager, verb verbHelp) *cobra.Command {
	var choice choice
	command := &cobra.Command{
		Use:       string(verb.verb) + " COMPONENT",
		Short:     verb.help,
		Args:      cobra.ExactArgs(1),
		ValidArgs: componentNames(),
		RunE: func(command *cobra.Command, arguments []string) error {
			dir, err := choice.folder(manager)
			if err != nil {
				return err
			}
			return manager.Apply(command.Context(), dir, verb.verb, arguments[0])
		},
	}
	choice.addFlags(command)
	return command
}

func componentNames() []string {
	var names []string
	for _, component := range components.All() {
		names = append(names, component.Name)
	}
	return slices.Sorted(slices.Values(names))
}

// choice is how a user says which cluster is meant.
type choice struct {
	name, dir string
}

func (c *choice) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&c.name, "name", cluster.DefaultOptions().Name, "the cluster's name")
	command.Flags().StringVar(&c.dir, "dir", "", "the cluster's folder, instead of its name")
}

func (c *choice) folder(manager *cluster.Manager) (string, error) {
	if c.dir != "" {
		return filepath.Abs(c.dir)
	}
	return manager.Find(c.name)
}
