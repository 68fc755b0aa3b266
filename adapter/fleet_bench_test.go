// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// The largest fleet that the figures in the README speak of: 10,000 apps with 10 pods each.
const apps, podsPerApp = 10_000, 10

func podName(app, pod int) string { return fmt.Sprintf("app-%d-7c9f8d6b5-%05d", app, pod) }

func namespaceOf(app int) string { return fmt.Sprintf("team-%d", app%100) }

// bigAnswer is what a source says for the fleet: a value and a sample time for each pod.
func bigAnswer(at time.Time) string {
	var out strings.Builder
	out.WriteString(`{"status":"success","data":{"resultType":"vector","result":[`)
	for _, part := range []string{"v", "t0"} {
		for a := range apps {
			for p := range podsPerApp {
				value := fmt.Sprintf("%g", 31.5+float64(p))
				if part == "t0" {
					value = fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000)
				}
				if out.Len() > 100 {
					out.WriteByte(',')
				}
				fmt.Fprintf(&out, `{"metric":{"__plimsoll_part__":%q,"namespace":%q,"pod":%q},"value":[%.3f,%q]}`,
					part, namespaceOf(a), podName(a, p), float64(at.UnixMilli())/1000, value)
			}
		}
	}
	out.WriteString(`]}}`)
	return strings.Replace(out.String(), "[,", "[", 1)
}

// fleet is the parts of an adapter through which the numbers of 100,000 pods go.
type fleet struct {
	remote *source.Remote
	entry  *snapshot.Entry
	pods   *objects.Index
	now    time.Time
}

func newFleet(b *testing.B) *fleet {
	f := &fleet{pods: objects.NewIndex(), now: time.Now()}
	body := bigAnswer(f.now)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	b.Cleanup(server.Close)
	var err error
	f.remote, err = source.NewRemote(source.Options{URL: server.URL})
	require.NoError(b, err)
	r, err := rule.Compile(rule.Rule{Key: rule.Key{Name: "users"}, Metric: "online_users", Query: "sum by (namespace, pod) (online_users)", MaxAge: time.Minute, Object: &rule.Object{
		Resource: schema.GroupResource{Resource: "pods"}, Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod",
	}})
	require.NoError(b, err)
	catalog, _ := snapshot.NewCatalog([]*rule.Rule{r}, nil)
	f.entry = catalog.Entry(r.Key)
	return f
}

func (f *fleet) watchPods() {
	for a := range apps {
		for p := range podsPerApp {
			f.pods.Set(namespaceOf(a), podName(a, p), map[string]string{"app": fmt.Sprintf("app-%d", a), "pod-template-hash": "7c9f8d6b5"})
		}
	}
}

func (f *fleet) evaluate(b *testing.B) {
	builder := snapshot.NewBuilder(f.entry.Rule, f.now, f.entry.Table())
	q := source.Query{Expr: f.entry.Rule.Expr, Time: f.now, Lookback: time.Minute}
	require.NoError(b, f.remote.Instant(context.Background(), q, builder.Add))
	table, err := builder.Table("bench")
	require.NoError(b, err)
	f.entry.Publish(table, snapshot.Outcome{Time: f.now})
	require.Equal(b, apps*podsPerApp, table.Objects())
}

// BenchmarkFleet100kTakeIn takes in the answer for 100,000 pods over HTTP as the adapter does, from the request to the table
// that readers see: first-ms the first time, ns/op each further time. resident-MiB is the heap that pods, values and the
// decoder's words occupy once garbage is gone.
func BenchmarkFleet100kTakeIn(b *testing.B) {
	f := newFleet(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f.watchPods()
	began := time.Now()
	f.evaluate(b)
	first := time.Since(began)
	b.ReportAllocs()
	for b.Loop() {
		f.evaluate(b)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(first.Milliseconds()), "first-ms")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "resident-MiB")
	runtime.KeepAlive(f)
}

// BenchmarkFleet100kLookup finds one app's ten pods by their label, and their values.
func BenchmarkFleet100kLookup(b *testing.B) {
	f := newFleet(b)
	f.watchPods()
	f.evaluate(b)
	selector, err := objects.ParseSelector("app=app-4711")
	require.NoError(b, err)
	names, namespace := make([]string, 0, podsPerApp), namespaceOf(4711)
	b.ReportAllocs()
	for b.Loop() {
		names = f.pods.AppendNames(names[:0], namespace, selector)
		found := 0
		for _, name := range names {
			rows := f.entry.Table().Find(snapshot.Object{Namespace: namespace, Name: name})
			if len(rows) == 1 && f.entry.Usable(&rows[0], f.now) {
				found++
			}
		}
		if found != podsPerApp {
			b.Fatal(found)
		}
	}
}
