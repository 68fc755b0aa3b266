// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// rowsShown is how many values the text lists; JSON has them all.
const rowsShown = 20

// Text explains the metric for people: a first sentence, what is wrong, where the numbers come from, the values, and
// the next command to try.
func Text(m *explain.Metric, q Question, now time.Time) string {
	var b strings.Builder
	fmt.Fprintln(&b, headline(m, q))
	problems := findProblems(m, q, now)
	for _, p := range problems {
		word := "Wrong"
		if p.harmless {
			word = "Note"
		}
		fmt.Fprintf(&b, "\n%s: %s\n", word, p.text)
	}
	fmt.Fprintln(&b)
	writeFacts(&b, m, now)
	writeValues(&b, m)
	fmt.Fprintln(&b, "\nNext:")
	for _, command := range nextCommands(m, problems) {
		fmt.Fprintln(&b, "  "+command)
	}
	return b.String()
}

// headline is the answer in one sentence.
func headline(m *explain.Metric, q Question) string {
	what := m.Metric + " in " + m.Namespace + " (external metric)"
	if m.Object != nil {
		what = m.Metric + " of " + m.Object.Resource + " in " + m.Namespace
		if q.Object != "" {
			what = fmt.Sprintf("%s of %s %s in %s", m.Metric, m.Object.Kind, q.Object, m.Namespace)
		}
	}
	from := "from " + ruleName(m.Rule)
	newest, ok := newestUsable(m.Values)
	switch {
	case len(m.Values) == 0:
		return fmt.Sprintf("%s: no values, %s.", what, from)
	case !ok:
		return fmt.Sprintf("%s: no value that can be used, %s.", what, from)
	case len(m.Values) == 1:
		return fmt.Sprintf("%s: %s, %s, %s.", what, human.Number(float64(newest.Value)), age(m, newest), from)
	case m.Object == nil:
		return fmt.Sprintf("%s: %d series, newest value %s, %s.", what, len(m.Values)+m.Truncated, age(m, newest), from)
	default:
		return fmt.Sprintf("%s: %s, newest value %s, %s.", what, human.Things(m.Objects, "object"), age(m, newest), from)
	}
}

func age(m *explain.Metric, v explain.Value) string {
	if m.AgeUnknown != "" {
		return "of unknown age"
	}
	return human.Age(human.Seconds(v.AgeSeconds)) + " old"
}

func newestUsable(values []explain.Value) (explain.Value, bool) {
	var newest explain.Value
	found := false
	for _, v := range values {
		if v.Usable && (!found || v.AgeSeconds < newest.AgeSeconds) {
			newest, found = v, true
		}
	}
	return newest, found
}

func ruleName(r explain.Rule) string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

func writeFacts(b *strings.Builder, m *explain.Metric, now time.Time) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fact := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	fact("Query", oneLine(m.Query))
	fact("Guard", oneLine(m.Guard))
	fact("Sent as", oneLine(m.Expr))
	fact("Source", m.Source)
	fact("Freshness", freshness(m))
	fact("Evaluated", evaluated(m, now))
	fact("Read", read(m, now))
	for _, r := range m.Hidden {
		fact("Hidden", ruleName(r)+" defines the same metric, and this rule wins")
	}
	_ = w.Flush() // writes to memory
}

func freshness(m *explain.Metric) string {
	text := fmt.Sprintf("evaluated every %s while it is read; a value older than %s is an error",
		human.Age(m.Interval.Duration), human.Age(m.MaxAge.Duration+m.HoldFor.Duration))
	if m.HoldFor.Duration > 0 {
		text += fmt.Sprintf(" (maxAge %s and holdFor %s)", human.Age(m.MaxAge.Duration), human.Age(m.HoldFor.Duration))
	}
	return text
}

func evaluated(m *explain.Metric, now time.Time) string {
	e := m.LastEvaluation
	if e == nil {
		return "not yet"
	}
	took := human.Age(e.Duration.Duration)
	if e.Error != "" {
		return fmt.Sprintf("%s ago, failed after %s", human.Age(now.Sub(e.Time)), took)
	}
	return fmt.Sprintf("%s ago in %s: %d series", human.Age(now.Sub(e.Time)), took, m.Series)
}

func read(m *explain.Metric, now time.Time) string {
	by := make([]string, 0, len(m.Readers))
	for _, r := range m.Readers {
		by = append(by, r.Kind+"/"+r.Name)
	}
	text := "not since the adapter started"
	if m.LastRead != nil {
		text = human.Age(now.Sub(*m.LastRead)) + " ago"
	}
	if len(by) > 0 {
		text += "; named by " + strings.Join(by, ", ")
	}
	return text
}

func writeValues(b *strings.Builder, m *explain.Metric) {
	if len(m.Values) == 0 {
		return
	}
	fmt.Fprintln(b)
	values := slices.Clone(m.Values)
	if len(values) > rowsShown { // what cannot be used must not be among the rows left out
		slices.SortStableFunc(values, func(a, b explain.Value) int { return order(a.Usable) - order(b.Usable) })
	}
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, subject(m)+"\tVALUE\tAGE\tSTATE")
	for _, v := range values[:min(len(values), rowsShown)] {
		old := human.Age(human.Seconds(v.AgeSeconds))
		if m.AgeUnknown != "" {
			old = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", rowName(m, v), human.Number(float64(v.Value)), old, state(v))
	}
	_ = w.Flush() // writes to memory
	if more := max(0, len(values)-rowsShown) + m.Truncated; more > 0 {
		fmt.Fprintf(b, "... and %s more\n", human.Count(more))
	}
}

func order(usable bool) int {
	if usable {
		return 1
	}
	return 0
}

func subject(m *explain.Metric) string {
	if m.Object == nil {
		return "LABELS"
	}
	return strings.ToUpper(m.Object.Kind)
}

func rowName(m *explain.Metric, v explain.Value) string {
	name := v.Object
	if len(v.Labels) > 0 {
		pairs := make([]string, 0, len(v.Labels))
		for _, k := range slices.Sorted(maps.Keys(v.Labels)) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, v.Labels[k]))
		}
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	if name == "" && m.Object == nil {
		return "{}"
	}
	return name
}

func state(v explain.Value) string {
	switch {
	case v.Usable && v.Reason == "":
		return "ok"
	case v.Usable:
		return "ok, " + v.Reason
	case v.Reason == "":
		return "not usable"
	default:
		return "not usable: " + v.Reason
	}
}

// oneLine keeps a query that was written over several lines from breaking the table.
func oneLine(query string) string { return strings.Join(strings.Fields(query), " ") }
