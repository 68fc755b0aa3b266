// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/clusters"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// simulateFlags are the flags of `simulate`.
type simulateFlags struct {
	kube    kubeFlags
	members memberFlags
	surge   string
	output  string
	percent int64
}

func newSimulate(stderr io.Writer) *cobra.Command {
	f := &simulateFlags{}
	command := &cobra.Command{
		Use:   "simulate --lose CLUSTER | --surge 2x",
		Short: "Say what would happen if a cluster were lost, or demand doubled; nothing is changed",
		Long: `simulate takes what the member clusters have at this moment and says what would happen: if one of them were lost, where
its replicas would go and whether they fit; or if all divided workloads surged together, whether the additional replicas fit
at once. The reserve counts as free: it is there for that. What fits only on nodes that a member's node groups may still add
needs nodes: it would wait for minutes. No cluster gets more than the ResourceQuotas of the workload's namespace there, its
maxReplicas and, with divide: Bounds, the maxReplicas of its own HPA let through; one that is being drained gets nothing.

Members are asked with the kubeconfigs of the hub's scaler, and the servers of their node groups with its certificates, so you
need the right to read Secrets in their namespace, and a way to those servers. A member that does not answer counts as full, and
one whose node groups do not answer counts without them. Nodes are only asked about, never asked for.

The exit code is 0 if all of it fits, 1 if not or if the hub cannot be asked, 2 for bad flags.`,
		Example: `  plimsoll simulate --lose berlin
  plimsoll simulate --surge 2x
  plimsoll simulate --surge 20% -o json`,
		Args:              func(c *cobra.Command, args []string) error { return badInput{cobra.NoArgs(c, args)}.orNil() },
		RunE:              func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), stderr) },
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	f.members.add(command, &f.kube)
	command.Flags().StringVar(&f.surge, "surge", "", "how much demand there is: 2x, 1.5x, or what is added: 20%")
	addOutput(command, &f.output)
	return command
}

func (f *simulateFlags) check() error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	if (f.members.lose == "") == (f.surge == "") {
		return badInput{errors.New("say either which cluster is lost (--lose berlin) or how large a surge is (--surge 2x)")}
	}
	if f.surge == "" {
		return nil
	}
	var err error
	if f.percent, err = surgePercent(f.surge); err != nil {
		return badInput{err}
	}
	return nil
}

// mostSurge is the largest surge: eleven times the demand.
const mostSurge = 1000

// surgePercent is what a surge adds: 2x and 100% are 100.
func surgePercent(text string) (int64, error) {
	number, times := strings.CutSuffix(text, "x")
	if !times {
		var percent bool
		if number, percent = strings.CutSuffix(text, "%"); !percent {
			return 0, fmt.Errorf("--surge %q: write 2x for twice the demand, or 20%% for what is added", text)
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(value) {
		return 0, fmt.Errorf("--surge %q: write 2x for twice the demand, or 20%% for what is added", text)
	}
	if times {
		value = (value - 1) * 100
	}
	if value <= 0 || value > mostSurge {
		return 0, fmt.Errorf("--surge %q must add more than 0%% and at most %d%%", text, mostSurge)
	}
	return int64(math.Ceil(value - 1e-9)), nil
}

func (f *simulateFlags) run(ctx context.Context, out, stderr io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	hub, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout+2*f.members.Timeout)
	defer cancel()
	loaded, err := clusters.Load(ctx, hub)
	if err != nil {
		return target.Sentence(err)
	}
	world := clusters.Ask(ctx, hub, loaded, f.members.Options)
	world.AskGroups(ctx, hub, f.members.Secrets, f.members.Timeout)
	answer, err := clusters.Simulate(ctx, world, clusters.Question{Lose: f.members.lose, Surge: f.percent}, time.Now())
	if err != nil {
		return err
	}
	if f.output == "json" {
		err = writeJSON(out, answer)
	} else {
		_, err = io.WriteString(out, clusters.AnswerText(answer, clusters.View{Now: time.Now(), Width: widthOf(out)}))
	}
	if err == nil && answer.Verdict != string(reserve.Fits) {
		return notFitting{errors.New("it does not all fit at once; add nodes, raise limits, or keep more headroom")}
	}
	return err
}
