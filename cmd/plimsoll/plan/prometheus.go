// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"fmt"
	"math"
	"time"

	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

// chunkPoints is how many points one range query asks for; Prometheus refuses more than 11,000.
const chunkPoints = 8000

// Query is a range of a query to a server with Prometheus' HTTP API.
type Query struct {
	URL  string
	Expr string
	From time.Time
	To   time.Time
	Step time.Duration
}

// Fetch asks in pieces. progress may be nil.
func (q Query) Fetch(ctx context.Context, progress func(what string, done, total int)) (Trace, error) {
	client, err := promapi.NewClient(promapi.Config{Address: q.URL})
	if err != nil {
		return Trace{}, fmt.Errorf("--prometheus %s: %w", q.URL, err)
	}
	api := promv1.NewAPI(client)
	t := Trace{Name: q.Expr}
	total := int(q.To.Sub(q.From)/q.Step) + 1
	for from := q.From; !from.After(q.To); from = from.Add(chunkPoints * q.Step) {
		if progress != nil {
			progress("asking Prometheus", int(from.Sub(q.From)/q.Step), total)
		}
		to := from.Add((chunkPoints - 1) * q.Step)
		if to.After(q.To) {
			to = q.To
		}
		answer, _, err := api.QueryRange(ctx, q.Expr, promv1.Range{Start: from, End: to, Step: q.Step})
		if err != nil {
			return Trace{}, fmt.Errorf("query %q at %s: %w", q.Expr, q.URL, err)
		}
		if err := t.append(answer); err != nil {
			return Trace{}, fmt.Errorf("query %q at %s: %w", q.Expr, q.URL, err)
		}
	}
	if len(t.Points) == 0 {
		return Trace{}, fmt.Errorf("query %q at %s: it has no values between %s and %s", q.Expr, q.URL, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	return t, nil
}

func (t *Trace) append(answer model.Value) error {
	matrix, ok := answer.(model.Matrix)
	if !ok {
		return fmt.Errorf("the answer is a %s, not a range of values", answer.Type())
	}
	if len(matrix) > 1 {
		return fmt.Errorf("the answer has %d series; a plan needs one: wrap the query in sum(...)", len(matrix))
	}
	for _, series := range matrix {
		for _, s := range series.Values {
			if v := float64(s.Value); !math.IsNaN(v) && math.Abs(v) <= 1e15 {
				t.Points = append(t.Points, forecast.Point{Time: s.Timestamp.Time().UTC(), Value: max(v, 0)})
			}
		}
	}
	return nil
}
