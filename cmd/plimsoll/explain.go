// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/metric"
)

func newExplain(stderr io.Writer) *cobra.Command {
	f := &explainHPA{}
	command := &cobra.Command{
		Use:   "explain hpa/NAME | federatedscale/NAME | metric NAMESPACE/METRIC [OBJECT]",
		Short: "Say why an HPA has its replicas and bounds, a cluster its share of a workload, or where a metric comes from",
		Long: `explain hpa/NAME says what an HPA sees (with the age of the values and their rule), what it wants, which bounds it has
and who decided them, everybody who asked for others and why they lost, what the HPA would do without Plimsoll, what
changes next, and what is wrong: bounds that somebody else writes back, a floor that is not reached, a scaler that does
not run. It computes with the scaler's own functions.

explain federatedscale/NAME (or fscale/NAME) says how the replicas of a workload are divided over the clusters: each
cluster's weight, its exact share, what it is to have and why it is not that share, who asks for the number, and what is
going on.

explain metric says what a metric is worth, how old it is, and which rule, query and source it comes from.

The exit code is 0 also if something is wrong with the HPA; 1 if it cannot be explained; 2 for bad arguments.`,
		Example: `  plimsoll explain hpa/shop
  plimsoll explain hpa shop -n live -o json
  plimsoll explain fscale/shop -n live
  plimsoll explain metric live/online_users`,
	}
	f.add(command, stderr)
	command.AddCommand(newExplainMetric())
	return command
}

// explainMetric are the flags of `explain metric`.
type explainMetric struct {
	kube     *genericclioptions.ConfigFlags
	output   string
	resource string
	timeout  time.Duration
}

func newExplainMetric() *cobra.Command {
	// Only the flags that choose a cluster and a namespace: the others of kubectl have no use here.
	none := genericclioptions.ConfigFlags{}
	all := genericclioptions.NewConfigFlags(false)
	none.KubeConfig, none.Context, none.Namespace = all.KubeConfig, all.Context, all.Namespace
	flags := &explainMetric{kube: &none}
	command := &cobra.Command{
		Use:   "metric NAMESPACE/METRIC [OBJECT]",
		Short: "Say what a metric is worth, how old it is, and which rule, query and source it comes from",
		Example: `  plimsoll explain metric shop/online_users
  plimsoll explain metric shop/online_users shop-6d4cf56db6-2x7lq
  plimsoll explain metric shop/requests --resource ingresses.networking.k8s.io -o json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error { return flags.run(c.Context(), c.OutOrStdout(), args) },
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return flags.complete(c.Context(), args, typed)
		},
	}
	flags.kube.AddFlags(command.Flags())
	command.Flags().StringVarP(&flags.output, "output", "o", "table", "table (for people) or json (the whole document)")
	command.Flags().StringVar(&flags.resource, "resource", "", "which kind of objects, plural: pods, services, deployments.apps; needed only if several kinds have the metric")
	command.Flags().DurationVar(&flags.timeout, "request-timeout", 15*time.Second, "how long to wait for the answer")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (f *explainMetric) run(ctx context.Context, out io.Writer, args []string) error {
	if f.output != "table" && f.output != "json" {
		return fmt.Errorf("-o %s is not known: use table or json", f.output)
	}
	q, err := f.question(args)
	if err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	m, err := metric.Ask(ctx, client.Discovery().RESTClient(), q)
	if err != nil {
		return err
	}
	if f.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false) // PromQL has < and >
		return encoder.Encode(m)
	}
	_, err = io.WriteString(out, metric.Text(m, q, time.Now()))
	return err
}

func (f *explainMetric) question(args []string) (metric.Question, error) {
	namespace, _, err := f.kube.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return metric.Question{}, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	q, err := metric.Parse(args[0], namespace)
	q.Resource = f.resource
	if len(args) > 1 {
		q.Object = args[1]
	}
	return q, err
}

func (f *explainMetric) client() (kubernetes.Interface, error) {
	config, err := f.kube.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask: %w; name a kubeconfig with --kubeconfig or KUBECONFIG", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	return client, nil
}

// complete offers namespaces, then metrics by name, then pods. Whatever cannot be had is not offered.
func (f *explainMetric) complete(ctx context.Context, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	client, err := f.client()
	if err != nil || len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if len(args) == 1 {
		return f.pods(ctx, client, args), cobra.ShellCompDirectiveNoFileComp
	}
	namespace, _, slash := strings.Cut(typed, "/")
	if !slash {
		return namespaces(ctx, client), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	var offers []string
	for _, name := range metric.Names(client.Discovery().ServerResourcesForGroupVersion) {
		offers = append(offers, namespace+"/"+name)
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

func namespaces(ctx context.Context, client kubernetes.Interface) []string {
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var offers []string
	for i := range list.Items {
		offers = append(offers, list.Items[i].Name+"/")
	}
	return offers
}

func (f *explainMetric) pods(ctx context.Context, client kubernetes.Interface, args []string) []string {
	q, err := f.question(args)
	if err != nil || (f.resource != "" && f.resource != "pods") {
		return nil
	}
	list, err := client.CoreV1().Pods(q.Namespace).List(ctx, metav1.ListOptions{Limit: 200})
	if err != nil {
		return nil
	}
	var offers []string
	for i := range list.Items {
		offers = append(offers, list.Items[i].Name)
	}
	return offers
}
