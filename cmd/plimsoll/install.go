// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/install"
)

// installFlags are the flags of `install` and `uninstall`.
type installFlags struct {
	kube    *genericclioptions.ConfigFlags
	content install.Content
	options install.Options
	output  string
	timeout time.Duration
}

func newInstall(stderr io.Writer) *cobra.Command {
	f := &installFlags{}
	command := &cobra.Command{
		Use:   "install",
		Short: "Install Plimsoll into the cluster",
		Long: `install writes Plimsoll's manifests by server-side apply: first the CRDs, then the adapter and the scaler with their
rights, and, once they run, the APIServices that lead the API server to the adapter. Run again, it brings the installation up to date and removes
what the chosen overlay does not have.

There is one server for each API. Where another adapter has one, install names it and writes nothing.

The overlays:
  ha        three replicas on different nodes, which ask a Prometheus
  embedded  one replica with a volume, which scrapes by itself and needs no Prometheus
  shadow    like ha beside another adapter: HPAs go on reading that one`,
		Example: `  plimsoll install --image registry.example.com/plimsoll-adapter:v0.1.0 --scaler-image registry.example.com/plimsoll-scaler:v0.1.0 \
    --prometheus-url http://prometheus.monitoring.svc:9090
  plimsoll install --overlay shadow --dry-run
  plimsoll install --dry-run -o yaml > plimsoll.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.install(c.Context(), c.OutOrStdout(), stderr) },
	}
	f.addCommon(command, "no object; needs a cluster to compare with, except with -o yaml")
	flags := command.Flags()
	flags.StringVar(&f.content.Overlay, "overlay", install.Overlays()[0], strings.Join(install.Overlays(), ", "))
	flags.StringArrayVar(&f.content.PrometheusURLs, "prometheus-url", nil, "address of a Prometheus-compatible HTTP API, as the adapter's pods reach it; repeat it for those to ask when the first fails")
	flags.StringVar(&f.content.Image, "image", "", "the adapter's image (default: plimsoll-adapter, as the manifests say)")
	flags.StringVar(&f.content.ScalerImage, "scaler-image", "", "the scaler's image (default: plimsoll-scaler, as the manifests say)")
	flags.StringSliceVar(&f.content.APIs, "apis", install.APIs(), "which APIs to serve: custom (custom.metrics.k8s.io), external (external.metrics.k8s.io), query (explain, and PromQL for users)")
	flags.BoolVar(&f.options.ForceConflicts, "force-conflicts", false, "take over fields that others have set, as in kubectl apply; never an APIService of another adapter")
	flags.StringVarP(&f.output, "output", "o", "", "with --dry-run: yaml, the manifests themselves")
	for flag, words := range map[string][]string{"overlay": install.Overlays(), "apis": install.APIs(), "output": {"yaml"}} {
		_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	return command
}

func newUninstall(stderr io.Writer) *cobra.Command {
	f := &installFlags{}
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove from the cluster what install created",
		Long: `uninstall stops the scaler and gives every HPA its own bounds back: minReplicas at once, maxReplicas down to what the HPA
needs now, and where that is more than its own it says so. Nothing is scaled down below what the HPA wants. --dry-run
shows all of it beforehand; --keep-bounds leaves the bounds as they are. In member clusters nothing changes, as only a scaler
reaches them: delete Headrooms and FederatedScales with divide: Bounds first, or do by hand what uninstall says of them.

Then it removes the objects that install created, whichever overlay they are of: APIServices first, so that no client
meets an API without a server. What was there before, or was applied by other means, stays as it is; so does the
namespace plimsoll-system if somebody else put anything there.

The CRDs, and with them all rules, schedules and forecasts, stay unless --rules is given. With overlay embedded the
volume goes, and with it the history. Once nothing is left, uninstall says so and succeeds.`,
		Example: `  plimsoll uninstall --dry-run
  plimsoll uninstall
  plimsoll uninstall --rules`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.uninstall(c.Context(), c.OutOrStdout(), stderr) },
	}
	f.addCommon(command, "no object")
	command.Flags().BoolVar(&f.options.KeepBounds, "keep-bounds", false, "leave the bounds of HPAs, and what Plimsoll keeps on them, as they are")
	command.Flags().BoolVar(&f.options.Rules, "rules", false, "remove the CRDs too, and with them everybody's rules, schedules and forecasts")
	return command
}

// addCommon adds the flags of both commands.
func (f *installFlags) addCommon(command *cobra.Command, changed string) {
	// Only the flags that choose a cluster: the others of kubectl have no use here.
	none, all := genericclioptions.ConfigFlags{}, genericclioptions.NewConfigFlags(false)
	none.KubeConfig, none.Context = all.KubeConfig, all.Context
	f.kube = &none
	f.kube.AddFlags(command.Flags())
	flags := command.Flags()
	flags.BoolVar(&f.options.DryRun, "dry-run", false, "say what would be done, and change "+changed)
	flags.BoolVar(&f.options.NoWait, "no-wait", false, "do not wait until it is done")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long all of it may take")
}

func (f *installFlags) install(ctx context.Context, out, stderr io.Writer) error {
	switch {
	case f.output != "" && f.output != "yaml":
		return fmt.Errorf("-o %s is not known: use yaml", f.output)
	case f.output == "yaml" && !f.options.DryRun:
		return errors.New("-o yaml is for --dry-run: it prints the manifests and installs nothing")
	case f.output == "yaml":
		return f.writeYAML(out)
	}
	if _, err := install.Render(f.content); err != nil {
		return err // before anything is asked of the cluster
	}
	cluster, err := f.connect(out, stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return cluster.Install(ctx, f.content, f.options)
}

func (f *installFlags) uninstall(ctx context.Context, out, stderr io.Writer) error {
	cluster, err := f.connect(out, stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return cluster.Uninstall(ctx, f.options)
}

func (f *installFlags) writeYAML(out io.Writer) error {
	objects, err := install.Render(f.content)
	if err != nil {
		return err
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("write %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if _, err := fmt.Fprintf(out, "---\n%s", text); err != nil {
			return fmt.Errorf("write the manifests: %w", err)
		}
	}
	return nil
}

func (f *installFlags) connect(out, stderr io.Writer) (*install.Cluster, error) {
	config, err := f.kube.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask: %w; name a kubeconfig with --kubeconfig or KUBECONFIG", err)
	}
	config.WarningHandler = rest.NewWarningWriter(stderr, rest.WarningWriterOptions{Deduplicate: true})
	return install.Connect(config, out)
}
