// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// readError is a refusal as the API says it; errors.Is still finds the cause.
type readError struct {
	*apierrors.StatusError
	cause error
}

func (e *readError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.StatusError}
	}
	return []error{e.StatusError, e.cause}
}

func refuse(code int, reason metav1.StatusReason, cause error) error {
	return &readError{cause: cause, StatusError: &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: cause.Error(),
	}}}
}

func notFound(format string, args ...any) error {
	return refuse(http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Errorf(format, args...))
}

// unavailable is for values that exist but must not be served, or may exist soon.
func unavailable(cause error) error {
	return refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, cause)
}

func needsNamespace(q *customRead) error {
	return refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest,
		fmt.Errorf("%s are namespaced: ask for metric %s under /namespaces/<namespace>/%s/<name>/%s", q.resource, q.metric, q.resource, q.metric))
}

func otherNamespace(q *customRead) error {
	return refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest,
		fmt.Errorf("a metric of a namespace is read in that namespace only: ask for metric %s under /namespaces/<name>/metrics/%s", q.metric, q.metric))
}

// noValue is an answer without the row that was asked for: 404 after a good evaluation, 503 after a failed one.
func noValue(e *snapshot.Entry, what string) error {
	if o := e.Outcome(); o != nil && o.Err != nil {
		return unavailable(e.Missing(what))
	}
	return refuse(http.StatusNotFound, metav1.StatusReasonNotFound, e.Missing(what))
}

func noObjects(q *customRead) error {
	if q.namespace == "" {
		return notFound("no %s match the label selector, so there is no value of metric %s", q.resource, q.metric)
	}
	return notFound("no %s in namespace %s match the label selector, so there is no value of metric %s", q.resource, q.namespace, q.metric)
}

func matchingText(matching labels.Selector) string {
	if matching == nil {
		return ""
	}
	return fmt.Sprintf(" among series that match %q", matching.String())
}

// ambiguous names both series, so that a metric selector can be written that tells them apart.
func ambiguous(e *snapshot.Entry, a, b *snapshot.Row) error {
	return refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		fmt.Errorf("%s: metric %s is %w for %s: the series %s and %s both describe it; aggregate in the rule's query, or choose with metric.selector",
			e.Rule.Key, e.Rule.Metric, snapshot.ErrAmbiguous, a.Object.Name, seriesText(a), seriesText(b)))
}

func tooLarge(e *snapshot.Entry, row *snapshot.Row) error {
	return refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		fmt.Errorf("%s: the value %g of metric %s is beyond %g, the largest that an HPA reads correctly; divide in the rule's query",
			e.Rule.Key, row.Value, e.Rule.Metric, float64(largest)))
}

func seriesText(r *snapshot.Row) string {
	var out strings.Builder
	out.WriteByte('{')
	for i, l := range r.Labels {
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "%s=%q", l.Name, l.Value)
	}
	out.WriteByte('}')
	return out.String()
}

// shownSeries is how many series an error names.
const shownSeries = 3

// noSeries is an external metric none of whose series match: it says which labels there are.
func noSeries(e *snapshot.Entry, rows []snapshot.Row, matching labels.Selector) error {
	if len(rows) == 0 {
		return noValue(e, "any series")
	}
	shown := make([]string, 0, shownSeries)
	for i := range rows[:min(len(rows), shownSeries)] {
		shown = append(shown, seriesText(&rows[i]))
	}
	more := ""
	if n := len(rows) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	selector := ""
	if matching != nil {
		selector = matching.String()
	}
	return notFound("%s: no series of metric %s matches %q; there are %s%s", e.Rule.Key, e.Rule.Metric, selector, strings.Join(shown, ", "), more)
}

func unknownCustom(c *snapshot.Catalog, q *customRead) error {
	message := fmt.Sprintf("no rule defines metric %s of %s", q.metric, q.resource)
	if ns := q.ruleNamespace(); ns != "" {
		message += " in namespace " + ns
	}
	var known []string
	for _, e := range c.Entries() {
		if e.Rule.Object != nil && visible(e, q.ruleNamespace()) {
			name := e.Rule.Metric
			if e.Rule.Object.Resource != q.resource {
				name += " (of " + e.Rule.Object.Resource.String() + ")"
			}
			known = append(known, name)
		}
	}
	return notFound("%s%s", message, NearText(q.metric, known))
}

func unknownExternal(c *snapshot.Catalog, namespace, metric string) error {
	var known []string
	for _, e := range c.Entries() {
		if e.Rule.Object == nil && visible(e, namespace) {
			known = append(known, e.Rule.Metric)
		}
	}
	return notFound("no rule defines external metric %s in namespace %s%s", metric, namespace, NearText(metric, known))
}

func visible(e *snapshot.Entry, namespace string) bool {
	return e.Rule.Key.Namespace == "" || e.Rule.Key.Namespace == namespace
}

// NearText names the known metrics that look like the one asked for.
func NearText(metric string, known []string) string {
	slices.Sort(known)
	near := nearest(metric, slices.Compact(known))
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, ", ") + "?"
}

var errMethod = errors.New("the source can be asked with GET and POST only")
