// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// combined is the answer to a rule's combined query for n pods in n/10 apps: n values and n sample times.
func combined(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"status":"success","data":{"resultType":"vector","result":[`)
	for part, value := range []string{"31.5", "1790352500.123"} {
		for i := range n {
			if part+i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"metric":{"__plimsoll_part__":"%d","namespace":"team-%d","pod":"app-%d-7c9d8f6b5d-x%04d"},"value":[1790352503.123,"%s"]}`,
				part, i/1000, i/10, i%10000, value)
		}
	}
	b.WriteString(`]}}` + "\n")
	return b.Bytes()
}

func BenchmarkDecode100k(b *testing.B) {
	answer := combined(100_000)
	d := decoder{strings: &interner{}}
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		err := d.decode(bytes.NewReader(answer), 1<<30, 0, func(Sample) error { rows++; return nil })
		require.NoError(b, err)
		require.Equal(b, 200_000, rows)
	}
}

// BenchmarkDecode100kFirst is the first evaluation, when no string is known yet.
func BenchmarkDecode100kFirst(b *testing.B) {
	answer := combined(100_000)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		d := decoder{strings: &interner{}}
		require.NoError(b, d.decode(bytes.NewReader(answer), 1<<30, 0, func(Sample) error { return nil }))
	}
}

// BenchmarkInstant100k is an evaluation by a remote source over loopback HTTP.
func BenchmarkInstant100k(b *testing.B) {
	answer := combined(100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	defer server.Close()
	remote, err := NewRemote(Options{URL: server.URL})
	require.NoError(b, err)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, remote.Instant(b.Context(), Query{Expr: "up"}, func(Sample) error { return nil }))
	}
}

// BenchmarkClientGolang100k reads the same answer with the official client, as it must: over HTTP.
func BenchmarkClientGolang100k(b *testing.B) {
	answer := combined(100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	defer server.Close()
	client, err := api.NewClient(api.Config{Address: server.URL})
	require.NoError(b, err)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		value, _, err := promv1.NewAPI(client).Query(context.Background(), "up", time.Unix(1790352503, 0))
		require.NoError(b, err)
		require.Len(b, value.(model.Vector), 200_000)
	}
}
