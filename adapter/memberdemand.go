// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// samplesShown bounds the samples of one member.
const samplesShown = 10

// memberDemand writes the list of the members' demand.
type memberDemand struct {
	store   *snapshot.Store
	members func() ([]members.Member, error)
	now     func() time.Time
}

// serve answers .../memberdemands.
func (d *memberDemand) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	all, err := d.members()
	if err != nil && !errors.Is(err, members.ErrNone) {
		writeStatus(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, err.Error())
		return
	}
	if err := json.NewEncoder(w).Encode(d.list(all)); err != nil {
		return // the client has gone
	}
}

func (d *memberDemand) list(all []members.Member) *explain.MemberDemandList {
	const version = "query.plimsoll.dev/v1alpha1"
	l := &explain.MemberDemandList{
		TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "MemberDemandList"}, Time: d.now().UTC(), Items: []explain.MemberDemand{},
	}
	rules := sums(d.store.Catalog())
	for _, m := range all {
		one := explain.MemberDemand{TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "MemberDemand"}, Metadata: explain.MemberName{Name: m.Name}}
		one.Reason = notItsOwn(all, m)
		if one.Reason == "" {
			one.Samples = samplesOf(rules, m.Name)
			one.Reason = whyNone(rules, m, one.Samples, l.Time)
		}
		l.Items = append(l.Items, one)
	}
	return l
}

// sums are the rules whose samples count as demand: those of the whole cluster that are added up over the members.
func sums(c *snapshot.Catalog) []*snapshot.Entry {
	var out []*snapshot.Entry
	for _, e := range c.Entries() {
		if e.Rule.Members && e.Rule.Key.Namespace == "" && e.Rule.Refusal == nil {
			out = append(out, e)
		}
	}
	return out
}

func samplesOf(rules []*snapshot.Entry, member string) []explain.DemandSample {
	var out []explain.DemandSample
	for _, e := range rules {
		t := e.Parts()[member].Table
		if t == nil {
			continue
		}
		if at := e.Sampled(t); !at.IsZero() {
			out = append(out, explain.DemandSample{Rule: e.Rule.Key.Name, SampleTime: at.UTC(), Evaluated: t.Evaluated.UTC()})
		}
	}
	slices.SortStableFunc(out, func(a, b explain.DemandSample) int { return b.SampleTime.Compare(a.SampleTime) })
	return out[:min(len(out), samplesShown)]
}

// notItsOwn says why a member's metrics would come in whatever became of its pods; "" if that is not so.
func notItsOwn(all []members.Member, m members.Member) string {
	if m.External != nil {
		return "its metrics are external metrics, which may have the time of the answer for that of a sample"
	}
	for _, other := range all {
		if other.Name != m.Name && other.View == m.View && m.View != "" {
			return fmt.Sprintf("its metric source is that of %s too, and nobody can tell whose samples come in", other.Name)
		}
	}
	return ""
}

// whyNone says why nothing new is to be expected of a member; "" if something is.
func whyNone(rules []*snapshot.Entry, m members.Member, samples []explain.DemandSample, now time.Time) string {
	switch {
	case m.Failed:
		return "it was declared Failed, so its metrics are not asked for"
	case m.Problem != nil:
		return m.Problem.Error()
	case len(rules) == 0:
		return "there is no ClusterMetricRule with `members: Sum`"
	}
	var rest, unknown []string
	for _, e := range rules {
		switch part := e.Parts()[m.Name]; {
		case part.Err != nil:
			return fmt.Sprintf("%s: %s", e.Rule.Key, source.Detail(part.Err)) // only admins read it
		case len(e.Rule.Times) == 0:
			unknown = append(unknown, e.Rule.Key.Name)
		case e.Cold(now):
			rest = append(rest, e.Rule.Key.Name)
		}
	}
	switch {
	case len(unknown) == len(rules):
		return "the age of the values is not known, of " + strings.Join(unknown, ", ")
	case len(rest)+len(unknown) == len(rules):
		return "nobody reads its rules, which rest: " + strings.Join(rest, ", ")
	case len(samples) == 0:
		return "no value has a sample behind it"
	}
	return ""
}
