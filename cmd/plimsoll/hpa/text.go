// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Text explains the HPA for people: the answer in a sentence, what is wrong, then each part of it.
func Text(d Document, v upcoming.View) string {
	b := &strings.Builder{}
	human.Wrap(b, "", headline(d, v.Zone), v.Width)
	for _, p := range d.Problems {
		b.WriteString("\n")
		human.Wrap(b, "Wrong: ", p, v.Width)
	}
	section(b, "Metrics")
	if len(d.Metrics) == 0 {
		human.Wrap(b, "  ", "none, so the HPA cannot scale", v.Width)
	}
	for _, m := range d.Metrics {
		for i, line := range m.lines() {
			human.Wrap(b, strings.Repeat("  ", min(i, 1)+1), line, v.Width)
		}
	}
	section(b, "Replicas")
	human.Wrap(b, "  ", d.replicas(), v.Width)
	d.bounds(b, v)
	d.asking(b, v)
	section(b, "Without Plimsoll")
	human.Wrap(b, "  ", without(d), v.Width)
	section(b, "Next")
	if len(d.Next) == 0 {
		human.Wrap(b, "  ", "nothing is planned for the next 48 hours", v.Width)
	}
	v.Lines(b, d.Next)
	fmt.Fprintln(b, "\nTry:")
	for _, command := range d.commands() {
		fmt.Fprintln(b, "  "+command)
	}
	return b.String()
}

func section(b *strings.Builder, name string) { fmt.Fprintf(b, "\n%s\n", name) }

// headline is the answer in one sentence.
func headline(d Document, zone *time.Location) string {
	text := fmt.Sprintf("hpa/%s in %s: %s of %s %s, bounds %d..%d", d.HPA, d.Namespace, human.Things(int(d.Replicas.Current), "replica"),
		d.Workload.Kind, d.Workload.Name, d.Live.Min, d.Live.Max)
	switch {
	case d.PausedBy != "":
		text += ", paused by " + d.PausedBy
		if d.PauseNote != "" {
			text += fmt.Sprintf(" (%s)", d.PauseNote)
		}
	case d.Left != "":
		text += ", left alone because " + d.Left
	case !d.Scaler.Settled:
		text += fmt.Sprintf(", which should be %d..%d", d.Decided.Min, d.Decided.Max)
	case d.MinBy.Kind != bounds.KindBase:
		text += ", the floor held by " + d.MinBy.String()
		if c := d.winner(); c != nil && c.Until != nil {
			text += " until " + c.Until.In(zone).Format("2006-01-02 15:04 MST")
		}
	case d.MaxBy.Kind != bounds.KindBase:
		text += ", the maximum set by " + d.MaxBy.String()
	default:
		text += ", which are its own"
	}
	return text + "."
}

func (d Document) winner() *Contribution {
	for i := range d.Contributions {
		if d.Contributions[i].Source == d.MinBy {
			return &d.Contributions[i]
		}
	}
	return nil
}

// lines explain a metric: what the HPA sees, then where it comes from.
func (m Metric) lines() []string {
	what := m.Name
	switch {
	case m.Object != "":
		what += " of " + m.Resource + " " + m.Object
	case m.Type == "Pods":
		what += " of its pods"
	case m.Type == "External":
		what += " (external)"
	}
	per := ""
	if m.PerPod {
		per = " a replica"
	}
	first := fmt.Sprintf("%s: the HPA saw %s%s, target %s", what, cmp.Or(quantity(m.Seen), "nothing"), per, quantity(m.Target))
	switch s := m.Adapter; {
	case m.Unexplained != "":
		return []string{first, "where it comes from cannot be said: " + m.Unexplained}
	case s == nil:
		return []string{first, "from the resource metrics API (metrics.k8s.io), which is not Plimsoll's"}
	default:
		return append([]string{first}, s.lines()...)
	}
}

func (s Sample) lines() []string {
	now := "no value now"
	switch {
	case s.Values == 1:
		now = fmt.Sprintf("now %s, %s", human.Number(s.Sum), s.age())
	case s.Values > 1:
		now = fmt.Sprintf("now %s in %s (%s each), %s", human.Number(s.Sum), human.Things(s.Values, "value"), human.Number(s.Sum/float64(s.Values)), s.age())
	}
	if s.Truncated {
		now += "; of more values, of which the adapter lists only some"
	}
	if s.Unusable > 0 {
		now += fmt.Sprintf("; %s cannot be used", human.Things(s.Unusable, "value"))
		if s.Reason != "" {
			now += " (" + strings.TrimSuffix(s.Reason, ".") + ")"
		}
	}
	lines := []string{now, s.Rule + ": " + s.Query}
	if s.LastError != "" {
		lines = append(lines, "the last evaluation failed: "+s.LastError)
	}
	return lines
}

func (s Sample) age() string {
	switch newest, oldest := human.Age(human.Seconds(s.NewestSeconds)), human.Age(human.Seconds(s.OldestSeconds)); {
	case s.AgeUnknown != "":
		return "measured at an unknown time"
	case newest == oldest:
		return "measured " + newest + " ago"
	default:
		return "measured " + newest + " to " + oldest + " ago"
	}
}

// quantity writes 47200m as 47.2.
func quantity(text string) string {
	if q, err := resource.ParseQuantity(text); err == nil {
		return human.Number(q.AsApproximateFloat64())
	}
	return text
}

