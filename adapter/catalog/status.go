// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/adapter/evaluate"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// verdict is the Ready condition in the making.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

func bad(reason, format string, args ...any) verdict {
	return verdict{metav1.ConditionFalse, reason, fmt.Sprintf(format, args...)}
}

// refused is the status of a rule that is not in force.
func refused(o *object, v verdict) v1alpha1.MetricRuleStatus {
	s := v1alpha1.MetricRuleStatus{
		Conditions:         append([]metav1.Condition(nil), o.status.Conditions...),
		ObservedGeneration: o.meta.Generation, Metric: o.spec.Metric,
	}
	v.set(&s)
	return s
}

func (v verdict) set(s *v1alpha1.MetricRuleStatus) {
	apimeta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: v.status, Reason: v.reason, Message: v.message, ObservedGeneration: s.ObservedGeneration,
	})
}

// statusOf says how an entry in force is doing.
func statusOf(o *object, e *snapshot.Entry, readers int, now time.Time) v1alpha1.MetricRuleStatus {
	s := v1alpha1.MetricRuleStatus{
		Conditions:         append([]metav1.Condition(nil), o.status.Conditions...),
		ObservedGeneration: o.meta.Generation, Metric: o.spec.Metric, Readers: int32(readers),
	}
	if last := e.Outcome(); last != nil {
		s.LastEvaluationTime = at(last.Time)
		s.Source = last.Source
	}
	if good := e.Success(); good != nil {
		s.LastSuccessTime = at(good.Time)
	}
	if t := e.Table(); t != nil {
		s.Series, s.Objects = int32(t.Series), int32(t.Objects())
		if e.Rule.Object == nil {
			s.Objects = int32(len(t.Rows()))
		}
		s.SampleTime = at(t.Oldest())
	}
	judge(e, evaluate.Demanded(e, readers, now), now).set(&s)
	return s
}

func at(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// judge decides the Ready condition: first what keeps values away altogether, then what is wrong with some of them.
func judge(e *snapshot.Entry, demanded bool, now time.Time) verdict {
	last, t := e.Outcome(), e.Table()
	switch {
	case last == nil:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonNotEvaluated, "the first evaluation has not ended yet"}
	case last.Err != nil:
		return bad(evaluate.Cause(last.Err), "%s%s", last.Err.Error(), served(e, now))
	case len(t.Rows()) == 0:
		return judgeEmpty(t)
	case t.Newest().IsZero() && t.Dropped.NotFinite == 0:
		return bad(v1alpha1.ReasonNoSample, "the query has a value although its selectors have no series; that does not count without a guard that says that the source is well")
	case t.Dropped.Duplicates > 0:
		return bad(v1alpha1.ReasonAmbiguousObjects, "%s with equal labels; none of them is used. Aggregate them, for example with sum by", t.Dropped.DuplicateExample)
	case demanded && now.Sub(t.Newest()) > e.Limit():
		return bad(v1alpha1.ReasonStale, "the newest value was measured %s ago, allowed are %s; check that the application is still scraped",
			now.Sub(t.Newest()).Round(time.Second), e.Limit())
	case t.Dropped.NotFinite > 0:
		return bad(v1alpha1.ReasonNotFinite, "%d series are NaN or infinite, for example %s; those answer with an error", t.Dropped.NotFinite, t.Dropped.NotFiniteExample)
	case t.Dropped.OtherNamespace > 0:
		return bad(v1alpha1.ReasonOtherNamespace, "%d series name another namespace and were dropped, for example %s", t.Dropped.OtherNamespace, t.Dropped.OtherNamespaceExample)
	case t.Dropped.NoObject > 0:
		return bad(v1alpha1.ReasonMissingLabel, "%d series were dropped because they lack the labels that name their object, for example %s", t.Dropped.NoObject, t.Dropped.NoObjectExample)
	}
	return judgeGood(e, t, demanded)
}

