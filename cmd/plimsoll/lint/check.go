// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// checked is a valid schedule.
type checked struct {
	source
	typed    *v1alpha1.ScaleSchedule
	compiled *schedule.Schedule
}

// target is an HPA of the files.
type target struct {
	source
	hpa *autoscalingv2.HorizontalPodAutoscaler
}

type checker struct {
	*Linter
	zones     *schedule.Zones
	now       time.Time
	report    Report
	valid     []checked
	predicted []predicted
	targets   []target
}

func (c *checker) say(s source, severity Severity, window, text string) {
	c.report.Messages = append(c.report.Messages, Message{Place: s.Place, Severity: severity, Object: s.name(), Window: window, Text: text})
}

// object looks at one object alone. Kinds that Plimsoll has nothing to do with are left out.
func (c *checker) object(s source) {
	group := s.GroupVersionKind().Group
	switch {
	case s.GetKind() == "ScaleSchedule" && group == v1alpha1.GroupName:
		c.report.Schedules++
		c.schedule(s)
	case s.GetKind() == "HorizontalPodAutoscaler" && group == "autoscaling":
		hpa, err := toHPA(s.Unstructured)
		if err != nil {
			c.say(s, Error, "", err.Error())
			return
		}
		c.targets = append(c.targets, target{s, hpa})
		c.annotations(s, hpa)
	case s.GetKind() == "ScaleForecast" && group == v1alpha1.GroupName:
		c.report.Forecasts++
		c.forecast(s)
	case s.GetKind() == "Namespace" && group == "":
		c.paused(s)
	}
}

func (c *checker) schedule(s source) {
	if !c.accepted(s, c.schedules) {
		return
	}
	if typed, compiled := c.compile(s); compiled != nil {
		c.valid = append(c.valid, checked{s, typed, compiled})
	}
}

// accepted says whether the API server would take an object, and reports why not.
func (c *checker) accepted(s source, v *validator) bool {
	if s.GroupVersionKind().GroupVersion() != v1alpha1.SchemeGroupVersion {
		c.say(s, Error, "", fmt.Sprintf("apiVersion %s is not known; write %s", s.GetAPIVersion(), v1alpha1.SchemeGroupVersion))
		return false
	}
	found := v.validate(s.UnstructuredContent())
	for _, text := range found {
		c.say(s, Error, "", text)
	}
	return len(found) == 0
}

// together looks at the schedules of each HPA.
func (c *checker) together() {
	matched := make([]bool, len(c.valid))
	waits := map[string]map[schedule.Target][]schedule.Target{}
	for _, t := range c.targets {
		var group []checked
		for i, s := range c.valid {
			if s.appliesTo(t) {
				matched[i] = true
				group = append(group, s)
				s.waitsOf(t.hpa.Name, waits)
			}
		}
		c.group(group, observations(t.hpa))
	}
	unknown := map[string][]checked{}
	for i, s := range c.valid {
		if matched[i] {
			continue
		}
		key := s.namespace() + "/" + s.File + s.name()
		wanted := "no HPA of these files has the labels of its targetSelector"
		if ref := s.typed.Spec.TargetRef; ref != nil {
			key = s.namespace() + "//" + ref.Kind + "/" + ref.Name
			wanted = fmt.Sprintf("the HPA %s is not among these files", ref.Name)
			s.waitsOf(ref.Name, waits)
		}
		unknown[key] = append(unknown[key], s)
		if s.typed.Spec.TargetRef.IsWorkload() {
			c.workload(s)
			continue
		}
		c.say(s.source, Note, "", wanted+", so nothing was compared with its minReplicas, maxReplicas and target")
	}
	for _, group := range unknown {
		c.group(group, schedule.Observations{})
	}
	c.circles(waits)
	c.forecastsTogether()
}

func (s checked) appliesTo(t target) bool {
	if s.namespace() != t.namespace() {
		return false
	}
	if ref := s.typed.Spec.TargetRef; ref != nil {
		return ref.IsHPA() && ref.Name == t.hpa.Name
	}
	selector, err := metav1.LabelSelectorAsSelector(s.typed.Spec.TargetSelector)
	return err == nil && selector.Matches(labels.Set(t.hpa.Labels))
}

func (s checked) waits() bool {
	return slices.ContainsFunc(s.typed.Spec.Windows, func(w v1alpha1.ScheduleWindow) bool { return len(w.After) > 0 })
}

// waitsOf notes what an HPA waits for in the windows of this schedule.
func (s checked) waitsOf(name string, waits map[string]map[schedule.Target][]schedule.Target) {
	ns := s.namespace()
	if waits[ns] == nil {
		waits[ns] = map[schedule.Target][]schedule.Target{}
	}
	self := schedule.Target{Kind: v1alpha1.DefaultTargetKind, Name: name}
	if ref := s.typed.Spec.TargetRef; ref.IsWorkload() {
		self.Kind = ref.Kind
	}
	for _, window := range s.typed.PlainSpec().Windows {
		for _, after := range window.After {
			if after.Target != self { // nobody waits for himself
				waits[ns][self] = append(waits[ns][self], after.Target)
			}
		}
	}
}

// group reports what the schedules of one HPA do to each other.
func (c *checker) group(group []checked, obs schedule.Observations) {
	rules := make([]*schedule.Schedule, len(group))
	for i, s := range group {
		rules[i] = s.compiled
	}
	for _, found := range schedule.Lint(rules, obs, c.now) {
		severity := Warning
		if found.Note {
			severity = Note
		}
		for _, s := range group {
			if s.typed.Name == found.Schedule {
				c.say(s.source, severity, found.Window, found.Message)
			}
		}
	}
}

func (c *checker) circles(waits map[string]map[schedule.Target][]schedule.Target) {
	for ns, edges := range waits {
		circle := schedule.Circle(edges)
		if circle == nil {
			continue
		}
		names := make([]string, len(circle))
		for i, t := range circle {
			names[i] = t.Name
		}
		for _, s := range c.valid {
			ref := s.typed.Spec.TargetRef
			if s.namespace() == ns && s.waits() && (ref == nil || slices.Contains(names, ref.Name)) {
				c.say(s.source, Warning, "", "by `after`, HPAs wait for each other in a circle, all of them until their timeouts: "+strings.Join(names, " waits for "))
			}
		}
	}
}

// observations are what an HPA's manifest says about the arithmetic.
func observations(hpa *autoscalingv2.HorizontalPodAutoscaler) schedule.Observations {
	live := situation.LiveBounds(hpa)
	obs := schedule.Observations{BaseMin: live.Min, BaseMax: live.Max}
	if milli, err := situation.PerReplicaMilli(hpa); err == nil { // else the windows with a demand say so
		obs.PerReplicaMilli = milli
	}
	return obs
}
