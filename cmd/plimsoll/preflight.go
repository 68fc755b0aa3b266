// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/preflight"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// preflightFlags are the flags of `preflight`.
type preflightFlags struct {
	kube    kubeFlags
	members memberFlags
	files   []string
	at      string
	ahead   time.Duration
	lead    time.Duration
	offline bool
	output  string
}

func newPreflight(stderr io.Writer) *cobra.Command {
	f := &preflightFlags{}
	command := &cobra.Command{
		Use:   "preflight -f EVENT.yaml [-f MORE.yaml...]",
		Short: "Say whether a planned event fits: maxReplicas, quotas, and what is left of the nodes, in all members",
		Long: `preflight looks at the ScaleSchedules in the files as if they were applied, together with everything that is scheduled
in the cluster at the same time, and says whether the replicas that they ask for fit: into the maxReplicas of the HPAs,
into the ResourceQuotas and LimitRanges of their namespaces, and onto the nodes with what the pods there leave of them.
It says when the ramps begin, and warns of floors that jump more than twofold. It changes nothing.

A workload that is divided over member clusters (a FederatedScale, which the event or the HPA of the event scales) is divided
as the hub would, and looked at in every member: its nodes with what the pods there leave of them (the reserve of a Headroom
is free: it gives way), the ResourceQuotas and LimitRanges of the namespace, and the maxReplicas of the cluster or, with divide: Bounds, of the
member's own HPA. What does not fit as divided is passed on as the hub would, and it is said what is missing, where it
would be moved, and what fits nowhere. Members that are not Healthy, or do not answer, count as full, and as unknown. Members
are asked with the kubeconfigs of the hub's scaler. --lose says whether it fits without one of them. If nothing would be
written to the members on the day, that is short too: a FederatedScale that is paused, or whose namespace is, that only
observes, or whose target another one has.

Objects in the files win over those of the cluster: an HPA or a Deployment that is to change goes there too. With
--offline only the files count: give HPAs, Deployments, and for the nodes' check the output of
"kubectl get nodes,pods,resourcequotas,limitranges -A -o yaml".

The exit code is 0 if it fits, 1 if it does not or if a check could not be made, 2 if the files or flags are wrong.
It needs to list scaleschedules, horizontalpodautoscalers, pods, nodes, resourcequotas and limitranges; for divided
workloads also to get federatedscales and namespaces, to list memberclusters, and to get secrets in the namespace of the
members' kubeconfigs.
What may not be read makes a check unknown, never ok.`,
		Example: `  plimsoll preflight -f event.yaml
  plimsoll preflight -f event.yaml -f hpa.yaml --at 2026-11-11T00:00:00+08:00 -o json
  plimsoll preflight -f event.yaml --lose berlin
  kubectl get hpa,deployments,nodes,pods -A -o yaml > cluster.yaml; plimsoll preflight -f event.yaml -f cluster.yaml --offline`,
		Args: func(c *cobra.Command, args []string) error { return badInput{cobra.NoArgs(c, args)}.orNil() },
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), c.InOrStdin(), c.OutOrStdout(), stderr)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	f.members.add(command, &f.kube)
	addOutput(command, &f.output)
	flags := command.Flags()
	flags.StringArrayVarP(&f.files, "filename", "f", nil, "YAML with the event's ScaleSchedules, and whatever is to be changed with it; - reads standard input; repeatable")
	flags.StringVar(&f.at, "at", "", "look at one moment only, such as 2026-11-11T00:00:00+08:00 (default: every interval that begins within --for, or the next one)")
	flags.DurationVar(&f.ahead, "for", 7*24*time.Hour, "how far ahead to look")
	flags.DurationVar(&f.lead, "lead", 0, "from a decision to a Ready pod: ramps end that much before their windows")
	flags.BoolVar(&f.offline, "offline", false, "ask no cluster: only the files count")
	_ = command.MarkFlagFilename("filename", "yaml", "yml", "json")
	return command
}

// notFitting ends the process with exit code 1: the answer is on stdout, this is its last sentence.
type notFitting struct{ error }

func (notFitting) ExitCode() int { return 1 }

func (f *preflightFlags) run(ctx context.Context, in io.Reader, out, stderr io.Writer) error {
	options, err := f.options(time.Now())
	if err != nil {
		return badInput{err}
	}
	world, err := f.world(ctx, in, stderr)
	if err != nil {
		return err
	}
	result, err := preflight.Examine(world, options)
	if err != nil {
		return badInput{err}
	}
	if f.output == "json" {
		err = writeJSON(out, result)
	} else {
		err = result.WriteTable(out)
	}
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if result.Verdict != preflight.OK {
		return notFitting{errors.New(result.Conclusion())}
	}
	return nil
}

func (f *preflightFlags) options(now time.Time) (preflight.Options, error) {
	o := preflight.Options{Now: now, For: f.ahead, Lead: f.lead, Lose: f.members.lose}
	if err := checkOutput(f.output); err != nil {
		return o, err
	}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return o, fmt.Errorf("--at %s is not a time with an offset, such as 2026-11-11T00:00:00+08:00", f.at)
		}
		o.At = at
	}
	switch {
	case len(f.files) == 0:
		return o, errors.New("give the event with -f EVENT.yaml")
	case f.ahead <= 0 || f.ahead > 400*24*time.Hour:
		return o, fmt.Errorf("--for %s must be above 0 and at most 9600h", f.ahead)
	case f.offline && f.members.lose != "":
		return o, errors.New("--lose asks the members, so it does not go with --offline")
	case f.lead < 0 || f.lead > 24*time.Hour:
		return o, fmt.Errorf("--lead %s must be between 0 and 24h", f.lead)
	}
	return o, nil
}

// world reads the files, and what the cluster adds.
func (f *preflightFlags) world(ctx context.Context, in io.Reader, stderr io.Writer) (*preflight.World, error) {
	var files []lint.File
	for _, name := range f.files {
		text, err := readManifest(in, name)
		if err != nil {
			return nil, badInput{err}
		}
		files = append(files, lint.File{Name: name, Text: text})
	}
	namespace, cluster := "default", (*target.Cluster)(nil)
	if n := f.kube.config.Namespace; n != nil && *n != "" {
		namespace = *n
	}
	if !f.offline {
		var err error
		if cluster, err = f.kube.connect(stderr); err != nil {
			return nil, fmt.Errorf("%w; or use --offline", err)
		}
		namespace = cluster.Namespace
	}
	world, err := preflight.Read(files, namespace, time.Now())
	if err != nil {
		return nil, badInput{err}
	}
	if cluster == nil {
		return world, nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout+f.members.Timeout)
	defer cancel()
	if err := f.load(ctx, world, cluster); err != nil {
		return nil, target.Sentence(err)
	}
	return world, nil
}

// load adds what the cluster says, and after it what its members say.
func (f *preflightFlags) load(ctx context.Context, world *preflight.World, cluster *target.Cluster) error {
	asking, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	if err := world.Load(asking, cluster.Client); err != nil {
		return err
	}
	return world.LoadMembers(ctx, cluster.Client, f.members.Options)
}
