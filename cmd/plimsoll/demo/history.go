// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	"github.com/plimsoll/plimsoll/policy/forecast"
)

// pastDays is how many earlier days of the shop the forecast can learn from: two of the shop's weeks.
const pastDays = 14

// earlierPod is the label of the history's one series. No pod of that name exists any more.
const earlierPod = "shop-earlier-days00"

// earlierDemand is the users of the days before the first one, which begins at the time given, once a second, before the
// time until.
func earlierDemand(day shop.Day, first, until time.Time) []forecast.Point {
	var points []forecast.Point
	for at := first.Add(-pastDays * day.Length); at.Before(until); at = at.Add(time.Second) {
		points = append(points, forecast.Point{Time: at, Value: float64(day.Users(at.Sub(first)))})
	}
	return points
}

// writePast writes points of a demand, which are a second apart, as samples into the storage of the adapter's engine.
// Then the series ends, as that of a pod that is gone.
func writePast(ctx context.Context, dir string, points []forecast.Point) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write the shop's earlier days: %w", err)
	}
	// One block for all: the engine reads any number of them, and they must not overlap.
	span := time.Duration(len(points)+1) * time.Second
	writer, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 2*span.Milliseconds())
	if err != nil {
		return fmt.Errorf("write the shop's earlier days: %w", err)
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	appender := writer.Appender(ctx)
	if err := appendPast(appender, points); err != nil {
		return errors.Join(fmt.Errorf("write the shop's earlier days: %w", err), appender.Rollback())
	}
	if err := appender.Commit(); err != nil {
		return fmt.Errorf("write the shop's earlier days: %w", err)
	}
	if _, err := writer.Flush(ctx); err != nil {
		return fmt.Errorf("write the shop's earlier days: %w", err)
	}
	return nil
}

func appendPast(appender storage.Appender, points []forecast.Point) error {
	series := labels.FromStrings(model.MetricNameLabel, metric, "job", "shop", "namespace", plannedNamespace, "pod", earlierPod)
	var ref storage.SeriesRef
	var err error
	for _, p := range points {
		if ref, err = appender.Append(ref, series, p.Time.UnixMilli(), p.Value); err != nil {
			return err
		}
	}
	end := points[len(points)-1].Time.Add(time.Second)
	_, err = appender.Append(ref, series, end.UnixMilli(), math.Float64frombits(value.StaleNaN))
	return err
}
