// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// newRoot wires the subcommands; each is one file of this package.
func newRoot(stdout *os.File, stderr io.Writer) *cobra.Command {
	ctrllog.SetLogger(logr.Discard()) // without one, controller-runtime complains after 30 s; our commands tell what they do
	root := &cobra.Command{
		Use:   "plimsoll",
		Short: "Business metrics, schedules and reserves for Kubernetes' HorizontalPodAutoscaler",
		Long: `plimsoll explains the numbers that Plimsoll gives to HorizontalPodAutoscalers, and shows it at work.

Installed on the PATH under the name kubectl-plimsoll it is also a kubectl plugin: "kubectl plimsoll explain metric ...";
under the name kubectl_complete-plimsoll too, kubectl's own completion knows its words ("make build" makes both links).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(newClusters(stderr), newDemo(stdout, stderr), newExplain(stderr), newInstall(stderr), newLint(), newOverride(os.Stdin, stderr), newPause(stderr), newPlan(stderr), newPreflight(stderr), newReport(stderr), newResume(stderr), newSimulate(stderr), newUninstall(stderr), newUpcoming(stderr))
	return root
}
