// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// problem is one thing that is wrong, and where to look next.
type problem struct {
	text     string
	next     []string
	harmless bool // nothing is wrong, but the reader must know
}

// findProblems says what is wrong with the metric, the causes before their consequences.
func findProblems(m *explain.Metric, q Question, now time.Time) []problem {
	var found []problem
	add := func(p problem) {
		if p.text != "" {
			found = append(found, p)
		}
	}
	add(failing(m, now))
	switch {
	case resting(m, now):
		add(problem{text: fmt.Sprintf("nobody reads this metric, so its rule rests; it was last evaluated %s ago and had %d series then. Reading the metric once wakes the rule.",
			human.Age(now.Sub(m.LastEvaluation.Time)), m.Series), next: []string{readOnce(m)}, harmless: true})
	case len(m.Values) == 0:
		add(missing(m, q))
	default:
		add(unusable(m))
	}
	if m.AgeUnknown != "" {
		add(problem{text: fmt.Sprintf("when the values were measured is unknown: %s. %s", strings.TrimSuffix(m.AgeUnknown, "."),
			v1alpha1.Meaning(v1alpha1.ReasonAgeUnknown))})
	}
	return found
}

// failing is about the last evaluation.
func failing(m *explain.Metric, now time.Time) problem {
	e := m.LastEvaluation
	if e == nil || e.Error == "" {
		return problem{}
	}
	text := fmt.Sprintf("the last evaluation, %s ago, failed: %s.", human.Age(now.Sub(e.Time)), strings.TrimSuffix(e.Error, "."))
	if len(m.LastErrors) > 0 {
		if meaning := v1alpha1.Meaning(m.LastErrors[0].Cause); meaning != "" {
			text += " " + m.LastErrors[0].Cause + ": " + meaning
		}
	}
	return problem{text: text, next: []string{describeRule(m.Rule), "kubectl logs -n plimsoll-system deployment/plimsoll-adapter --tail=20"}}
}

// resting says whether the rule waits for a reader: nobody has asked for an evaluation in a while.
func resting(m *explain.Metric, now time.Time) bool {
	e := m.LastEvaluation
	if e == nil || e.Error != "" || now.Sub(e.Time) <= 3*m.Interval.Duration {
		return false
	}
	return m.LastRead == nil || now.Sub(*m.LastRead) > 3*m.Interval.Duration
}

// readOnce is the command that reads the metric as an HPA does.
func readOnce(m *explain.Metric) string {
	if m.Object == nil {
		return fmt.Sprintf("kubectl get --raw /apis/external.metrics.k8s.io/v1beta1/namespaces/%s/%s", m.Namespace, m.Metric)
	}
	return fmt.Sprintf("kubectl get --raw '/apis/custom.metrics.k8s.io/v1beta2/namespaces/%s/%s/*/%s'", m.Namespace, m.Object.Resource, m.Metric)
}

// missing is about a metric without values.
func missing(m *explain.Metric, q Question) problem {
	switch {
	case m.LastEvaluation == nil:
		return problem{text: v1alpha1.Meaning(v1alpha1.ReasonNotEvaluated), next: []string{describeRule(m.Rule)}}
	case q.Object != "" && m.Object != nil:
		return problem{
			text: fmt.Sprintf("none of the query's %d series describes %s %s in %s.", m.Series, m.Object.Kind, q.Object, m.Namespace),
			next: []string{
				fmt.Sprintf("kubectl get %s -n %s %s --show-labels", m.Object.Resource, m.Namespace, q.Object),
				fmt.Sprintf("plimsoll explain metric %s/%s", m.Namespace, m.Metric),
			},
		}
	case m.Series > 0:
		return problem{
			text: fmt.Sprintf("the query has %d series, but none is for %s. %s", m.Series, m.Namespace, v1alpha1.Meaning(v1alpha1.ReasonUnknownObjects)),
			next: []string{describeRule(m.Rule)},
		}
	default:
		return problem{text: v1alpha1.Meaning(v1alpha1.ReasonNoData), next: []string{describeRule(m.Rule)}}
	}
}

// unusable is about values that readers do not get.
func unusable(m *explain.Metric) problem {
	count, reason := 0, ""
	for _, v := range m.Values {
		if !v.Usable {
			count++
			reason = cmp.Or(reason, v.Reason)
		}
	}
	if count == 0 {
		return problem{}
	}
	text := fmt.Sprintf("%d of %s cannot be used", count, human.Things(len(m.Values), "value"))
	if reason != "" {
		text += ", for example: " + strings.TrimSuffix(reason, ".")
	}
	return problem{text: text + ". Whoever reads them gets an error, on which an HPA does not scale down.", next: []string{describeRule(m.Rule)}}
}

func describeRule(r explain.Rule) string {
	if r.Namespace == "" {
		return "kubectl describe clustermetricrule " + r.Name
	}
	return fmt.Sprintf("kubectl describe metricrule -n %s %s", r.Namespace, r.Name)
}

// nextCommands are what to try next: what the problems suggest, else the reader's view.
func nextCommands(m *explain.Metric, problems []problem) []string {
	var commands []string
	seen := map[string]bool{}
	add := func(command string) {
		if !seen[command] {
			commands, seen[command] = append(commands, command), true
		}
	}
	for _, p := range problems {
		for _, command := range p.next {
			add(command)
		}
	}
	if len(commands) > 0 {
		return commands
	}
	for _, r := range m.Readers {
		if r.Kind == "HorizontalPodAutoscaler" {
			add(fmt.Sprintf("kubectl describe hpa -n %s %s", r.Namespace, r.Name))
			return commands
		}
	}
	add(fmt.Sprintf("kubectl get hpa -n %s", m.Namespace))
	return commands
}