func judgeEmpty(t *snapshot.Table) verdict {
	switch d := t.Dropped; {
	case d.OtherNamespace > 0:
		return bad(v1alpha1.ReasonOtherNamespace, "all series name another namespace and were dropped, for example %s", d.OtherNamespaceExample)
	case d.NoObject > 0:
		return bad(v1alpha1.ReasonMissingLabel, "all series lack the labels that name their object, for example %s; keep them in the query's by (...)", d.NoObjectExample)
	case d.Duplicates > 0:
		return bad(v1alpha1.ReasonAmbiguousObjects, "%s with equal labels; none of them is used. Aggregate them, for example with sum by", d.DuplicateExample)
	default:
		return bad(v1alpha1.ReasonNoData, "the query has no series; run it against the source, and check that the application is scraped")
	}
}

func judgeGood(e *snapshot.Entry, t *snapshot.Table, demanded bool) verdict {
	what := fmt.Sprintf("%d objects from %d series", t.Objects(), t.Series)
	if e.Rule.Object == nil {
		what = fmt.Sprintf("%d series", t.Series)
	}
	good := verdict{metav1.ConditionTrue, v1alpha1.ReasonWorking, what}
	switch {
	case !demanded:
		good.reason, good.message = v1alpha1.ReasonIdle, what+"; nobody reads the metric, so it is not evaluated any more"
	case len(t.Missing) > 0:
		good.reason, good.message = v1alpha1.ReasonIncomplete, fmt.Sprintf("%s; without %s, which counts as 0 because it was declared failed", what, strings.Join(t.Missing, ", "))
	case e.Rule.AgeUnknown != "":
		good.reason, good.message = v1alpha1.ReasonAgeUnknown, what+"; their age is unknown because "+e.Rule.AgeUnknown
	}
	return good
}

// served says, as the end of a sentence, what readers get while evaluations fail.
func served(e *snapshot.Entry, now time.Time) string {
	t := e.Table()
	if t == nil || t.Newest().IsZero() {
		return ""
	}
	if left := e.Limit() - now.Sub(t.Newest()); left > 0 {
		return fmt.Sprintf("; the values of %s are served until they are %s old", t.Newest().UTC().Format("15:04:05"), e.Limit())
	}
	return fmt.Sprintf("; the values of %s are too old to be served", t.Newest().UTC().Format("15:04:05"))
}

// How often a status is written. Replicas do not know of each other: each looks at what the object already says.
const (
	refreshEvery = 30 * time.Second // times and counts
	flipEvery    = 10 * time.Second // the condition, so that replicas that disagree do not write in turns all the time
)

// worthWriting reports whether the new status says something that the old one does not, or only something newer that nobody
// has written for a while.
func worthWriting(old, now *v1alpha1.MetricRuleStatus, clock time.Time) bool {
	if old.ObservedGeneration != now.ObservedGeneration || old.Metric != now.Metric {
		return true
	}
	if fresher(old, now, clock) {
		return false
	}
	was, is := ready(old), ready(now)
	if was == nil || is == nil {
		return was != is
	}
	if was.Status != is.Status || was.Reason != is.Reason {
		return clock.Sub(was.LastTransitionTime.Time) >= flipEvery || was.Status == metav1.ConditionUnknown || is.Reason == v1alpha1.ReasonWorking
	}
	newer := was.Message != is.Message || old.Readers != now.Readers || old.Objects != now.Objects || old.Series != now.Series ||
		!old.LastEvaluationTime.Equal(now.LastEvaluationTime) || !old.SampleTime.Equal(now.SampleTime)
	return newer && (old.LastEvaluationTime == nil || clock.Sub(old.LastEvaluationTime.Time) >= refreshEvery)
}

// fresher reports that another replica has evaluated the rule later than we have, and of late: what it says counts. So a
// replica in which the rule rests does not contradict one whose readers keep it going.
func fresher(old, now *v1alpha1.MetricRuleStatus, clock time.Time) bool {
	if old.LastEvaluationTime == nil || now.LastEvaluationTime == nil || clock.Sub(old.LastEvaluationTime.Time) > 2*refreshEvery {
		return false
	}
	return now.LastEvaluationTime.Before(old.LastEvaluationTime)
}

func ready(s *v1alpha1.MetricRuleStatus) *metav1.Condition {
	return apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
}

// conflicting is the verdict on a rule whose metric another rule already defines.
func conflicting(winner rule.Key) verdict {
	return bad(v1alpha1.ReasonConflict, "%s already defines this metric and stays in force; rename or delete one of the two", winner)
}
