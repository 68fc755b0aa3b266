// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

// readTrace reads a trace: lines of `time,value` under a header, plain or compressed (.gz).
func readTrace(file string) (points []forecast.Point, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open the trace: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read from
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s is not compressed with gzip, as its name says: %w", file, err)
		}
		defer z.Close() //nolint:errcheck // a wrong checksum is an error of the read
		r = z
	}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if n == 1 || lines.Text() == "" {
			continue
		}
		p, err := parseLine(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s line %d: %w", file, n, err)
		}
		points = append(points, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return points, nil
}

func parseLine(line string) (forecast.Point, error) {
	at, value, ok := strings.Cut(line, ",")
	if !ok {
		return forecast.Point{}, fmt.Errorf("%q is not of the form time,value", line)
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(at))
	if err != nil {
		return forecast.Point{}, fmt.Errorf("%q is not a time like 2026-01-31T09:00:00Z", at)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return forecast.Point{}, fmt.Errorf("%q is not a number", value)
	}
	return forecast.Point{Time: t, Value: v}, nil
}

// nameOf is the file's name without folders and endings.
func nameOf(file string) string {
	name := filepath.Base(file)
	name = strings.TrimSuffix(name, ".gz")
	return strings.TrimSuffix(name, ".csv")
}
