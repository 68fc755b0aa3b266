// SPDX-License-Identifier: Apache-2.0

// Package replay runs the demand that the demo has recorded through the arithmetic of `plimsoll plan`, and compares the
// replica counts with those that the real cluster had.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Recording is what a run of the demo saw.
type Recording struct {
	Settings Settings
	// Demand is the users: of the earlier days that the forecast learned from, and then as each scrape read them.
	Demand         []forecast.Point
	Alone, Planned Shop
	// HPA, Schedule and Forecast are YAML.
	HPA, Schedule, Forecast string
}

// Settings are what the demo ran with.
type Settings struct {
	From      time.Time         `json:"from"` // of the replicas
	To        time.Time         `json:"to"`
	Sync      Seconds           `json:"syncSeconds"`    // the HPA's period
	Startup   Seconds           `json:"startupSeconds"` // from a pod's creation to Ready, as the nodes were told
	Capacity  float64           `json:"capacity"`       // users that a pod serves
	Overrides []record.Override `json:"overrides,omitempty"`
}

// Seconds is a duration that is written as a number of seconds.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	var seconds float64
	if err := json.Unmarshal(data, &seconds); err != nil {
		return err
	}
	*s = Seconds(seconds * float64(time.Second))
	return nil
}

// Shop is what was seen of one shop in the cluster, each list in the order of its times.
type Shop struct {
	Counts []Count
	Looks  []Look
	Bounds []Bounds
	Pods   []Pod
}

// Count is how many pods there were at a time, without those that were being deleted.
type Count struct {
	Time     time.Time
	Replicas int
}

// Look is one look of the HPA, as its controller logged it.
type Look struct {
	Time     time.Time
	Measured time.Time // the time of the values that it read, in whole seconds; zero: it read none
	Wanted   int       // what they asked for, before behavior and bounds; -1: it read none
	Replicas int       // what it set
}

// Bounds are what the HPA said from a time on.
type Bounds struct {
	Time time.Time
	bounds.Bounds
}

// Pod is when a pod was first there, and when it was first Ready; zero: it never was.
type Pod struct {
	Seen, Ready time.Time
}

// The files of a recording.
const (
	settingsFile = "replay.json"
	demandFile   = "demand.csv"
	hpaFile      = "hpa.yaml"
	scheduleFile = "schedule.yaml"
	forecastFile = "forecast.yaml"
)

// Write writes a recording into a folder, which it makes.
func (r Recording) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	settings, err := json.MarshalIndent(r.Settings, "", "  ")
	if err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	errs := []error{os.WriteFile(filepath.Join(dir, settingsFile), append(settings, '\n'), 0o600)}
	for name, text := range map[string]string{hpaFile: r.HPA, scheduleFile: r.Schedule, forecastFile: r.Forecast} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	errs = append(errs, writeRows(filepath.Join(dir, demandFile), r.demandRows()))
	for name, shop := range map[string]Shop{"alone": r.Alone, "planned": r.Planned} {
		for _, t := range shop.tables() {
			errs = append(errs, writeRows(filepath.Join(dir, name+"-"+t.file), t.rows()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}

// Read reads a recording from its folder. Errors name the file.
func Read(dir string) (Recording, error) {
	var r Recording
	settings, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if err != nil {
		return r, fmt.Errorf("%s is not a recording of plimsoll demo --record: %w", dir, err)
	}
	if err := json.Unmarshal(settings, &r.Settings); err != nil {
		return r, fmt.Errorf("%s: %w", settingsFile, err)
	}
	for name, text := range map[string]*string{hpaFile: &r.HPA, scheduleFile: &r.Schedule, forecastFile: &r.Forecast} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return r, fmt.Errorf("read the recording: %w", err)
		}
		*text = string(data)
	}
	file, err := os.Open(filepath.Join(dir, demandFile))
	if err != nil {
		return r, fmt.Errorf("read the recording: %w", err)
	}
	trace, err := plan.ReadTrace(demandFile, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return r, err
	}
	r.Demand = trace.Points
	for name, shop := range map[string]*Shop{"alone": &r.Alone, "planned": &r.Planned} {
		for _, t := range shop.tables() {
			if err := readRows(dir, name+"-"+t.file, len(t.columns), t.add); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}
