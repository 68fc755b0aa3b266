// SPDX-License-Identifier: Apache-2.0

// Package record is what Plimsoll keeps on a HorizontalPodAutoscaler, in annotations: the user's own bounds, what was
// applied instead of them and why, and what a person asked for by hand. All memory of a decision is there, so that a
// restart, a new leader or the command line sees what the scaler saw.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
)

// The annotations.
const (
	// BaseAnnotation holds the user's own bounds while others are applied.
	BaseAnnotation = "plimsoll.dev/base"
	// AppliedAnnotation holds what was written instead, who asked for it, and what the next decision has to remember.
	AppliedAnnotation = "plimsoll.dev/applied"
	// OverrideAnnotation holds an Override.
	OverrideAnnotation = "plimsoll.dev/override"
	// PausedAnnotation with the value "true", on an HPA or its Namespace, freezes the bounds where they are.
	PausedAnnotation = "plimsoll.dev/paused"
	// FederatedAnnotation holds, on an HPA in a member cluster, the user's own minReplicas while the share of a
	// FederatedScale of the hub stands there.
	FederatedAnnotation = "plimsoll.dev/federated"
)

// Manager is the field manager of everything that the scaler writes.
const Manager = "plimsoll-scaler"

// HubManager is the field manager of what the scaler of a hub writes to workloads and HPAs in its members, where another
// scaler may run.
const HubManager = "plimsoll-hub"

// Record is what is kept on one HPA. The zero value is that of an HPA of which nothing is kept.
type Record struct {
	// Base are the user's own bounds; meaningful only while State.Applied or Owners are set.
	Base bounds.Bounds
	// State is the memory of policy/bounds.
	State bounds.State
	// Released are the windows whose ramps have begun although they had to wait for other targets.
	Released []schedule.Occurrence
	// Owners are the field managers that had minReplicas and maxReplicas before us, to hand the fields back to.
	Owners []Owner
}

// Owner is a field manager that had one of the bounds before Plimsoll wrote it.
type Owner struct {
	Field     string `json:"field"`           // minReplicas or maxReplicas
	Manager   string `json:"manager"`         // kubectl-client-side-apply
	Operation string `json:"operation"`       // Apply or Update
	Sub       string `json:"sub,omitempty"`   // the subresource that it wrote through; mostly empty
	Group     string `json:"group,omitempty"` // the apiVersion that it wrote with
}

// Empty says whether nothing needs to be kept.
func (r Record) Empty() bool { return r.memoryless() && len(r.Owners) == 0 }

// memoryless says whether the next decision has nothing to remember.
func (r Record) memoryless() bool {
	s := r.State
	return s.Applied == nil && s.Tail == nil && s.FrozenAt == 0 && len(s.Reverts) == 0 && len(r.Released) == 0
}

// baseText and appliedText are the annotations' documents. People read them, so their words are plain.
type baseText struct {
	Min    *int32  `json:"min"`
	Max    *int32  `json:"max"`
	Owners []Owner `json:"owners,omitempty"`
}

type appliedText struct {
	Min      *int32         `json:"min,omitempty"`
	Max      *int32         `json:"max,omitempty"`
	By       *sourceText    `json:"by,omitempty"`
	Since    *time.Time     `json:"since,omitempty"`
	RampEnds *time.Time     `json:"rampEnds,omitempty"`
	Sinking  *sinkingText   `json:"sinking,omitempty"`
	FrozenAt int32          `json:"frozenAt,omitempty"`
	Reverts  []time.Time    `json:"reverts,omitempty"`
	Released []releasedText `json:"released,omitempty"`
}

type sourceText struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	Part string `json:"part,omitempty"`
}

type sinkingText struct {
	From  int32       `json:"from"`
	Since time.Time   `json:"since"`
	By    *sourceText `json:"by,omitempty"`
}

type releasedText struct {
	Schedule string `json:"schedule"`
	Window   string `json:"window"`
	Start    int64  `json:"start"`
}

// Parse reads the record of an HPA's annotations. The error names the annotation; what can be read is returned with it.
func Parse(annotations map[string]string) (Record, error) { return parse(annotations, 1) }

// ParseWorkload reads the record of a workload without an HPA, which may be one of no replicas.
func ParseWorkload(annotations map[string]string) (Record, error) { return parse(annotations, 0) }

