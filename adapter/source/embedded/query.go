// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// Name implements source.Source.
func (e *Engine) Name() string { return "embedded engine (" + e.options.ScrapeConfigFile + ")" }

// API implements source.Source.
func (e *Engine) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := e.enter()
		if err != nil {
			source.WriteError(w, http.StatusServiceUnavailable, "unavailable", err.Error())
			return
		}
		defer leave()
		e.api.ServeHTTP(w, r)
	})
}

// Instant implements source.Source.
func (e *Engine) Instant(ctx context.Context, q source.Query, each func(source.Sample) error) error {
	if err := ctx.Err(); err != nil {
		return cause(ctx, err)
	}
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	query, err := e.queries.NewInstantQuery(ctx, e.db, promql.NewPrometheusQueryOpts(false, q.Lookback), q.Expr, q.Time)
	if err != nil {
		return cause(ctx, err)
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return cause(ctx, result.Err)
	}
	if warnings, _ := result.Warnings.AsStrings(q.Expr, 8, 0); len(warnings) > 0 {
		return fmt.Errorf("%w: %s", source.ErrPartial, strings.Join(warnings, "; "))
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		return vector(v, q.MaxSeries, each)
	case promql.Scalar:
		return each(source.Sample{Value: v.V})
	default:
		return fmt.Errorf("%w: the query yields a %s; write one that yields an instant vector", source.ErrRefused, v.Type())
	}
}

func vector(v promql.Vector, limit int, each func(source.Sample) error) error {
	if limit > 0 && len(v) > limit {
		return fmt.Errorf("%w: %d, more than %d", source.ErrTooManySeries, len(v), limit)
	}
	var row []source.Label
	for _, s := range v {
		if s.H != nil {
			return fmt.Errorf("%w: the query yields native histograms, which have no single value; apply histogram_quantile, histogram_avg, "+
				"histogram_sum or histogram_count to it", source.ErrRefused)
		}
		row = row[:0]
		s.Metric.Range(func(l labels.Label) { row = append(row, source.Label{Name: l.Name, Value: l.Value}) })
		if err := each(source.Sample{Labels: row, Value: s.F}); err != nil {
			return err
		}
	}
	return nil
}

// cause turns an error of the engine into one of the package source.
func cause(ctx context.Context, err error) error {
	var storage promql.ErrStorage
	var timeout promql.ErrQueryTimeout
	var cancelled promql.ErrQueryCanceled
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil || errors.As(err, &timeout):
		return fmt.Errorf("%w: %w", source.ErrTimeout, err)
	case errors.As(err, &storage) || errors.As(err, &cancelled):
		return fmt.Errorf("%w: %w", source.ErrBroken, err)
	default: // the expression's fault: it does not parse, matches many to many, holds too many samples
		return fmt.Errorf("%w: %w", source.ErrRefused, err)
	}
}
