// SPDX-License-Identifier: Apache-2.0

// Package pause freezes the bounds of HPAs where they are, and lets them go again, by annotations of an HPA or its
// namespace.
package pause

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/override"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// NoteAnnotation says who paused an object and why: "anna: incident 4711". Only people read it.
const NoteAnnotation = "plimsoll.dev/paused-note"

// Document is what `plimsoll pause -o json` and `plimsoll resume -o json` print.
type Document struct {
	Objects []Object `json:"objects"`
}

// Object is an HPA or a namespace that was paused or resumed.
type Object struct {
	Kind      string `json:"kind"`                // HorizontalPodAutoscaler or Namespace
	Namespace string `json:"namespace,omitempty"` // of an HPA
	Name      string `json:"name"`
	Paused    bool   `json:"paused"`         // its own annotation, now
	Changed   bool   `json:"changed"`        // whether that is new
	Note      string `json:"note,omitempty"` // who paused it and why
	// PausedBy names what pauses the HPA although it is not paused itself: "Namespace live".
	PausedBy string `json:"pausedBy,omitempty"`
	HPAs     int    `json:"hpas"` // that it is about
	// Bounds are those of the HPA now, and Due those that it would have now if it were not paused.
	Bounds *upcoming.Bounds `json:"bounds,omitempty"`
	Due    *upcoming.Bounds `json:"due,omitempty"`
}

// Request is what to do.
type Request struct {
	Pause  bool // false: resume
	Note   string
	DryRun bool
}

// Do pauses or resumes an object; an HPA is one of the cluster's namespace. s holds the object's namespace.
func Do(ctx context.Context, c *target.Cluster, s *snapshot.Snapshot, ref target.Ref, r Request) (Object, error) {
	o := Object{Kind: "Namespace", Name: ref.Name}
	var object client.Object = namespaceObject(ref.Name)
	if ref.Kind == target.HPA {
		o.Kind, o.Namespace = situation.Kind, c.Namespace
		object = &autoscalingv2.HorizontalPodAutoscaler{}
	}
	if err := c.Get(ctx, types.NamespacedName{Namespace: o.Namespace, Name: o.Name}, object); err != nil {
		return o, err
	}
	was := object.GetAnnotations()
	o.Paused, o.Note = r.Pause, was[NoteAnnotation]
	o.Changed = (was[record.PausedAnnotation] == "true") != r.Pause
	write := map[string]string{record.PausedAnnotation: "", NoteAnnotation: ""}
	if r.Pause {
		write = map[string]string{record.PausedAnnotation: "true", NoteAnnotation: r.Note}
	}
	if !r.Pause {
		o.Note = ""
	} else if r.Note != "" {
		o.Note = r.Note
	}
	if !r.DryRun && (o.Changed || r.Pause && r.Note != "") {
		object.SetResourceVersion("") // the annotations are only ours
		if err := override.Annotate(ctx, c, object, write); err != nil {
			return o, err
		}
	}
	return o, o.describe(ctx, s)
}

func namespaceObject(name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	object.Name = name
	return object
}

// describe says what the object is about.
func (o *Object) describe(ctx context.Context, s *snapshot.Snapshot) error {
	if o.Kind != situation.Kind {
		o.HPAs = len(s.Keys())
		return nil
	}
	o.HPAs = 1
	now, key := time.Now(), types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
	read := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := s.Get(ctx, key, read); err != nil {
		return err
	}
	unpaused := read.DeepCopy() // what pauses it besides is its namespace
	delete(unpaused.Annotations, record.PausedAnnotation)
	if err := s.Put(unpaused); err != nil {
		return err
	}
	observed, err := s.Observe(ctx, key, now)
	if err != nil {
		return err
	}
	live := upcoming.Bounds(situation.LiveBounds(observed.HPA))
	o.Bounds = &live
	if o.PausedBy = observed.PausedBy; o.PausedBy == "" {
		due := upcoming.Bounds(observed.Decide(now).Result.Bounds)
		o.Due = &due
	}
	return nil
}

// Text says what was done.
func Text(o Object, dryRun bool) string {
	name, verb := "namespace/"+o.Name, "resumed"
	if o.Kind == situation.Kind {
		name = "hpa/" + o.Name
	}
	if o.Paused {
		verb = "paused"
	}
	switch {
	case dryRun && o.Changed:
		verb = "would be " + verb + " (dry run)"
	case !o.Changed && o.Paused:
		verb = "is paused already"
	case !o.Changed:
		verb = "is not paused"
	}
	return fmt.Sprintf("%s %s%s\n", name, verb, o.consequence())
}

func (o Object) consequence() string {
	b := o.Bounds
	switch {
	case o.Paused && b == nil:
		return fmt.Sprintf(": the bounds of its %s stay as they are; end it with: plimsoll resume namespace/%s", human.Things(o.HPAs, "HPA"), o.Name)
	case o.Paused:
		return fmt.Sprintf(": the bounds stay at %d..%d, and the HPA goes on scaling between them; end it with: plimsoll resume hpa/%s -n %s", b.Min, b.Max, o.Name, o.Namespace)
	case o.PausedBy != "":
		return fmt.Sprintf(", but %s is paused, so the bounds stay at %d..%d", o.PausedBy, b.Min, b.Max)
	case b == nil:
		return fmt.Sprintf(": the bounds of its %s follow their schedules, forecasts and overrides again", human.Things(o.HPAs, "HPA"))
	case o.Due != nil && *o.Due != *b:
		return fmt.Sprintf(": the bounds go from %d..%d to %d..%d", b.Min, b.Max, o.Due.Min, o.Due.Max)
	}
	return fmt.Sprintf(": the bounds are %d..%d, as they should be", b.Min, b.Max)
}
