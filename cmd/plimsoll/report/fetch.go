// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// chunkPoints is how many points one query asks for: a thousand HPAs answer with some ten megabytes.
const chunkPoints = 500

// Query is what to ask a Prometheus.
type Query struct {
	API       promv1.API
	Namespace string // "": all
	From, To  time.Time
	Step      time.Duration
	Timeout   time.Duration // of one query
	// Progress is told how many points are done, of how many; may be nil.
	Progress func(what string, done, total int)
}

// hpaKey names an HPA.
type hpaKey struct{ namespace, name string }

// column is what one chunk knows of one HPA, by point.
type column struct {
	replicas, without []float64
	floors            []float64
	by                []Winner
}

// Fetch asks in chunks and adds up. HPAs come by namespace and name; those without data are not there.
func (q Query) Fetch(ctx context.Context) ([]Usage, error) {
	meters := map[hpaKey]*Meter{}
	total := int(q.To.Sub(q.From) / q.Step)
	for done := 0; done < total; done += chunkPoints {
		if q.Progress != nil {
			q.Progress("asking for the history", done, total)
		}
		points := min(chunkPoints, total-done)
		from := q.From.Add(time.Duration(done+1) * q.Step)
		columns, err := q.chunk(ctx, from, points)
		if err != nil {
			return nil, err
		}
		q.count(meters, columns, from, points)
	}
	var all []Usage
	for key, m := range meters {
		m.Namespace, m.HPA, m.Asked = key.namespace, key.name, time.Duration(total)*q.Step
		all = append(all, m.Usage)
	}
	slices.SortFunc(all, func(a, b Usage) int { return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.HPA, b.HPA)) })
	return all, nil
}

// count feeds a chunk to the meters.
func (q Query) count(meters map[hpaKey]*Meter, columns map[hpaKey]*column, from time.Time, points int) {
	for key, c := range columns {
		m := meters[key]
		if m == nil {
			m = &Meter{}
			meters[key] = m
		}
		for i := range points {
			m.Add(Point{At: from.Add(time.Duration(i) * q.Step), Replicas: c.replicas[i], Without: c.without[i], By: c.by[i]}, q.Step)
		}
	}
}

// chunk asks for points from a time on. A new leader may be scraped beside the old one: the larger number counts.
func (q Query) chunk(ctx context.Context, from time.Time, points int) (map[hpaKey]*column, error) {
	columns := map[hpaKey]*column{}
	matcher := ""
	if q.Namespace != "" {
		matcher = fmt.Sprintf("{namespace=%q}", q.Namespace)
	}
	for _, one := range []struct {
		metric, by string
		put        func(c *column, i int, v float64, labels model.Metric)
	}{
		{"plimsoll_hpa_replicas", "", func(c *column, i int, v float64, _ model.Metric) { c.replicas[i] = v }},
		{"plimsoll_hpa_replicas_without", "", func(c *column, i int, v float64, _ model.Metric) { c.without[i] = v }},
		{"plimsoll_hpa_min_replicas", ", by_kind, by", (*column).floor},
	} {
		query := fmt.Sprintf("max by (namespace, hpa%s) (%s%s)", one.by, one.metric, matcher)
		matrix, err := q.ask(ctx, query, from, points)
		if err != nil {
			return nil, err
		}
		for _, series := range matrix {
			key := hpaKey{string(series.Metric["namespace"]), string(series.Metric["hpa"])}
			if columns[key] == nil {
				columns[key] = newColumn(points)
			}
			for _, s := range series.Values {
				if i := int(s.Timestamp.Time().Sub(from) / q.Step); i >= 0 && i < points && usable(float64(s.Value)) {
					one.put(columns[key], i, float64(s.Value), series.Metric)
				}
			}
		}
	}
	return columns, nil
}

func newColumn(points int) *column {
	unknown := slices.Repeat([]float64{math.NaN()}, points)
	return &column{replicas: unknown, without: slices.Clone(unknown), floors: slices.Clone(unknown), by: make([]Winner, points)}
}

// floor keeps the highest floor of a point and who asked for it.
func (c *column) floor(i int, v float64, labels model.Metric) {
	by := Winner{Kind: string(labels["by_kind"]), Name: string(labels["by"])}
	if by.Kind == bounds.KindBase {
		by = base
	}
	old := c.by[i]
	if math.IsNaN(c.floors[i]) || v > c.floors[i] || v == c.floors[i] && cmp.Or(cmp.Compare(by.Kind, old.Kind), cmp.Compare(by.Name, old.Name)) < 0 {
		c.floors[i], c.by[i] = v, by
	}
}

func (q Query) ask(ctx context.Context, query string, from time.Time, points int) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	to := from.Add(time.Duration(points-1) * q.Step)
	answer, _, err := q.API.QueryRange(ctx, query, promv1.Range{Start: from, End: to, Step: q.Step})
	if err != nil {
		return nil, fmt.Errorf("query %s from %s to %s: %w", query, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), err)
	}
	matrix, ok := answer.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("query %s: the answer is a %s, not a range of values", query, answer.Type())
	}
	return matrix, nil
}