func (d Document) replicas() string {
	r := d.Replicas
	text := fmt.Sprintf("%d run", r.Current)
	if r.Ready > 0 || r.Pending > 0 {
		text += fmt.Sprintf(", %d are Ready", r.Ready)
	}
	if r.Pending > 0 {
		text += fmt.Sprintf(", %d pending", r.Pending)
	}
	if d.Wanted != nil {
		text += fmt.Sprintf("; the metrics ask for %d", *d.Wanted)
	} else {
		text += "; what the metrics ask for is unknown"
	}
	if r.Looked {
		text += fmt.Sprintf("; the HPA set %d", r.Desired)
	} else {
		text += "; the HPA is new, and its controller has not looked at it yet"
	}
	if r.LeadSamples > 0 {
		text += fmt.Sprintf("; a pod takes %s to be Ready (90th percentile of %d)", human.Age(human.Seconds(r.LeadSeconds)), r.LeadSamples)
	}
	return text
}

// bounds writes the bounds with their winners and notes.
func (d Document) bounds(b *strings.Builder, v upcoming.View) {
	section(b, "Bounds")
	decided := "decided by"
	if d.Left != "" && d.PausedBy == "" {
		decided = "if they were not left alone, by"
	}
	human.Wrap(b, "  ", fmt.Sprintf("minReplicas %d, %s %s", d.Decided.Min, decided, d.MinBy), v.Width)
	human.Wrap(b, "  ", fmt.Sprintf("maxReplicas %d, %s %s", d.Decided.Max, decided, d.MaxBy), v.Width)
	for _, n := range d.Notes {
		if n.Reason == string(bounds.Paused) {
			continue // the first sentence says it
		}
		human.Wrap(b, "  "+n.Reason+": ", n.Message, v.Width)
	}
	own := fmt.Sprintf("the HPA's own are %d..%d", d.Base.Min, d.Base.Max)
	var by []string
	for _, o := range d.Base.Owners {
		by = append(by, fmt.Sprintf("%s of %s (%s)", o.Field, o.Manager, o.Operation))
	}
	if len(by) > 0 {
		own += ": " + strings.Join(by, ", ")
	}
	human.Wrap(b, "  ", own, v.Width)
	if d.Share != nil {
		human.Wrap(b, "  ", fmt.Sprintf("minReplicas %d of these is the share of the hub's FederatedScale %s; without it, it was %d", d.Base.Min, d.Share.Scale, d.Share.Base), v.Width)
	}
}

// asking lists who asks for other bounds, and who does not.
func (d Document) asking(b *strings.Builder, v upcoming.View) {
	if len(d.Contributions) == 0 {
		return
	}
	section(b, "Who asks")
	for _, c := range d.Contributions {
		word := "  -     "
		switch {
		case c.Won:
			word = "  WINS  "
		case c.Counts:
			word = "  loses "
		}
		human.Wrap(b, word, c.sentence(v.Zone), v.Width)
		if c.NotReady != "" {
			human.Wrap(b, strings.Repeat(" ", len(word)), c.NotReady, v.Width)
		}
	}
}

func (c Contribution) sentence(zone *time.Location) string {
	text := c.Source.String()
	var asks []string
	if c.MinReplicas != nil {
		asks = append(asks, fmt.Sprintf("min %d", *c.MinReplicas))
	}
	if c.MaxReplicas != nil {
		asks = append(asks, fmt.Sprintf("max %d", *c.MaxReplicas))
	}
	if len(asks) > 0 {
		text += ", " + strings.Join(asks, ", ")
	}
	if c.Until != nil {
		text += ", until " + c.Until.In(zone).Format("2006-01-02 15:04 MST")
	}
	if c.Reason != "" && c.Source.Kind != bounds.KindForecast {
		text += fmt.Sprintf(" (%s)", c.Reason)
	}
	return text + ": " + c.Why
}

func without(d Document) string {
	text := fmt.Sprintf("bounds %d..%d", d.Without.Min, d.Without.Max)
	if d.Without.Replicas == nil {
		return text + "; what the HPA would aim at is unknown, because its metrics are"
	}
	return text + fmt.Sprintf("; the HPA would aim at %s", human.Things(int(*d.Without.Replicas), "replica"))
}

// commands are what to try next.
func (d Document) commands() []string {
	at := "-n " + d.Namespace
	var all []string
	for _, m := range d.Metrics {
		if m.Adapter != nil {
			all = append(all, fmt.Sprintf("plimsoll explain metric %s/%s", d.Namespace, m.Name))
			break
		}
	}
	switch {
	case d.PausedBy == "Namespace "+d.Namespace:
		all = append(all, "plimsoll resume namespace/"+d.Namespace)
	case d.PausedBy != "":
		all = append(all, fmt.Sprintf("plimsoll resume hpa/%s %s", d.HPA, at))
	case d.Override != nil:
		all = append(all, fmt.Sprintf("plimsoll override hpa/%s %s --end", d.HPA, at))
	case d.MinBy.Kind != bounds.KindBase && d.Left == "":
		all = append(all, fmt.Sprintf("plimsoll override hpa/%s %s --min %d --for 1h --dry-run", d.HPA, at, d.Base.Min))
	}
	return append(all, fmt.Sprintf("plimsoll upcoming hpa/%s %s", d.HPA, at))
}
