// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// kubeFlags choose a cluster, and a namespace of it, as kubectl's flags do; the others of kubectl have no use here.
type kubeFlags struct {
	config  genericclioptions.ConfigFlags
	timeout time.Duration // of the whole question
}

// add defines the flags on a command.
func (k *kubeFlags) add(command *cobra.Command) {
	all := genericclioptions.NewConfigFlags(false)
	k.config.KubeConfig, k.config.Context, k.config.Namespace = all.KubeConfig, all.Context, all.Namespace
	k.config.AddFlags(command.Flags())
	command.Flags().DurationVar(&k.timeout, "request-timeout", 15*time.Second, "how long to wait for the answers of the cluster")
}

// connect reads the kubeconfig. Warnings of the API server go to stderr.
func (k *kubeFlags) connect(stderr io.Writer) (*target.Cluster, error) {
	config, err := k.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask: %w; name a kubeconfig with --kubeconfig or KUBECONFIG", err)
	}
	namespace, _, err := k.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	config.QPS, config.Burst = 100, 200 // `upcoming -A` reads a lot
	config.WarningHandler = rest.NewWarningWriter(stderr, rest.WarningWriterOptions{Deduplicate: true})
	return target.Connect(config, namespace)
}

// complete offers kind/name for the kinds that a command takes, the kinds first. What cannot be had is not offered.
func (k *kubeFlags) complete(ctx context.Context, args []string, typed string, kinds ...string) ([]string, cobra.ShellCompDirective) {
	const quiet = cobra.ShellCompDirectiveNoFileComp
	kind, _, slash := strings.Cut(typed, "/")
	prefix := kind + "/"
	if !slash {
		if refs, err := target.Parse(args, kinds...); err != nil || len(args) == 0 || strings.Contains(args[0], "/") || len(refs) < len(args)-1 {
			return withSlash(kinds), quiet | cobra.ShellCompDirectiveNoSpace
		}
		kind, prefix = args[0], ""
	}
	refs, err := target.Parse([]string{kind, "x"}, kinds...)
	if err != nil {
		return nil, quiet
	}
	cluster, err := k.connect(io.Discard)
	if err != nil {
		return nil, quiet
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	names, err := cluster.Names(ctx, refs[0].Kind, labels.Everything())
	if err != nil {
		return nil, quiet
	}
	var offers []string
	for _, name := range names {
		if offer := prefix + name; !slices.Contains(args, offer) {
			offers = append(offers, offer)
		}
	}
	return offers, quiet
}

func withSlash(kinds []string) []string {
	var offers []string
	for _, kind := range kinds {
		offers = append(offers, kind+"/")
	}
	return offers
}

// addOutput defines -o table|json.
func addOutput(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", "table", "table (for people) or json (the whole document)")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string) error {
	if output != "table" && output != "json" {
		return badInput{fmt.Errorf("-o %s is not known: use table or json", output)}
	}
	return nil
}

// writeJSON prints a document as people and programs read it.
func writeJSON(out io.Writer, document any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // PromQL has < and >
	return encoder.Encode(document)
}

// widthOf is how many characters a line of the terminal takes; 100 where the output is not a terminal.
func widthOf(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 100
}
