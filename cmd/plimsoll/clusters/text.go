// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// View is how a document is written for people.
type View struct {
	Now   time.Time
	Width int // characters of a line
}

// Text writes what `clusters` shows: a table of members, one of workloads, and what is wrong, below.
func Text(d Document, v View) string {
	var b strings.Builder
	if len(d.Clusters) == 0 {
		return "There is no MemberCluster: this cluster is the only one. manifests/guides/clusters.md says how to add some.\n"
	}
	v.members(&b, d.Clusters)
	if len(d.Workloads) > 0 {
		fmt.Fprintln(&b)
		v.workloads(&b, d)
	}
	first := true
	complain := func(what, message string) {
		if first {
			fmt.Fprintln(&b)
		}
		first = false
		human.Wrap(&b, what+": ", message, v.Width)
	}
	for _, c := range d.Clusters {
		if c.State != "Healthy" {
			complain(c.Name, or(c.Message, "it has not been judged yet")+" "+c.Meaning)
		}
		if c.State == "Healthy" && c.ClusterID == "" {
			complain(c.Name, "which cluster it is is not known, so that a second MemberCluster of it would go unnoticed: apply manifests/member there")
		}
		if c.Reserve != nil && c.Reserve.Message != "" && c.Reserve.Reason != "Held" {
			complain(c.Name+", reserve", c.Reserve.Message)
		}
	}
	for _, w := range d.Workloads {
		if w.Reason != "Divided" && w.Message != "" {
			complain(w.Namespace+"/"+w.Name, w.Message)
		}
	}
	return b.String()
}

func (v View) members(b *strings.Builder, all []Cluster) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tSTATE\tSINCE\tNODES\tFREE\tRESERVED\tREPLICAS\tIF LOST")
	for _, c := range all {
		since, reserve, lost := "", "none", "unknown"
		if c.Since != nil {
			since = human.Age(v.Now.Sub(*c.Since))
		}
		if c.Reserve != nil {
			reserve = forPeople(c.Reserve.Held)
			if c.Reserve.Mode != "Enforce" {
				reserve += " (would be)"
			}
		}
		if c.IfLost != nil {
			lost = c.IfLost.sentence()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d/%d\t%s\n", c.Name, or(c.State, "unknown"), since, c.Nodes, c.Free, reserve, c.Ready, c.Replicas, lost)
	}
	_ = w.Flush() // into memory
}

// forPeople writes amounts to a tenth of a core and of a GiB; what cannot be read, as it is.
func forPeople(a v1alpha1.Amounts) string {
	cpu, err := resource.ParseQuantity(a.CPU)
	memory, wrong := resource.ParseQuantity(a.Memory)
	if err != nil || wrong != nil {
		return a.CPU + " cpu, " + a.Memory
	}
	tenth := func(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
	return tenth(cpu.AsApproximateFloat64()) + " cpu, " + tenth(memory.AsApproximateFloat64()/(1<<30)) + "Gi"
}

// sentence is the verdict with its figures: "fits (12)", "8 fit, 4 need nodes".
func (l *Loss) sentence() string {
	if l.Fit == l.Replicas {
		return fmt.Sprintf("fits (%d)", l.Replicas)
	}
	parts := []string{fmt.Sprintf("%d fit", l.Fit)}
	if l.NeedNodes > 0 {
		parts = append(parts, fmt.Sprintf("%d need nodes", l.NeedNodes))
	}
	if l.Homeless > 0 {
		parts = append(parts, fmt.Sprintf("%d fit nowhere", l.Homeless))
	}
	return strings.Join(parts, ", ")
}

// workloads has a column for each member, with ready/replicas there, and the share when they are on their way.
func (v View) workloads(b *strings.Builder, d Document) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "WORKLOAD\tDESIRED\tREADY")
	for _, c := range d.Clusters {
		fmt.Fprint(w, "\t"+strings.ToUpper(c.Name))
	}
	fmt.Fprintln(w, "\tREASON")
	for _, one := range d.Workloads {
		fmt.Fprintf(w, "%s/%s\t%d\t%d", one.Namespace, one.Name, one.Desired, one.Ready)
		for _, c := range d.Clusters {
			fmt.Fprint(w, "\t"+one.in(c.Name))
		}
		fmt.Fprintln(w, "\t"+one.Reason)
	}
	_ = w.Flush() // into memory
}

func (w Workload) in(cluster string) string {
	for _, c := range w.Clusters {
		if c.Cluster != cluster {
			continue
		}
		text := fmt.Sprintf("%d/%d", c.Ready, c.Replicas)
		if c.Goal != c.Replicas {
			text += " → " + strconv.Itoa(int(c.Goal))
		}
		return text
	}
	return "-"
}

func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}
