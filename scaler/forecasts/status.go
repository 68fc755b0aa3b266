// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
	"github.com/plimsoll/plimsoll/scaler/record"
)

const (
	mostOutlook = 16  // points of the outlook, the API's limit
	mostMessage = 512 // bytes of a message, of which the query's text may be 8,192
)

// statusOf is the status to be shown. What is not known anew stays as it was.
func statusOf(f *v1alpha1.ScaleForecast, e *entry, in *model.Input, v model.Verdict, seen sight) *v1alpha1.ScaleForecastStatus {
	s := e.written.DeepCopy()
	if !speaksOf(f, s) {
		s = &v1alpha1.ScaleForecastStatus{Conditions: s.Conditions}
	}
	s.ObservedGeneration, s.Target = f.Generation, f.Spec.TargetRef.Name
	s.Effective = v.Effective
	s.Floor = nil
	if v.Asks {
		s.Floor = &v.Floor
	}
	s.LeadTime, s.LeadTimeFrom = short(in.Lead), seen.from
	if seen.query != "" {
		s.Query = seen.shown
	}
	if in.View != nil {
		showView(s, in, v)
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: readyFor(v.Reason), Reason: v.Reason, Message: cut(v.Message),
		ObservedGeneration: f.Generation, LastTransitionTime: metav1.NewTime(in.Now),
	}
	if v.Reason == v1alpha1.ForecastLearning && in.View == nil && f.Generation == e.written.ObservedGeneration && len(s.Conditions) > 0 && v.Asks {
		return s // a restart: what was said before stays said until something new is known
	}
	meta.SetStatusCondition(&s.Conditions, condition)
	return s
}

func showView(s *v1alpha1.ScaleForecastStatus, in *model.Input, v model.Verdict) {
	view := in.View
	s.LastValueTime = &metav1.Time{Time: view.Newest.Time}
	s.Season = seasonText(view.Seasons)
	a := view.Accuracy
	s.Accuracy = &v1alpha1.ForecastAccuracy{
		Outcomes: int32(min(a.Outcomes, math.MaxInt32)), Coverage: ratio(a.Coverage),
		Error: ratio(a.Error), ErrorReactive: ratio(a.ErrorReactive),
		Shortfall: ratio(a.Shortfall), ShortfallReactive: ratio(a.ShortfallReactive), Spare: ratio(a.Spare),
	}
	trust := &v1alpha1.ForecastTrust{
		State: string(forecast.Disarmed), Reason: string(view.Gate.Reason), Message: cut(view.Gate.Explain(a)),
		Since: &metav1.Time{Time: in.Now},
	}
	if v.Trusted {
		trust.State = string(forecast.Armed)
	}
	if s.Trust != nil && s.Trust.State == trust.State && s.Trust.Since != nil {
		trust.Since = s.Trust.Since
	}
	s.Trust = trust
	s.Outlook = nil
	for _, p := range view.Predictions {
		if len(s.Outlook) == mostOutlook || !p.Time.After(in.Now.Add(-in.Rule.Interval)) {
			continue
		}
		s.Outlook = append(s.Outlook, outlookPoint(p, in.Target))
	}
}

// outlookPoint tells the replicas that a bound takes, not what limits them.
func outlookPoint(p forecast.Prediction, t model.Target) v1alpha1.ForecastPoint {
	point := v1alpha1.ForecastPoint{Time: metav1.NewTime(p.Time), Expected: number(p.Value), Upper: number(p.Upper)}
	if t.Unknown != "" || t.Missing {
		return point
	}
	if floor, err := forecast.FloorOf(forecast.FloorInput{Demand: p.Upper, PerReplica: t.PerReplica}); err == nil {
		point.Replicas = &floor.Wanted
	}
	return point
}

// readyFor is the Ready condition's status for a reason.
func readyFor(reason string) metav1.ConditionStatus {
	switch reason {
	case v1alpha1.ForecastTrusted:
		return metav1.ConditionTrue
	case v1alpha1.ForecastLearning, v1alpha1.ForecastProbation:
		return metav1.ConditionUnknown
	}
	return metav1.ConditionFalse
}

// How long figures may be behind that nobody acts on, such as the outlook: three points, at least a minute.
const (
	figuresSteps = 3
	figuresLeast = time.Minute
)

