// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// Question is what is simulated: the loss of a member, or a surge of all workloads.
type Question struct {
	Lose  string // name of a member; "": none
	Surge int64  // percent of the present replicas that come on top; 0: none
}

// Answer is what happens.
type Answer struct {
	Lose      string            `json:"lose,omitempty"`
	Surge     int64             `json:"surgePercent,omitempty"`
	Verdict   string            `json:"verdict"` // Fits, NeedsNodes, DoesNotFit
	Workloads []Outcome         `json:"workloads"`
	Unknown   map[string]string `json:"unknown,omitempty"` // members that could not be asked, and why; they count as full
	Problems  []string          `json:"problems,omitempty"`
}

// Outcome is what happens to one workload.
type Outcome struct {
	Workload  string           `json:"workload"`
	Replicas  int64            `json:"replicas"`  // to be placed
	Fit       int64            `json:"fit"`       // of them at once
	NeedNodes int64            `json:"needNodes"` // of the others, those that fit on nodes that node groups may still add
	Homeless  int64            `json:"homeless"`
	To        map[string]int64 `json:"to"` // those that fit, by cluster
}

// Simulate answers from what the members have now. Nothing is changed anywhere.
func Simulate(ctx context.Context, w *World, q Question, now time.Time) (Answer, error) {
	a := Answer{Lose: q.Lose, Surge: q.Surge, Verdict: string(reserve.Fits), Workloads: []Outcome{}, Unknown: w.Unknown}
	if q.Lose != "" {
		if _, err := w.Hub.member(q.Lose); err != nil {
			return Answer{}, err
		}
	}
	members, workloads := w.inPolicysWords(ctx)
	plan, err := reserve.Decide(members, workloads, reserve.Options{Percent: q.Surge}, now)
	if err != nil {
		return Answer{}, err
	}
	a.Problems = w.Problems
	if q.Lose != "" {
		a.lose(plan, q.Lose)
	} else {
		a.surge(plan)
	}
	return a, nil
}

func (a *Answer) lose(plan reserve.Plan, member string) {
	for _, loss := range plan.Losses {
		if loss.Cluster != member {
			continue
		}
		a.Verdict = string(loss.Verdict)
		for _, m := range loss.Workloads {
			a.Workloads = append(a.Workloads, Outcome{Workload: m.Workload, Replicas: m.Replicas, Fit: m.Fit, NeedNodes: m.NeedNodes, Homeless: m.Homeless, To: m.To})
		}
	}
}

func (a *Answer) surge(plan reserve.Plan) {
	for _, s := range plan.Surges {
		one := Outcome{Workload: s.Workload, Replicas: s.Ahead, To: map[string]int64{}}
		for _, n := range s.NeedNodes {
			one.NeedNodes += n
		}
		for cluster, n := range s.Together {
			one.Fit += n
			if n > 0 {
				one.To[cluster] = n
			}
		}
		one.Homeless = s.Ahead - one.Fit - one.NeedNodes
		switch {
		case one.Homeless > 0:
			a.Verdict = string(reserve.DoesNotFit)
		case one.NeedNodes > 0 && a.Verdict == string(reserve.Fits):
			a.Verdict = string(reserve.NeedsNodes)
		}
		a.Workloads = append(a.Workloads, one)
	}
}

// AnswerText writes it for people.
func AnswerText(a Answer, v View) string {
	var b strings.Builder
	what := fmt.Sprintf("a surge of %d %% of all workloads", a.Surge)
	if a.Lose != "" {
		what = "the loss of " + a.Lose
	}
	switch {
	case len(a.Workloads) == 0:
		fmt.Fprintf(&b, "Simulated: %s. No workload is concerned.\n", what)
	case a.Verdict == string(reserve.Fits):
		fmt.Fprintf(&b, "Simulated: %s. All of it fits at once; nothing was changed.\n", what)
	case a.Verdict == string(reserve.NeedsNodes):
		fmt.Fprintf(&b, "Simulated: %s. Part of it waits for nodes that node groups may add; nothing was changed.\n", what)
	default:
		fmt.Fprintf(&b, "Simulated: %s. It does not all fit; nothing was changed.\n", what)
	}
	if len(a.Workloads) > 0 {
		fmt.Fprintln(&b)
		w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "WORKLOAD\tTO PLACE\tFIT AT ONCE\tNEED NODES\tFIT NOWHERE\tWHERE")
		for _, one := range a.Workloads {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", one.Workload, one.Replicas, one.Fit, one.NeedNodes, one.Homeless, places(one.To))
		}
		_ = w.Flush() // into memory
	}
	if len(a.Unknown)+len(a.Problems) > 0 {
		fmt.Fprintln(&b)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Unknown)) {
		human.Wrap(&b, name+" counts as full: ", a.Unknown[name], v.Width)
	}
	for _, problem := range a.Problems {
		human.Wrap(&b, "Not exact: ", problem, v.Width)
	}
	return b.String()
}

func places(to map[string]int64) string {
	var parts []string
	for _, cluster := range slices.Sorted(maps.Keys(to)) {
		if to[cluster] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", cluster, to[cluster]))
		}
	}
	return or(strings.Join(parts, ", "), "-")
}
