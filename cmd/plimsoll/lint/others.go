// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// predicted is a valid forecast.
type predicted struct {
	source
	typed *v1alpha1.ScaleForecast
}

// forecast looks at one forecast alone.
func (c *checker) forecast(s source) {
	if !c.accepted(s, c.forecasts) {
		return
	}
	typed := &v1alpha1.ScaleForecast{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.UnstructuredContent(), typed); err != nil {
		c.say(s, Error, "", "it is not a ScaleForecast: "+err.Error())
		return
	}
	if _, err := typed.Compile(); err != nil {
		c.say(s, Error, "", err.Error())
		return
	}
	c.predicted = append(c.predicted, predicted{s, typed})
}

// forecastsTogether looks at forecasts and their HPAs.
func (c *checker) forecastsTogether() {
	first := map[string]string{}
	for _, p := range c.predicted {
		name := p.typed.Spec.TargetRef.Name
		key := p.namespace() + "/" + name
		if other, taken := first[key]; taken {
			c.say(p.source, Warning, "", fmt.Sprintf("ScaleForecast %s is for the HPA %s too; the higher floor wins at every moment, so keep one", other, name))
		} else {
			first[key] = p.typed.Name
		}
		i := slices.IndexFunc(c.targets, func(t target) bool { return t.namespace() == p.namespace() && t.hpa.Name == name })
		if i < 0 {
			c.say(p.source, Note, "", fmt.Sprintf("the HPA %s is not among these files, so its metric was not looked at", name))
			continue
		}
		if _, err := situation.PerReplicaMilli(c.targets[i].hpa); err != nil {
			c.say(p.source, Error, "", fmt.Sprintf("its demand cannot be turned into replicas of the HPA %s: %v", name, err))
		}
	}
}

// annotations looks at what an HPA's manifest says to Plimsoll.
func (c *checker) annotations(s source, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	c.paused(s)
	for _, name := range slices.Sorted(maps.Keys(hpa.Annotations)) {
		switch name {
		case record.BaseAnnotation, record.AppliedAnnotation:
			c.say(s, Warning, "", fmt.Sprintf("annotation %s is the scaler's own memory; remove it from the manifest, or applying it puts back an old one", name))
		case record.OverrideAnnotation, record.PausedAnnotation:
		default:
			if strings.HasPrefix(name, v1alpha1.GroupName+"/") {
				c.say(s, Warning, "", fmt.Sprintf("annotation %s is not known; known are %s and %s", name, record.OverrideAnnotation, record.PausedAnnotation))
			}
		}
	}
	o, err := record.ParseOverride(hpa.Annotations)
	switch {
	case err != nil:
		c.say(s, Error, "", err.Error())
	case o != nil:
		c.override(s, o, hpa)
	}
}

// override compares a valid override with the time and the HPA.
func (c *checker) override(s source, o *record.Override, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	if !c.now.Before(o.Until) {
		c.say(s, Note, "", fmt.Sprintf("the override has been over since %s and can be removed", o.Until.Format(time.RFC3339)))
		return
	}
	if o.Min != nil && o.Max == nil && *o.Min > hpa.Spec.MaxReplicas {
		c.say(s, Warning, "", fmt.Sprintf("the override's min %d is above the HPA's maxReplicas %d and will be capped there; set its max to allow more", *o.Min, hpa.Spec.MaxReplicas))
	}
	if o.Since.IsZero() && o.Until.Sub(c.now) > record.MaxOverride {
		c.say(s, Warning, "", fmt.Sprintf("the override lasts until %s; for longer than %s change the HPA itself, or use a ScaleSchedule", o.Until.Format(time.RFC3339), record.MaxOverride))
	}
}

// paused looks at the annotation that freezes bounds.
func (c *checker) paused(s source) {
	value, set := s.GetAnnotations()[record.PausedAnnotation]
	switch {
	case set && value == "true":
		c.say(s, Note, "", "it is paused: bounds stay as they are until the annotation "+record.PausedAnnotation+" is removed")
	case set && value != "false":
		c.say(s, Warning, "", fmt.Sprintf("annotation %s is %q, which does not pause; write \"true\" or remove it", record.PausedAnnotation, value))
	}
}

// workload tells of a schedule of replicas that the scaler will refuse, because an HPA of the files decides them.
func (c *checker) workload(s checked) {
	ref := s.typed.Spec.TargetRef
	for _, t := range c.targets {
		if of := t.hpa.Spec.ScaleTargetRef; t.namespace() == s.namespace() && of.Kind == ref.Kind && of.Name == ref.Name {
			c.say(s.source, Error, "", fmt.Sprintf("the HPA %s scales the %s %s, so a schedule of its replicas is refused; name the HPA as the target", t.hpa.Name, ref.Kind, ref.Name))
		}
	}
}
