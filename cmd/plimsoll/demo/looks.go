// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/replay"
)

// controllerArgument lets the HPA controller say at each of its looks how old the values are that it read, and what it
// did. Nothing else tells that.
const controllerArgument = "kube-controller-manager=--vmodule=horizontal=4"

func (s *stage) controllerLog() string {
	return filepath.Join(s.dir, "cluster", "logs", "kube-controller-manager.log")
}

// looks are the looks of the HPA controller at both shops, from its log.
func (d *demo) looks() (map[string][]replay.Look, error) {
	file, err := os.Open(d.stage.controllerLog())
	if err != nil {
		return nil, fmt.Errorf("read when the HPA controller looked: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	looks, err := parseLooks(file, d.planner.began)
	if err != nil {
		return nil, fmt.Errorf("read when the HPA controller looked: %s: %w", file.Name(), err)
	}
	return looks, nil
}

var (
	logLine  = regexp.MustCompile(`^[IWE](\d{4} \d\d:\d\d:\d\d\.\d{6}) +\d+ horizontal\.go:\d+\] "([^"]*)"(.*)$`)
	logValue = regexp.MustCompile(`([A-Za-z]+)=("[^"]*"|\S+)`)
)

// parseLooks reads the looks from the lines of the controller manager's log, by namespace. The lines do not say the year,
// which is that of the time given or next to it.
func parseLooks(log io.Reader, about time.Time) (map[string][]replay.Look, error) {
	looks, proposed := map[string][]replay.Look{}, map[string]replay.Look{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		match := logLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		at, err := logTime(match[1], about)
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		for _, pair := range logValue.FindAllStringSubmatch(match[3], -1) {
			values[pair[1]] = strings.Trim(pair[2], `"`)
		}
		namespace := namespaceOf(values)
		switch match[2] {
		case "Proposing desired replicas":
			if proposed[namespace], err = proposalOf(at, values); err != nil {
				return nil, err
			}
		case "Successfully rescaled", "Decided not to scale":
			look, ok := proposed[namespace]
			if !ok {
				look = replay.Look{Time: at, Wanted: -1} // it was outside of its bounds, and asked no metric
			}
			delete(proposed, namespace)
			if look.Replicas, err = strconv.Atoi(values["desiredReplicas"]); err != nil {
				return nil, err
			}
			looks[namespace] = append(looks[namespace], look)
		}
	}
	return looks, lines.Err()
}

func proposalOf(at time.Time, values map[string]string) (replay.Look, error) {
	look := replay.Look{Time: at}
	var err error
	if look.Wanted, err = strconv.Atoi(values["desiredReplicas"]); err == nil {
		look.Measured, err = time.Parse("2006-01-02 15:04:05 -0700 MST", values["timestamp"])
	}
	return look, err
}

// logTime is the time of a line, which is local.
func logTime(text string, about time.Time) (time.Time, error) {
	about = about.Local()
	at, err := time.ParseInLocation("2006 0102 15:04:05.000000", strconv.Itoa(about.Year())+" "+text, about.Location())
	switch half := 183 * 24 * time.Hour; {
	case err != nil:
	case at.Sub(about) > half:
		at = at.AddDate(-1, 0, 0)
	case about.Sub(at) > half:
		at = at.AddDate(1, 0, 0)
	}
	return at, err
}

// namespaceOf is that of the HPA "namespace/name", or of its target "kind/namespace/name".
func namespaceOf(values map[string]string) string {
	parts := strings.Split(values["scaleTarget"], "/")
	if hpa := values["HPA"]; hpa != "" {
		parts = append([]string{""}, strings.Split(hpa, "/")...)
	}
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}
