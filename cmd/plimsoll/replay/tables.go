// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// table is a list of a shop as a CSV file.
type table struct {
	file    string
	columns []string
	len     func() int
	row     func(i int) []string
	add     func(row []string) error
}

func (t table) rows() [][]string {
	rows := [][]string{t.columns}
	for i := range t.len() {
		rows = append(rows, t.row(i))
	}
	return rows
}

func (s *Shop) tables() []table {
	return []table{
		{"replicas.csv", []string{"time", "replicas"}, func() int { return len(s.Counts) },
			func(i int) []string { return cells(s.Counts[i].Time, s.Counts[i].Replicas) },
			func(row []string) error {
				p := parser{row: row}
				s.Counts = append(s.Counts, Count{p.time(), p.number()})
				return p.err
			}},
		{"looks.csv", []string{"time", "measured", "wanted", "replicas"}, func() int { return len(s.Looks) },
			func(i int) []string {
				l := s.Looks[i]
				return cells(l.Time, l.Measured, l.Wanted, l.Replicas)
			},
			func(row []string) error {
				p := parser{row: row}
				s.Looks = append(s.Looks, Look{p.time(), p.time(), p.number(), p.number()})
				return p.err
			}},
		{"bounds.csv", []string{"time", "min", "max"}, func() int { return len(s.Bounds) },
			func(i int) []string { return cells(s.Bounds[i].Time, int(s.Bounds[i].Min), int(s.Bounds[i].Max)) },
			func(row []string) error {
				p := parser{row: row}
				b := Bounds{Time: p.time()}
				b.Min, b.Max = int32(p.number()), int32(p.number())
				s.Bounds = append(s.Bounds, b)
				return p.err
			}},
		{"pods.csv", []string{"seen", "ready"}, func() int { return len(s.Pods) },
			func(i int) []string { return cells(s.Pods[i].Seen, s.Pods[i].Ready) },
			func(row []string) error {
				p := parser{row: row}
				s.Pods = append(s.Pods, Pod{p.time(), p.time()})
				return p.err
			}},
	}
}

func (r Recording) demandRows() [][]string {
	rows := [][]string{{"time", "value"}}
	for _, p := range r.Demand {
		rows = append(rows, append(cells(p.Time), strconv.FormatFloat(p.Value, 'f', -1, 64)))
	}
	return rows
}

// cells writes times and whole numbers; a zero time is an empty cell.
func cells(values ...any) []string {
	var row []string
	for _, v := range values {
		switch v := v.(type) {
		case time.Time:
			if v.IsZero() {
				row = append(row, "")
			} else {
				row = append(row, v.UTC().Format(timeLayout))
			}
		default:
			row = append(row, fmt.Sprint(v))
		}
	}
	return row
}

// parser reads what cells has written, from left to right, and keeps the first error.
type parser struct {
	row []string
	err error
}

func (p *parser) next() string {
	cell := p.row[0]
	p.row = p.row[1:]
	return cell
}

func (p *parser) time() time.Time {
	cell := p.next()
	if cell == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, cell)
	p.err = errors.Join(p.err, err)
	return t
}

func (p *parser) number() int {
	n, err := strconv.ParseInt(p.next(), 10, 32)
	p.err = errors.Join(p.err, err)
	return int(n)
}

func writeRows(name string, rows [][]string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(file).WriteAll(rows), file.Close())
}

// readRows hands on the rows of a file but for its heading. Errors name the file and the line.
func readRows(dir, name string, columns int, add func(row []string) error) error {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = columns
	for first := true; ; first = false {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if first {
			continue
		}
		line, _ := reader.FieldPos(0)
		if err := add(row); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}
