// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
)

// step is the distance of the values that forecasts learn from, here.
const step = time.Second

// day is the period of a wave.
const day = time.Minute

// wave is a demand that goes up and down once in every day, from low to high.
func wave(low, high float64) func(time.Time) float64 {
	return func(at time.Time) float64 {
		turn := 2 * math.Pi * float64(at.UnixMilli()%day.Milliseconds()) / float64(day.Milliseconds())
		return low + (high-low)*(1-math.Cos(turn))/2
	}
}

// push gives Prometheus the past of a scene's demand, as if it had scraped it, so that a forecast need not wait for days.
func (s *scene) push(t *testing.T, demand func(time.Time) float64, since time.Duration) {
	t.Helper()
	labels := []prompb.Label{
		{Name: "__name__", Value: "demand"}, {Name: "instance", Value: s.exporter.Address()},
		{Name: "job", Value: "app"}, {Name: "namespace", Value: s.ns},
	}
	series := prompb.TimeSeries{Labels: labels}
	until := time.Now().Truncate(step)
	for at := until.Add(-since); at.Before(until); at = at.Add(step) {
		series.Samples = append(series.Samples, prompb.Sample{Timestamp: at.UnixMilli(), Value: demand(at)})
	}
	text, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series}}).Marshal()
	require.NoError(t, err)
	require.NoError(t, post(t.Context(), s.PrometheusURL+"/api/v1/write", snappy.Encode(nil, text)))
}

func post(ctx context.Context, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if text, _ := io.ReadAll(response.Body); response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}
