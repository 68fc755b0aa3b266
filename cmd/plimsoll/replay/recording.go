// SPDX-License-Identifier: Apache-2.0

// Package replay runs the demand that the demo has recorded through the arithmetic of `plimsoll plan`, and compares the
// replica counts with those that the real cluster had.
package replay

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Recording is what a run of the demo saw.
type Recording struct {
	Settings Settings
	// Demand is the users, also of the earlier days that the forecast learned from.
	Demand []forecast.Point
	// Counts are what was seen of the replicas, in the order of their times.
	Counts []Count
	// HPA, Schedule and Forecast are YAML.
	HPA, Schedule, Forecast string
}

// Settings are what the demo ran with.
type Settings struct {
	From      time.Time         `json:"from"` // of the replicas
	To        time.Time         `json:"to"`
	Sync      Seconds           `json:"syncSeconds"`    // between two looks of the HPA controller
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

// Count is how many replicas the two shops had at a time, and how old the values were that the metrics API had for
// their HPAs.
type Count struct {
	Time           time.Time
	Alone, Planned Seen
}

// Seen is what was seen of one shop.
type Seen struct {
	Replicas int
	Age      time.Duration // in whole seconds
}

// The files of a recording.
const (
	settingsFile = "replay.json"
	demandFile   = "demand.csv"
	countsFile   = "replicas.csv"
	hpaFile      = "hpa.yaml"
	scheduleFile = "schedule.yaml"
	forecastFile = "forecast.yaml"
)

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

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
	demand := [][]string{{"time", "value"}}
	for _, p := range r.Demand {
		demand = append(demand, []string{p.Time.UTC().Format(timeLayout), strconv.FormatFloat(p.Value, 'f', -1, 64)})
	}
	counts := [][]string{{"time", "alone", "alone_age", "planned", "planned_age"}}
	for _, c := range r.Counts {
		counts = append(counts, []string{c.Time.UTC().Format(timeLayout),
			strconv.Itoa(c.Alone.Replicas), strconv.Itoa(int(c.Alone.Age.Seconds())), strconv.Itoa(c.Planned.Replicas), strconv.Itoa(int(c.Planned.Age.Seconds()))})
	}
	errs = append(errs, writeCSV(filepath.Join(dir, demandFile), demand), writeCSV(filepath.Join(dir, countsFile), counts))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}

func writeCSV(name string, rows [][]string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(file).WriteAll(rows), file.Close())
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
	r.Counts, err = readCounts(filepath.Join(dir, countsFile))
	return r, err
}

func readCounts(name string) ([]Count, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = 5
	var counts []Count
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return counts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", countsFile, err)
		}
		if row[0] == "time" {
			continue
		}
		line, _ := reader.FieldPos(0)
		c, err := countOf(row)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", countsFile, line, err)
		}
		counts = append(counts, c)
	}
}

func countOf(row []string) (Count, error) {
	at, err := time.Parse(time.RFC3339Nano, row[0])
	if err != nil {
		return Count{}, err
	}
	var n [4]int
	for i := range n {
		if n[i], err = strconv.Atoi(row[i+1]); err != nil {
			return Count{}, err
		}
	}
	return Count{
		Time:  at,
		Alone: Seen{n[0], time.Duration(n[1]) * time.Second}, Planned: Seen{n[2], time.Duration(n[3]) * time.Second},
	}, nil
}