// parse reads a record in which no maximum is below leastMax.
func parse(annotations map[string]string, leastMax int32) (Record, error) {
	var r Record
	base, applied := annotations[BaseAnnotation], annotations[AppliedAnnotation]
	if base != "" {
		var b baseText
		err := json.Unmarshal([]byte(base), &b)
		if err == nil {
			r.Base, err = boundsOf(b.Min, b.Max, leastMax)
		}
		if err != nil {
			return Record{}, fmt.Errorf("annotation %s cannot be read, so the user's own bounds are unknown (%w); write {\"min\":N,\"max\":M} there", BaseAnnotation, err)
		}
		r.Owners = b.Owners
	}
	if applied == "" {
		return r, nil
	}
	var a appliedText
	err := json.Unmarshal([]byte(applied), &a)
	if err == nil && (a.Min != nil || a.Max != nil) {
		_, err = boundsOf(a.Min, a.Max, leastMax)
	}
	if err != nil {
		return r, fmt.Errorf("annotation %s cannot be read, so what was applied is unknown (%w); remove it and set the bounds to those of %s", AppliedAnnotation, err, BaseAnnotation)
	}
	if a.Min != nil && base == "" {
		return r, fmt.Errorf("annotation %s is missing although %s says that other bounds are applied; write the HPA's own {\"min\":N,\"max\":M} there", BaseAnnotation, AppliedAnnotation)
	}
	a.into(&r)
	return r, nil
}

// boundsOf are bounds that the API server would take. The error says what is wrong with them.
func boundsOf(low, high *int32, leastMax int32) (bounds.Bounds, error) {
	switch {
	case low == nil:
		return bounds.Bounds{}, errors.New("min is missing")
	case high == nil:
		return bounds.Bounds{}, errors.New("max is missing")
	case *low < 0:
		return bounds.Bounds{}, fmt.Errorf("min is %d; it must not be negative", *low)
	case *high < leastMax:
		return bounds.Bounds{}, fmt.Errorf("max is %d; it must be at least %d", *high, leastMax)
	case *low > *high:
		return bounds.Bounds{}, fmt.Errorf("min %d is above max %d", *low, *high)
	}
	return bounds.Bounds{Min: *low, Max: *high}, nil
}

func (a appliedText) into(r *Record) {
	s := &r.State
	if a.Min != nil && a.Max != nil {
		s.Applied = &bounds.Bounds{Min: *a.Min, Max: *a.Max}
	}
	s.FloorBy, s.FrozenAt, s.Reverts = a.By.source(), a.FrozenAt, a.Reverts
	if a.Since != nil {
		s.Since = *a.Since
	}
	if a.RampEnds != nil {
		s.RampEnds = *a.RampEnds
	}
	if t := a.Sinking; t != nil {
		s.Tail = &bounds.Tail{From: t.From, Since: t.Since, By: t.By.source()}
	}
	for _, o := range a.Released {
		r.Released = append(r.Released, schedule.Occurrence(o))
	}
}

// Format returns the annotations of a record: "" for one that is to be removed.
func (r Record) Format() (base, applied string) {
	if r.Empty() {
		return "", ""
	}
	a := appliedText{By: textOf(r.State.FloorBy), FrozenAt: r.State.FrozenAt, Reverts: inUTC(r.State.Reverts)}
	if b := r.State.Applied; b != nil {
		a.Min, a.Max = &b.Min, &b.Max
	}
	// The base stays after its bounds are back until their fields are handed back too, which a crash may delay.
	if r.State.Applied != nil || len(r.Owners) > 0 {
		base = encode(baseText{Min: &r.Base.Min, Max: &r.Base.Max, Owners: r.Owners})
	}
	if r.memoryless() {
		return base, ""
	}
	if since := r.State.Since; !since.IsZero() {
		since = since.UTC()
		a.Since = &since
	}
	if ends := r.State.RampEnds; !ends.IsZero() {
		ends = ends.UTC()
		a.RampEnds = &ends
	}
	if t := r.State.Tail; t != nil {
		a.Sinking = &sinkingText{From: t.From, Since: t.Since.UTC(), By: textOf(t.By)}
	}
	for _, o := range r.Released {
		a.Released = append(a.Released, releasedText(o))
	}
	return base, encode(a)
}

func (s *sourceText) source() bounds.Source {
	if s == nil {
		return bounds.Source{}
	}
	return bounds.Source(*s)
}

func textOf(s bounds.Source) *sourceText {
	if s == (bounds.Source{}) {
		return nil
	}
	t := sourceText(s)
	return &t
}

func inUTC(times []time.Time) []time.Time {
	times = slices.Clone(times)
	for i := range times {
		times[i] = times[i].UTC()
	}
	return times
}

// encode cannot fail: the documents are plain numbers, words and times.
func encode(document any) string {
	text, _ := json.Marshal(document)
	return string(text)
}
