// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
)

// planFlags are the flags of `plan`.
type planFlags struct {
	trace      string
	prometheus string
	query      string
	history    time.Duration
	step       time.Duration
	manifests  []string
	lead       time.Duration
	quantile   float64
	// quantileGiven says that the flag was used, which beats the ScaleForecast.
	quantileGiven bool
	capacity      float64
	price         string
	currency      string
	requests      string
	node          string
	output        string
	report        string
	replay        string
	allHPAs       bool
	kube          *genericclioptions.ConfigFlags
}

func newPlan(stderr io.Writer) *cobra.Command {
	none, all := genericclioptions.ConfigFlags{}, genericclioptions.NewConfigFlags(false)
	none.KubeConfig, none.Context, none.Namespace = all.KubeConfig, all.Context, all.Namespace
	f := &planFlags{kube: &none}
	var names strings.Builder
	for _, n := range plan.Names {
		fmt.Fprintf(&names, "  %-24s%s\n", n[0], n[1])
	}
	command := &cobra.Command{
		Use:   "plan",
		Short: "Say what policies would have done on a history: what would have been unserved, and what it would have cost",
		Long: `plan replays a history of demand against policies, in a closed loop with the arithmetic of Kubernetes' HPA. Policies learn
from the first half and are judged on the second. It needs no cluster, installs nothing and changes nothing.

With --replay it holds this arithmetic against a real cluster: it replays the demand that plimsoll demo --record has
recorded, and compares the replicas after each look of the HPA. A look agrees if the cluster had the replayed count at
some moment within one period of the HPA before or after it. From the cluster it takes times only: when the HPA looked,
of when the values were that it read, how long pods took to be Ready, how long the scaler took to write. The bounds are
those that were recorded, and in a second replay those that schedule, forecast and override make of the demand. Every
other count is listed with the recorded fact that it comes of.

The policies:
` + names.String(),
		Example: `  plimsoll plan --trace users.csv --lead 15m
  plimsoll plan --trace users.csv -f hpa.yaml -f schedule.yaml -f deployment.yaml --price cpu=0.04,memory=0.005 --currency USD --report plan.html
  plimsoll plan --prometheus http://prometheus:9090 --query 'sum(online_users)' --history 840h -f hpa.yaml -o json
  plimsoll plan --all-hpas --prometheus http://prometheus:9090 --price cpu=0.04,memory=0.005`,
		Args: func(c *cobra.Command, args []string) error { return badInput{cobra.NoArgs(c, args)}.orNil() },
		RunE: func(c *cobra.Command, _ []string) error {
			f.quantileGiven = c.Flags().Changed("quantile")
			return badInput{f.run(c.Context(), c.OutOrStdout(), stderr)}.orNil()
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.add(command)
	return command
}

func (f *planFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.trace, "trace", "", "CSV file of time,value: the demand (- reads the standard input)")
	flags.StringVar(&f.prometheus, "prometheus", "", "instead of --trace: URL of a server with Prometheus' HTTP API")
	flags.StringVar(&f.query, "query", "", "with --prometheus: a query with one series, the demand")
	flags.DurationVar(&f.history, "history", 35*24*time.Hour, "with --prometheus: how far back")
	flags.DurationVar(&f.step, "step", 5*time.Minute, "with --prometheus: between two points")
	flags.StringArrayVarP(&f.manifests, "filename", "f", nil, "YAML of a HorizontalPodAutoscaler, ScaleSchedules, a ScaleForecast, a Deployment (for requests); repeatable")
	flags.DurationVar(&f.lead, "lead", plan.DefaultLead, "from the decision to a Ready pod; also how far ahead the forecast looks")
	flags.DurationVar(&f.lead, "startup", plan.DefaultLead, "the same as --lead")
	flags.Float64Var(&f.quantile, "quantile", plan.DefaultQuantile, "share of the outcomes that the forecast's bound shall cover")
	flags.Float64Var(&f.capacity, "capacity", 0, "demand that one replica serves (default: the HPA's target and a quarter more; without an HPA a twentieth of the mean)")
	flags.StringVar(&f.price, "price", "", "per hour, of a core and a GiB: cpu=0.04,memory=0.005")
	flags.StringVar(&f.currency, "currency", "", "of --price, for the report")
	flags.StringVar(&f.requests, "requests", "", "of a pod: cpu=500m,memory=1Gi (default: those of the workload in -f)")
	flags.StringVar(&f.node, "node", "", "allocatable of one node: cpu=4,memory=16Gi; says whether saved replicas free one")
	flags.StringVarP(&f.output, "output", "o", "table", "table (for people) or json")
	flags.StringVar(&f.report, "report", "", "also write one self-contained HTML page to this file")
	flags.StringVar(&f.replay, "replay", "", "instead of all others: folder of plimsoll demo --record; compares the replicas of its cluster with a replay of its demand")
	flags.BoolVar(&f.allHPAs, "all-hpas", false, "with --prometheus: rank every HPA of the cluster (or of --namespace) by what it loses today; reads only")
	f.kube.AddFlags(flags)
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// badInput is an error that ends the process with exit code 2.
type badInput struct{ error }

func (badInput) ExitCode() int   { return 2 }
func (e badInput) Unwrap() error { return e.error }
func (e badInput) orNil() error {
	if e.error == nil {
		return nil
	}
	return e
}

func (f *planFlags) run(ctx context.Context, out, stderr io.Writer) error {
	if f.output != "table" && f.output != "json" {
		return fmt.Errorf("-o %s is not known: use table or json", f.output)
	}
	if f.replay != "" {
		return f.runReplay(out)
	}
	if f.allHPAs {
		return f.runFleet(ctx, out, stderr)
	}
	in, err := f.input()
	if err != nil {
		return err
	}
	progress, finish := progressOn(stderr)
	in.Progress = progress
	in.Trace, err = f.demand(ctx, progress)
	if err == nil {
		var result plan.Result
		if result, err = plan.Make(in); err == nil {
			finish()
			return f.write(result, out)
		}
	}
	finish()
	return err
}

// input reads everything but the demand.
func (f *planFlags) input() (plan.Input, error) {
	in := plan.Input{Lead: f.lead, Capacity: f.capacity, CPU: processCPU}
	if f.lead <= 0 {
		return in, fmt.Errorf("--lead %s is not above 0", f.lead)
	}
	if f.quantileGiven {
		// Below, 0 stands for a quantile that was not given.
		if in.Quantile = f.quantile; in.Quantile == 0 {
			return in, errors.New("--quantile 0 is not at least 0.5 and below 1")
		}
	}
	in.Prices.Currency = f.currency
	err := errors.Join(
		parsePair("--price", f.price, &in.Prices.CPU, &in.Prices.Memory, 1),
		parsePair("--requests", f.requests, &in.Requests.CPU, &in.Requests.Memory, 1<<30),
		parsePair("--node", f.node, &in.Node.CPU, &in.Node.Memory, 1<<30),
	)
	if err != nil {
		return in, err
	}
	for _, name := range f.manifests {
		text, err := readManifest(os.Stdin, name)
		if err != nil {
			return in, err
		}
		if err := in.Manifests.Read(name, text); err != nil {
			return in, err
		}
	}
	return in, nil
}

// parsePair reads cpu=4,memory=16Gi; memory counts in units of memoryUnit.
func parsePair(flag, text string, cpu, memory *float64, memoryUnit float64) error {
	if text == "" {
		return nil
	}
	for _, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		q, err := resource.ParseQuantity(value)
		if err != nil || q.Sign() < 0 {
			return fmt.Errorf("%s %s: %q is not a quantity such as cpu=2 or memory=4Gi", flag, text, part)
		}
		switch name {
		case "cpu":
			*cpu = q.AsApproximateFloat64()
		case "memory":
			*memory = q.AsApproximateFloat64() / memoryUnit
		default:
			return fmt.Errorf("%s %s: %q is neither cpu nor memory", flag, text, name)
		}
	}
	return nil
}

// demand reads the history.
func (f *planFlags) demand(ctx context.Context, progress func(string, int, int)) (plan.Trace, error) {
	switch {
	case (f.trace == "") == (f.prometheus == ""):
		return plan.Trace{}, errors.New("give the demand with either --trace FILE or --prometheus URL")
	case f.trace != "" && f.query != "":
		return plan.Trace{}, errors.New("--query goes with --prometheus, not with --trace")
	case f.prometheus != "":
		if f.query == "" {
			return plan.Trace{}, errors.New("--prometheus needs a --query")
		}
		if f.step < time.Second || f.history < f.step {
			return plan.Trace{}, fmt.Errorf("--step %s and --history %s do not fit together", f.step, f.history)
		}
		now := time.Now().Truncate(f.step)
		return plan.Query{URL: f.prometheus, Expr: f.query, From: now.Add(-f.history), To: now, Step: f.step}.Fetch(ctx, progress)
	case f.trace == "-":
		return plan.ReadTrace("standard input", os.Stdin)
	}
	file, err := os.Open(f.trace)
	if err != nil {
		return plan.Trace{}, fmt.Errorf("--trace: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	return plan.ReadTrace(filepath.Base(f.trace), bufio.NewReaderSize(file, 1<<20))
}

func (f *planFlags) write(r plan.Result, out io.Writer) error {
	if f.report != "" {
		file, err := os.Create(f.report)
		if err != nil {
			return fmt.Errorf("--report: %w", err)
		}
		if err := errors.Join(r.WriteReport(file, time.Now(), f.currency), file.Close()); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if f.output == "json" {
		return r.WriteJSON(out)
	}
	return r.WriteTable(out)
}

// progressOn shows a line of progress on a terminal, and nothing elsewhere. finish removes it.
func progressOn(stderr io.Writer) (show func(what string, done, total int), finish func()) {
	file, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, func() {}
	}
	lines := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for line := range lines {
			fmt.Fprintf(file, "\r\x1b[K%s", line)
		}
		fmt.Fprint(file, "\r\x1b[K")
	}()
	const cells = 24
	show = func(what string, done, total int) {
		filled := min(cells, cells*done/max(1, total))
		select {
		case lines <- fmt.Sprintf("%-24s [%s%s]", what, strings.Repeat("#", filled), strings.Repeat(".", cells-filled)):
		default: // the terminal is slower than the work
		}
	}
	return show, func() { close(lines); <-ended }
}
