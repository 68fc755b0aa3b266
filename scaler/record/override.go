// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// MaxOverride is how far ahead an override may end: what is wanted for longer belongs into the HPA itself.
const MaxOverride = 31 * 24 * time.Hour

// Override is what a person wants for a while, whatever schedules and forecasts say. It may lower as well as raise.
type Override struct {
	Min      *int32 `json:"min,omitempty"`      // minReplicas
	Max      *int32 `json:"max,omitempty"`      // maxReplicas; without it a Min above the HPA's own maximum is capped there
	Replicas *int32 `json:"replicas,omitempty"` // the exact count, instead of Min and Max
	// NoScaleDown freezes: nothing scales down.
	NoScaleDown bool `json:"noScaleDown,omitempty"`
	// HardMax makes the maximum hold at once, even where that removes replicas that the HPA wants.
	HardMax bool `json:"hardMax,omitempty"`

	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until"` // it ends by itself
	Reason string    `json:"reason,omitempty"`
	Author string    `json:"author,omitempty"`
}

// ParseOverride reads the annotation of an HPA; nil without one. The error says what is wrong with it; such an override
// is to be ignored.
func ParseOverride(annotations map[string]string) (*Override, error) {
	text := annotations[OverrideAnnotation]
	if text == "" {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	var o Override
	if err := decoder.Decode(&o); err != nil {
		return nil, fmt.Errorf("annotation %s is ignored, because it cannot be read: %w; plimsoll override writes it", OverrideAnnotation, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("annotation %s is ignored, because something follows its document; plimsoll override writes it", OverrideAnnotation)
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("annotation %s is ignored: %w", OverrideAnnotation, err)
	}
	return &o, nil
}

// Validate says what is wrong with an override.
func (o Override) Validate() error {
	switch {
	case o.Min == nil && o.Max == nil && o.Replicas == nil && !o.NoScaleDown:
		return errors.New("it changes nothing; set min, max, replicas or noScaleDown")
	case o.Replicas != nil && (o.Min != nil || o.Max != nil):
		return errors.New("replicas is the exact count, so it is minimum and maximum; remove min and max")
	case o.Replicas != nil && *o.Replicas < 1:
		return fmt.Errorf("replicas is %d; it must be at least 1", *o.Replicas)
	case o.Min != nil && *o.Min < 0:
		return fmt.Errorf("min is %d; it must not be negative", *o.Min)
	case o.Max != nil && *o.Max < 1:
		return fmt.Errorf("max is %d; it must be at least 1", *o.Max)
	case o.Min != nil && o.Max != nil && *o.Min > *o.Max:
		return fmt.Errorf("min %d is above max %d", *o.Min, *o.Max)
	case o.HardMax && o.Max == nil && o.Replicas == nil:
		return errors.New("hardMax says how the maximum holds; set max or remove hardMax")
	case o.Until.IsZero():
		return errors.New("until is missing; an override ends by itself")
	case !o.Since.IsZero() && !o.Until.After(o.Since):
		return fmt.Errorf("it ends at %s, before it begins", o.Until.Format(time.RFC3339))
	case !o.Since.IsZero() && o.Until.Sub(o.Since) > MaxOverride:
		return fmt.Errorf("it lasts longer than %d days; change the HPA itself, or use a ScaleSchedule", int(MaxOverride.Hours()/24))
	}
	return nil
}

// Format returns the annotation.
func (o Override) Format() string {
	o.Since, o.Until = o.Since.UTC(), o.Until.UTC()
	return encode(o)
}

// Active says whether the override holds at a time. One that is TooLong does not.
func (o Override) Active(now time.Time) bool {
	return !now.Before(o.Since) && now.Before(o.Until) && !o.TooLong(now)
}

// TooLong says whether the override would hold for more than MaxOverride from now on although nothing says since when
// it does, so that Validate could not tell. Such an override is to be ignored.
func (o Override) TooLong(now time.Time) bool {
	return o.Since.IsZero() && o.Until.Sub(now) > MaxOverride
}

// Contribution is the override in the words of policy/bounds.
func (o Override) Contribution() bounds.Contribution {
	c := bounds.Contribution{
		Source: bounds.Source{Kind: bounds.KindOverride, Name: o.Author}, Reason: o.Reason, Author: o.Author,
		MinReplicas: o.Min, MaxReplicas: o.Max, Freeze: o.NoScaleDown, HardMax: o.HardMax, Override: true, Until: o.Until,
	}
	if o.Replicas != nil {
		c.MinReplicas, c.Exact = o.Replicas, true
	}
	return c
}
