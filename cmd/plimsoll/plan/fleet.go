// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/hpa"
)

// Candidate is one HPA of a cluster.
type Candidate struct {
	Namespace string
	Name      string
	Spec      hpa.Spec
	Query     string    // of the demand behind its first metric
	Requests  Resources // of one pod
	Capacity  float64   // demand that one pod serves; 0: assumed
	Problem   error     // why it cannot be judged
}

// CandidateOf derives from an HPA of the cluster which demand to ask Prometheus for.
func CandidateOf(object *autoscalingv2.HorizontalPodAutoscaler, requests Resources) Candidate {
	c := Candidate{Namespace: object.Namespace, Name: object.Name, Requests: requests}
	c.Spec, c.Problem = specOf(object)
	if c.Problem == nil {
		c.Problem = c.Spec.Validate()
	}
	if c.Problem != nil {
		return c
	}
	pods := object.Spec.ScaleTargetRef.Name + "-.*"
	if len(object.Spec.Metrics) == 0 {
		c.ofCPU(pods)
		return c
	}
	switch m := object.Spec.Metrics[0]; m.Type {
	case autoscalingv2.ExternalMetricSourceType:
		c.Query, c.Problem = sumOf(m.External.Metric, `namespace=`+strconv.Quote(c.Namespace))
	case autoscalingv2.ObjectMetricSourceType:
		c.Query, c.Problem = sumOf(m.Object.Metric, `namespace=`+strconv.Quote(c.Namespace))
	case autoscalingv2.PodsMetricSourceType:
		c.Query, c.Problem = sumOf(m.Pods.Metric, `namespace=`+strconv.Quote(c.Namespace), `pod=~`+strconv.Quote(pods))
	default:
		c.ofCPU(pods)
	}
	return c
}

// ofCPU takes the CPU that the pods used as the demand. Where they had too little, it shows less than was wanted.
func (c *Candidate) ofCPU(pods string) {
	switch first := c.Spec.Metrics[0]; {
	case first.Type != hpa.ResourceMetric || first.Name != hpa.CPU || first.Target != hpa.Utilization:
		c.Problem = fmt.Errorf("its first metric is %s of %s: only the utilization of cpu can be asked for without a query", first.Target, first.Name)
	case c.Requests.CPU <= 0:
		c.Problem = errors.New("its pods have no cpu request, or their workload was not found")
	}
	c.Capacity = c.Requests.CPU
	c.Query = fmt.Sprintf(`sum(rate(container_cpu_usage_seconds_total{namespace=%q,pod=~%q,container!=""}[5m]))`, c.Namespace, pods)
}

var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// sumOf is the sum of all series of a metric.
func sumOf(metric autoscalingv2.MetricIdentifier, matchers ...string) (string, error) {
	if !metricName.MatchString(metric.Name) {
		return "", fmt.Errorf("its metric %q has a name that Prometheus does not have", metric.Name)
	}
	if s := metric.Selector; s != nil {
		if len(s.MatchExpressions) > 0 {
			return "", fmt.Errorf("its metric has the selector %s: only matchLabels can be turned into a query", metav1.FormatLabelSelector(s))
		}
		for name, value := range s.MatchLabels {
			matchers = append(matchers, name+"="+strconv.Quote(value))
		}
	}
	slices.Sort(matchers)
	return fmt.Sprintf("sum(%s{%s})", metric.Name, strings.Join(matchers, ",")), nil
}

// Ranked is one HPA of a fleet's ranking.
type Ranked struct {
	Namespace      string         `json:"namespace"`
	Name           string         `json:"name"`
	Query          string         `json:"query,omitempty"`
	Problem        string         `json:"problem,omitempty"` // set: it was not judged
	Today          *Outcome       `json:"today,omitempty"`
	Best           *Outcome       `json:"best,omitempty"` // the recommended policy
	Recommendation Recommendation `json:"recommendation"`
}

// Fleet judges many HPAs. fetch returns the history of a query; common is what all share.
func Fleet(ctx context.Context, candidates []Candidate, common Input, fetch func(context.Context, string) (Trace, error)) ([]Ranked, error) {
	var out []Ranked
	for i, c := range candidates {
		if common.Progress != nil {
			common.Progress("judging "+c.Namespace+"/"+c.Name, i, len(candidates))
		}
		r := Ranked{Namespace: c.Namespace, Name: c.Name, Query: c.Query}
		if err := r.judge(ctx, c, common, fetch); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r.Problem = err.Error()
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b Ranked) int {
		return cmp.Or(-cmp.Compare(a.short(), b.short()), -cmp.Compare(a.cost(), b.cost()), strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	return out, nil
}

func (r *Ranked) judge(ctx context.Context, c Candidate, common Input, fetch func(context.Context, string) (Trace, error)) error {
	if c.Problem != nil {
		return c.Problem
	}
	trace, err := fetch(ctx, c.Query)
	if err != nil {
		return err
	}
	in := common
	in.Trace, in.Requests, in.Capacity, in.Progress = trace, c.Requests, c.Capacity, nil
	in.Manifests = Manifests{HPA: &c.Spec, HPAName: c.Name}
	result, err := Make(in)
	if err != nil {
		return err
	}
	r.Today, r.Recommendation = &result.Policies[0], result.Recommendation
	for i := range result.Policies {
		if result.Policies[i].Name == result.Recommendation.Policy {
			r.Best = &result.Policies[i]
		}
	}
	return nil
}

// short is what the HPA loses today; -1 for those that were not judged.
func (r Ranked) short() float64 {
	if r.Today == nil {
		return -1
	}
	return r.Today.ShortMinutes
}

func (r Ranked) cost() float64 {
	switch {
	case r.Today == nil:
		return -1
	case r.Today.Cost != nil:
		return *r.Today.Cost
	}
	return r.Today.ReplicaHours
}

// WriteFleetJSON writes the ranking for programs.
func WriteFleetJSON(out io.Writer, ranking []Ranked) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{"hpas": ranking})
}

// WriteFleetTable writes the ranking for people.
func WriteFleetTable(out io.Writer, ranking []Ranked) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HPA\tSHORT\tUNSERVED\tREPLICA-HOURS\tCOST\tBETTER\tSHORT THEN\tREPLICA-HOURS THEN\tCOST THEN")
	for _, r := range ranking {
		if r.Today == nil {
			continue
		}
		cells := append([]string{r.Namespace + "/" + r.Name}, r.Today.brief()...)
		if r.Best != nil && r.Best.Name != PlainHPA {
			then := r.Best.brief()
			cells = append(cells, r.Best.Name, then[0], then[2], then[3])
		} else {
			cells = append(cells, "-", "-", "-", "-")
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range ranking {
		if r.Problem != "" {
			fmt.Fprintf(out, "Not judged: %s/%s: %s\n", r.Namespace, r.Name, r.Problem)
		}
	}
	return nil
}

func (o Outcome) brief() []string {
	cost := "-"
	if o.Cost != nil {
		cost = money(*o.Cost)
	}
	return []string{minutes(o.ShortMinutes), fmt.Sprintf("%.3f %%", o.UnservedShare*100), human.Number(o.ReplicaHours), cost}
}
