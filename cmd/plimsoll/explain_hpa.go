// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/clusters"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/hpa"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
)

// explainHPA are the flags of `explain hpa/NAME` and `explain federatedscale/NAME`.
type explainHPA struct {
	kube   kubeFlags
	output string
}

// explained are the kinds that `explain` takes besides metrics.
var explained = [...]string{target.HPA, target.Federated}

// add makes the command explain objects.
func (f *explainHPA) add(command *cobra.Command, stderr io.Writer) {
	command.Args = func(_ *cobra.Command, args []string) error {
		_, err := f.ref(args)
		return err
	}
	command.RunE = func(c *cobra.Command, args []string) error {
		return f.run(c.Context(), c.OutOrStdout(), stderr, args)
	}
	command.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f.kube.complete(c.Context(), args, typed, explained[:]...)
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	addOutput(command, &f.output)
}

// ref is the one object that is named.
func (f *explainHPA) ref(args []string) (target.Ref, error) {
	refs, err := target.Parse(args, explained[:]...)
	if err == nil && len(refs) != 1 {
		err = errors.New("name one object to explain: hpa/NAME, federatedscale/NAME, or metric NAMESPACE/METRIC")
	}
	if err != nil {
		return target.Ref{}, badInput{err}
	}
	return refs[0], nil
}

func (f *explainHPA) run(ctx context.Context, out, stderr io.Writer, args []string) error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	ref, err := f.ref(args)
	if err != nil {
		return err
	}
	cluster, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	if ref.Kind == target.Federated {
		return f.explainShares(ctx, out, cluster, ref.Name)
	}
	document, err := hpa.Explain(ctx, cluster, ref.Name)
	if err != nil {
		return target.Sentence(err)
	}
	if f.output == "json" {
		return writeJSON(out, document)
	}
	_, err = io.WriteString(out, hpa.Text(document, upcoming.View{Zone: time.Local, Width: widthOf(out)}))
	return err
}

// explainShares explains the division of a workload over clusters.
func (f *explainHPA) explainShares(ctx context.Context, out io.Writer, hub *target.Cluster, name string) error {
	explanation, err := clusters.Explain(ctx, hub, types.NamespacedName{Namespace: hub.Namespace, Name: name}, time.Now())
	if err != nil {
		return target.Sentence(err)
	}
	if f.output == "json" {
		return writeJSON(out, explanation)
	}
	_, err = io.WriteString(out, clusters.ExplanationText(explanation, clusters.View{Now: time.Now(), Width: widthOf(out)}))
	return err
}
