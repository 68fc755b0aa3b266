// SPDX-License-Identifier: Apache-2.0

// Package plan answers before anything is switched on: on this history, what would each policy have done, what would
// it have cost, and when would users have waited? It needs no cluster.
package plan

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/forecast"
)

// maxTraceLines bounds the memory that a file can take.
const maxTraceLines = 5_000_000

// Trace is a demand series as it was read.
type Trace struct {
	Name   string
	Points []forecast.Point
	Notes  []string // what was wrong with it and could be repaired
}

// timeLayouts are the spellings of a time that are understood, besides Unix seconds.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"}

// ReadTrace reads lines of time,value. A first line that is not data is a header. Lines may be in any order; empty
// values and NaN are holes; several values of one step are averaged later. Errors name the line.
func ReadTrace(name string, in io.Reader) (Trace, error) {
	reader := csv.NewReader(in)
	reader.FieldsPerRecord, reader.ReuseRecord, reader.TrimLeadingSpace, reader.Comment = -1, true, true, '#'
	t := Trace{Name: name}
	holes, negative, disorder := 0, 0, 0
	for first := true; ; first = false {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Trace{}, notCSV(name, err)
		}
		line, _ := reader.FieldPos(0)
		p, err := parsePoint(record)
		switch {
		case err != nil && first:
			continue // a header
		case err != nil:
			return Trace{}, fmt.Errorf("%s:%d: %w", name, line, err)
		case len(t.Points) >= maxTraceLines:
			return Trace{}, fmt.Errorf("%s:%d: the file has more than %d values; give a coarser one", name, line, maxTraceLines)
		case math.IsNaN(p.Value):
			holes++
			continue
		case p.Value < 0:
			negative++
			p.Value = 0
		}
		if n := len(t.Points); n > 0 && !p.Time.After(t.Points[n-1].Time) {
			disorder++
		}
		t.Points = append(t.Points, p)
	}
	if len(t.Points) == 0 {
		return Trace{}, fmt.Errorf("%s: it has no line of time,value, such as 2026-11-11T19:00:00Z,1234", name)
	}
	t.note(holes, "has no value and is a hole", "have no value and are holes")
	t.note(negative, "is negative and counts as 0", "are negative and count as 0")
	t.note(disorder, "is not after the one before it and was sorted in", "are not after the one before them and were sorted in")
	return t, nil
}

// notCSV names the line on which the parser gave up.
func notCSV(name string, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s:%d: it is not a line of time,value: %w", name, parse.Line, parse.Err)
	}
	return fmt.Errorf("%s: it cannot be read: %w", name, err)
}

func (t *Trace) note(n int, one, many string) {
	switch {
	case n == 1:
		t.Notes = append(t.Notes, "1 line of "+t.Name+" "+one)
	case n > 1:
		t.Notes = append(t.Notes, fmt.Sprintf("%d lines of %s %s", n, t.Name, many))
	}
}

func parsePoint(record []string) (forecast.Point, error) {
	if len(record) != 2 {
		return forecast.Point{}, fmt.Errorf("the line has %s instead of time,value", human.Things(len(record), "field"))
	}
	at, err := parseTime(strings.TrimSpace(record[0]))
	if err != nil {
		return forecast.Point{}, err
	}
	text := strings.TrimSpace(record[1])
	if text == "" {
		return forecast.Point{Time: at, Value: math.NaN()}, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) || math.Abs(value) > 1e15 {
		return forecast.Point{}, fmt.Errorf("the value %q is not a number up to 1e15", shorten(text))
	}
	return forecast.Point{Time: at, Value: value}, nil
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), inRange(t)
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e11 {
		return time.Time{}, fmt.Errorf("the time %q is neither like 2026-11-11T19:00:00Z nor Unix seconds", shorten(text))
	}
	whole := math.Floor(seconds)
	t := time.Unix(int64(whole), int64((seconds-whole)*1e9)).UTC()
	return t, inRange(t)
}

// inRange keeps times where differences between them fit a duration.
func inRange(t time.Time) error {
	if t.Year() < 1970 || t.Year() > 2200 {
		return fmt.Errorf("the time %s is not between 1970 and 2200", t.UTC().Format(time.RFC3339))
	}
	return nil
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}