// write writes the status if somebody has to know: what acts or is judged at once, figures now and then. Then it tells
// the events.
func (l *loop) write(ctx context.Context, f *v1alpha1.ScaleForecast, e *entry, s *v1alpha1.ScaleForecastStatus, now time.Time) error {
	interval := e.identity.interval
	if !acts(e.written, s) && (now.Sub(e.writtenAt) < max(figuresSteps*interval, figuresLeast) || equality.Semantic.DeepEqual(e.written, s)) {
		return nil
	}
	before, after := f.DeepCopy(), f.DeepCopy()
	before.Status, after.Status = *e.written.DeepCopy(), *s.DeepCopy()
	if v := e.version.Load(); v != nil { // the cache may be behind
		before.ResourceVersion = *v
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := l.client.Status().Patch(ctx, after, patch, client.FieldOwner(record.Manager))
	l.metrics.wrote(err)
	if apierrors.IsConflict(err) {
		e.version.Store(nil) // versions may even have gone back, where etcd was restored
	}
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	was := e.written
	e.written, e.writtenAt = s, now
	e.version.Store(&after.ResourceVersion)
	l.tell(f, was, s)
	return nil
}

// acts says whether two statuses differ in what somebody acts on.
func acts(a, b *v1alpha1.ScaleForecastStatus) bool {
	floor := !equality.Semantic.DeepEqual(a.Floor, b.Floor) && (b.Effective != v1alpha1.ForecastDisarmed || a.Floor == nil || b.Floor == nil)
	return floor || a.Effective != b.Effective || a.Target != b.Target || a.ObservedGeneration != b.ObservedGeneration ||
		reasonOf(a) != reasonOf(b) || a.Query != b.Query || a.Season != b.Season || a.LeadTimeFrom != b.LeadTimeFrom ||
		trustOf(a) != trustOf(b) || (a.LastValueTime == nil) != (b.LastValueTime == nil)
}

func reasonOf(s *v1alpha1.ScaleForecastStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

func trustOf(s *v1alpha1.ScaleForecastStatus) string {
	if s.Trust == nil {
		return ""
	}
	return s.Trust.State + " " + s.Trust.Reason
}

// ratio writes a share with three decimals.
func ratio(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// number writes a demand with four significant digits, and whole numbers in full.
func number(v float64) string {
	if math.Abs(v) >= 1000 && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func seasonText(s forecast.Seasons) string {
	var parts []string
	for _, d := range []time.Duration{s.Day, s.Week} {
		if d > 0 {
			parts = append(parts, short(d))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// short writes a duration without needless zeros: 24h, 1h30m, 4m.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func cut(message string) string {
	if len(message) <= mostMessage {
		return message
	}
	return strings.ToValidUTF8(message[:mostMessage-len("…")], "") + "…"
}

// tell writes the events of a change.
func (l *loop) tell(f *v1alpha1.ScaleForecast, was, is *v1alpha1.ScaleForecastStatus) {
	for _, e := range eventsOf(was, is) {
		l.events.Eventf(f, nil, e.kind, e.reason, "Forecast", "%s", e.note)
	}
}

type occasion struct{ kind, reason, note string }

// eventsOf are the events of a change of status.
func eventsOf(was, is *v1alpha1.ScaleForecastStatus) []occasion {
	const normal, warning = "Normal", "Warning"
	var out []occasion
	armed := func(s *v1alpha1.ScaleForecastStatus) bool {
		return s.Trust != nil && s.Trust.State == string(forecast.Armed)
	}
	switch {
	case armed(is) && !armed(was):
		out = append(out, occasion{normal, "Armed", "the forecast is trusted: " + is.Trust.Message})
	case armed(was) && !armed(is) && is.Trust != nil:
		out = append(out, occasion{warning, "Disarmed", fmt.Sprintf("the forecast is not trusted any more (%s): %s", is.Trust.Reason, is.Trust.Message)})
	}
	if lost(reasonOf(is)) && !lost(reasonOf(was)) {
		out = append(out, occasion{warning, "SourceLost", messageOf(is)})
	}
	if lost(reasonOf(was)) && !lost(reasonOf(is)) && is.LastValueTime != nil {
		out = append(out, occasion{normal, "SourceBack", "values of the demand come again"})
	}
	enforcing := func(s *v1alpha1.ScaleForecastStatus) bool { return s.Effective == v1alpha1.ForecastEnforcing }
	switch {
	case enforcing(is) && !enforcing(was) && is.Floor != nil:
		out = append(out, occasion{normal, "Enforcing", fmt.Sprintf("the HPA's minReplicas is held at %d or more", *is.Floor)})
	case enforcing(was) && !enforcing(is) && is.Floor == nil && lost(reasonOf(is)):
		out = append(out, occasion{warning, "FloorGivenUp", messageOf(is)})
	case enforcing(was) && !enforcing(is):
		out = append(out, occasion{normal, "NotEnforcing", "the floor does not count any more: " + messageOf(is)})
	}
	return out
}

// lost says whether a reason is one of a source that brings nothing.
func lost(reason string) bool {
	return reason == v1alpha1.ForecastStale || reason == v1alpha1.ForecastQueryFailed || reason == v1alpha1.ForecastNoData
}

func messageOf(s *v1alpha1.ScaleForecastStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Message
	}
	return ""
}
