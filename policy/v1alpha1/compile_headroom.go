// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/reserve"
)

// The defaults of a Headroom, as the API server and the scaler fill them in.
const (
	DefaultHeadroomPercent = 20
	DefaultHeadroomLead    = 10 * time.Minute
	DefaultPeaksPercent    = 80
	DefaultPriorityClass   = "plimsoll-headroom"
	DefaultPauseImage      = "registry.k8s.io/pause:3.10"
)

// Reservation is a Headroom in plain values.
//
// +kubebuilder:object:generate=false
type Reservation struct {
	Options     reserve.Options
	Enforce     bool
	Strategy    HeadroomStrategy // never empty
	Placeholder PlaceholderSpec  // with every field filled in
}

// Compile checks everything that the API server cannot (and what it can, for files that it has not seen) and returns the
// Headroom in plain values. The error names the field below spec.
func (h *Headroom) Compile() (Reservation, error) {
	spec := &h.Spec
	out := Reservation{
		Options: reserve.Options{Percent: DefaultHeadroomPercent, Lead: DefaultHeadroomLead, Peaks: new(int64(DefaultPeaksPercent))},
		Enforce: spec.Mode == ModeEnforce, Strategy: spec.Strategy, Placeholder: spec.Placeholder,
	}
	if spec.Percent != nil {
		out.Options.Percent = int64(*spec.Percent)
	}
	if spec.Peaks.MaxPercent != nil {
		*out.Options.Peaks = int64(*spec.Peaks.MaxPercent)
	}
	if spec.Lead != nil {
		out.Options.Lead = spec.Lead.Duration
	}
	if out.Strategy == "" {
		out.Strategy = HeadroomAuto
	}
	if out.Placeholder.Image == "" {
		out.Placeholder.Image = DefaultPauseImage
	}
	if out.Placeholder.PriorityClassName == "" {
		out.Placeholder.PriorityClassName = DefaultPriorityClass
	}
	if out.Placeholder.WaitForNodes == nil {
		out.Placeholder.WaitForNodes = new(true)
	}
	switch {
	case out.Options.Percent < 0 || out.Options.Percent > 100:
		return Reservation{}, fmt.Errorf("spec.percent: %d must be from 0 to 100", out.Options.Percent)
	case *out.Options.Peaks < 0 || *out.Options.Peaks > 100:
		return Reservation{}, fmt.Errorf("spec.peaks.maxPercent: %d must be from 0 to 100", *out.Options.Peaks)
	case out.Options.Lead < 0 || out.Options.Lead > 24*time.Hour:
		return Reservation{}, fmt.Errorf("spec.lead: %s must be from 0s to 24h", out.Options.Lead)
	case spec.Mode != "" && spec.Mode != ModeObserve && spec.Mode != ModeEnforce:
		return Reservation{}, fmt.Errorf("spec.mode: %q must be %s or %s", spec.Mode, ModeObserve, ModeEnforce)
	}
	switch out.Strategy {
	case HeadroomAuto, HeadroomCapacityBuffer, HeadroomPlaceholder, HeadroomNodeGroups:
		return out, nil
	}
	return Reservation{}, fmt.Errorf("spec.strategy: %q must be %s, %s, %s or %s", spec.Strategy, HeadroomAuto, HeadroomCapacityBuffer, HeadroomPlaceholder, HeadroomNodeGroups)
}
