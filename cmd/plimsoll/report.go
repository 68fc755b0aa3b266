// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// reportFlags are the flags of `report`.
type reportFlags struct {
	kube       kubeFlags
	since      string
	step       time.Duration
	all        bool
	prometheus string
	perReplica float64
	perCPU     float64
	perGiB     float64
	currency   string
	output     string
}

func newReport(stderr io.Writer) *cobra.Command {
	f := &reportFlags{}
	command := &cobra.Command{
		Use:   "report",
		Short: "Say what replicas were for: replica-hours and money of base, schedules, forecasts and overrides",
		Long: `report adds up the replica-hours of HPAs by who asked for them, and compares them with a replay of the plain HPA: what its
metrics alone asked for, within its own bounds, held for 5 minutes before it goes down. Replicas above that belong to the
schedule, forecast or override whose floor was in force; all others are base. Time without data is said, and not counted.

The numbers are metrics of the scaler, so the source of Plimsoll's adapter must have scraped the scaler (with
honor_labels: true, so that the label namespace is the HPA's). They are asked for through the adapter, with your own
rights (get and create of sources/proxy in query.plimsoll.dev, which the role edit has); or of another server with
--prometheus-url. Nothing is changed.

The exit code is 0, 1 if the numbers cannot be had, 2 if flags are wrong.`,
		Example: `  plimsoll report --since 30d -n shop
  plimsoll report --since 7d -A --price-per-cpu-hour 0.04 --price-per-gib-hour 0.005 --currency USD
  plimsoll report --since 30d -A --prometheus-url http://prometheus:9090 -o csv > report.csv`,
		Args: func(c *cobra.Command, args []string) error { return badInput{cobra.NoArgs(c, args)}.orNil() },
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), c.OutOrStdout(), stderr)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.kube.add(command)
	flags := command.Flags()
	flags.Lookup("request-timeout").Usage = "how long to wait for each answer"
	flags.StringVar(&f.since, "since", "30d", "how far back: 12h, 30d, 4w")
	flags.DurationVar(&f.step, "step", 0, "between two points (default: 1m up to 7 days, 5m up to 31, 15m beyond)")
	flags.BoolVarP(&f.all, "all-namespaces", "A", false, "HPAs of all namespaces")
	flags.StringVar(&f.prometheus, "prometheus-url", "", "ask this server with Prometheus' HTTP API instead of the adapter")
	flags.Float64Var(&f.perReplica, "price-per-replica-hour", 0, "what an hour of one replica costs")
	flags.Float64Var(&f.perCPU, "price-per-cpu-hour", 0, "what an hour of one requested core costs; the requests are those of the workloads now")
	flags.Float64Var(&f.perGiB, "price-per-gib-hour", 0, "what an hour of one requested GiB of memory costs")
	flags.StringVar(&f.currency, "currency", "", "of the prices, to be shown")
	flags.StringVarP(&f.output, "output", "o", "table", "table (for people), csv (one line for each HPA) or json (everything)")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "csv", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (f *reportFlags) run(ctx context.Context, out, stderr io.Writer) error {
	query, err := f.query(time.Now())
	if err != nil {
		return badInput{err}
	}
	if query.API, err = f.api(&query); err != nil {
		return err
	}
	price, err := f.price(ctx, query.Namespace)
	if err != nil {
		return err
	}
	progress, finish := progressOn(stderr)
	query.Progress = progress
	usages, err := query.Fetch(ctx)
	finish()
	if err != nil {
		return f.sentence(err)
	}
	if len(usages) == 0 {
		return f.nothing(query)
	}
	r := report.Make(usages, price)
	r.From, r.To, r.Step, r.Currency = query.From.UTC(), query.To.UTC(), query.Step.String(), f.currency
	switch f.output {
	case "json":
		err = writeJSON(out, r)
	case "csv":
		err = r.WriteCSV(out)
	default:
		err = r.WriteTable(out)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// query is what to ask, without whom.
func (f *reportFlags) query(now time.Time) (report.Query, error) {
	q := report.Query{Step: f.step, Timeout: f.kube.timeout}
	if f.output != "table" && f.output != "csv" && f.output != "json" {
		return q, fmt.Errorf("-o %s is not known: use table, csv or json", f.output)
	}
	parsed, err := model.ParseDuration(f.since)
	since := time.Duration(parsed)
	if err != nil || since <= 0 || since > 400*24*time.Hour {
		return q, fmt.Errorf("--since %s is not a time such as 12h, 30d or 4w, of at most 400 days", f.since)
	}
	if f.step == 0 {
		q.Step = stepFor(since)
	}
	namespace := *f.kube.config.Namespace
	switch {
	case q.Step < time.Second || q.Step%time.Second != 0 || q.Step > time.Hour || since < q.Step:
		return q, fmt.Errorf("--step %s must be whole seconds, at most 1h, and not above --since", q.Step)
	case f.all && namespace != "":
		return q, errors.New("give either --namespace or --all-namespaces")
	case f.perReplica < 0 || f.perCPU < 0 || f.perGiB < 0:
		return q, errors.New("prices must not be negative")
	case f.perReplica > 0 && f.perCPU+f.perGiB > 0:
		return q, errors.New("give either --price-per-replica-hour, or the prices of cores and memory")
	}
	q.To = now.Truncate(q.Step)
	q.From = q.To.Add(-since.Truncate(q.Step))
	if !f.all {
		if q.Namespace, _, err = f.kube.config.ToRawKubeConfigLoader().Namespace(); err != nil {
			return q, fmt.Errorf("the kubeconfig cannot be used: %w", err)
		}
	}
	return q, nil
}

func stepFor(since time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case since <= 7*day:
		return time.Minute
	case since <= 31*day:
		return 5 * time.Minute
	}
	return 15 * time.Minute
}

// api is the adapter's query API as the caller sees it, or another server.
func (f *reportFlags) api(q *report.Query) (promv1.API, error) {
	config := promapi.Config{Address: f.prometheus}
	if f.prometheus == "" {
		kube, err := f.kube.config.ToRESTConfig()
		if err != nil {
			return nil, fmt.Errorf("no cluster to ask: %w; name a kubeconfig with --kubeconfig or KUBECONFIG, or a server with --prometheus-url", err)
		}
		if config.RoundTripper, err = rest.TransportFor(kube); err != nil {
			return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
		}
		base, _, err := rest.DefaultServerUrlFor(kube)
		if err != nil {
			return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
		}
		path := "/apis/query.plimsoll.dev/v1alpha1/"
		if q.Namespace != "" {
			path += "namespaces/" + q.Namespace + "/"
		}
		config.Address = strings.TrimSuffix(base.String(), "/") + path + "sources/default/proxy"
	}
	client, err := promapi.NewClient(config)
	if err != nil {
		return nil, badInput{fmt.Errorf("--prometheus-url %s: %w", f.prometheus, err)}
	}
	return promv1.NewAPI(client), nil
}

// price is what a replica-hour costs; nil without prices.
func (f *reportFlags) price(ctx context.Context, namespace string) (report.Price, error) {
	if f.perReplica > 0 {
		return func(string, string) (float64, bool) { return f.perReplica, true }, nil
	}
	if f.perCPU+f.perGiB == 0 {
		return nil, nil
	}
	config, err := f.kube.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("the requests of the pods are not known without a cluster: %w; use --price-per-replica-hour", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.kube.timeout)
	defer cancel()
	candidates, err := candidatesOf(ctx, client, namespace)
	if err != nil {
		return nil, fmt.Errorf("the requests of the pods are not known: %w; or use --price-per-replica-hour", target.Sentence(err))
	}
	prices := map[string]float64{}
	for _, c := range candidates {
		if c.Requests.CPU+c.Requests.Memory > 0 {
			prices[c.Namespace+"/"+c.Name] = c.Requests.CPU*f.perCPU + c.Requests.Memory*f.perGiB
		}
	}
	return func(namespace, hpa string) (float64, bool) {
		p, known := prices[namespace+"/"+hpa]
		return p, known
	}, nil
}

// sentence says what an error of the query API means.
func (f *reportFlags) sentence(err error) error {
	var answer *promv1.Error
	if f.prometheus != "" || !errors.As(err, &answer) {
		return target.Sentence(err)
	}
	for code, text := range map[int]string{
		http.StatusForbidden:          "you may not ask the metric source: ask for the role edit in the namespace, or plimsoll-cluster-edit for all (sources/proxy of query.plimsoll.dev)",
		http.StatusUnauthorized:       "the API server does not know who you are: check the credentials of the kubeconfig's context",
		http.StatusNotFound:           "this cluster does not serve query.plimsoll.dev: Plimsoll's adapter is not installed, or not in this context; or use --prometheus-url",
		http.StatusServiceUnavailable: "the adapter of Plimsoll does not answer: kubectl get pods -n plimsoll-system; or use --prometheus-url",
	} {
		if strings.HasSuffix(answer.Msg, fmt.Sprintf(": %d", code)) {
			return fmt.Errorf("%s (%w)", text, err)
		}
	}
	return err
}

// nothing says why there may be no data.
func (f *reportFlags) nothing(q report.Query) error {
	where := "of namespace " + q.Namespace
	if q.Namespace == "" {
		where = "of any namespace"
	}
	return fmt.Errorf("there is no plimsoll_hpa_replicas %s from %s to %s, asked every %s: the scaler must be scraped by that source, with honor_labels: true, and something must have set bounds in that time; what is younger shows with a smaller --step",
		where, q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339), q.Step)
}
