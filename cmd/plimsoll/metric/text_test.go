// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/adapter/explain"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func seconds(n float64) metav1.Duration {
	return metav1.Duration{Duration: time.Duration(n * float64(time.Second))}
}

func ago(s float64) time.Time { return noon.Add(-time.Duration(s * float64(time.Second))) }

// working is a metric of two pods that an HPA reads.
func working() *explain.Metric {
	read := ago(3.4)
	return &explain.Metric{
		Metric: "online_users", Namespace: "shop",
		Rule:     explain.Rule{Kind: "ClusterMetricRule", Name: "online-users", Generation: 2},
		Query:    "sum by (namespace, pod) (\n  online_users\n)",
		Expr:     `label_replace(sum by (namespace, pod) (online_users), "__plimsoll_part__", "v", "", "")`,
		Object:   &explain.ObjectKind{Resource: "pods", Kind: "Pod", NamespaceLabel: "namespace", NameLabel: "pod"},
		Interval: seconds(2), MaxAge: seconds(20),
		Source:         "the embedded engine",
		LastEvaluation: &explain.Evaluation{Time: ago(1.2), Duration: seconds(0.003)},
		Series:         14, Objects: 2,
		Readers:  []explain.Reader{{Kind: "HorizontalPodAutoscaler", Namespace: "shop", Name: "shop"}},
		LastRead: &read,
		Values: []explain.Value{
			{Object: "shop-6d4cf56db6-2x7lq", Value: 98.25, SampleTime: ago(2.1), AgeSeconds: 2.1, Usable: true},
			{Object: "shop-6d4cf56db6-9kqzv", Value: 12400, SampleTime: ago(3.2), AgeSeconds: 3.2, Usable: true},
		},
	}
}

func TestText(t *testing.T) {
	for name, tc := range map[string]struct {
		question Question
		change   func(*explain.Metric)
	}{
		"working": {},
		"one-object": {question: Question{Object: "shop-6d4cf56db6-2x7lq", Resource: "pods"}, change: func(m *explain.Metric) {
			m.Values, m.Objects = m.Values[:1], 1
		}},
		"object-without-value": {question: Question{Object: "shop-old"}, change: func(m *explain.Metric) { m.Values, m.Objects = nil, 0 }},
		"source-down": {change: func(m *explain.Metric) {
			m.LastEvaluation = &explain.Evaluation{Time: ago(1), Duration: seconds(0.4), Error: "the source cannot be reached: connection refused"}
			m.LastErrors = []explain.Failure{{Time: ago(1), Cause: "SourceUnreachable", Message: "the source cannot be reached: connection refused"}}
			m.Guard = `avg(up{job="shop"}) > 0.8`
			m.Values[0].AgeSeconds, m.Values[1].AgeSeconds = 31, 32
			for i := range m.Values {
				m.Values[i].Usable, m.Values[i].Reason = false, "measured longer than 20s ago"
			}
		}},
		"held": {change: func(m *explain.Metric) {
			m.HoldFor = seconds(300)
			m.Values[0].Reason = "held since 11:59:20"
			m.Values[1].Value, m.Values[1].Usable, m.Values[1].Reason = explain.Number(math.NaN()), false, "not a finite number"
		}},
		"never-evaluated": {change: func(m *explain.Metric) {
			m.LastEvaluation, m.Values, m.LastRead, m.Readers, m.Series, m.Objects = nil, nil, nil, nil, 0, 0
		}},
		"resting": {change: func(m *explain.Metric) {
			m.LastEvaluation.Time, m.LastRead, m.Values, m.Series, m.Objects = ago(60), nil, nil, 0, 0
		}},
		"no-series":       {change: func(m *explain.Metric) { m.Values, m.Series, m.Objects = nil, 0, 0 }},
		"other-namespace": {change: func(m *explain.Metric) { m.Values, m.Objects = nil, 0 }},
		"external": {change: func(m *explain.Metric) {
			m.Metric, m.Object, m.Objects, m.Readers = "orders_waiting", nil, 0, nil
			m.Rule = explain.Rule{Kind: "MetricRule", Namespace: "shop", Name: "orders"}
			m.Hidden = []explain.Rule{{Kind: "ClusterMetricRule", Name: "orders"}}
			m.AgeUnknown = "the query has a subquery"
			m.Values[0].Object, m.Values[0].Labels = "", map[string]string{"queue": "mail", "colour": "red"}
			m.Values[1].Object = ""
		}},
		"many": {change: func(m *explain.Metric) {
			m.Values = nil
			for i := range 50 {
				m.Values = append(m.Values, explain.Value{Object: fmt.Sprintf("shop-%02d", i), Value: 100, AgeSeconds: 1, Usable: i != 30})
			}
			m.Values[30].Reason = "two series describe it"
			m.Objects, m.Truncated = 1050, 1000
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m, q := working(), tc.question
			q.Namespace, q.Metric = "shop", "online_users"
			if tc.change != nil {
				tc.change(m)
			}
			golden(t, filepath.Join("testdata", name+".txt"), Text(m, q, noon))
		})
	}
}

// golden compares with a file; `go test -update` writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "if this is right: go test ./cmd/plimsoll/metric -update")
}

func TestParse(t *testing.T) {
	q, err := Parse("shop/online_users", "default")
	require.NoError(t, err)
	require.Equal(t, Question{Namespace: "shop", Metric: "online_users"}, q)
	q, err = Parse("online_users", "default")
	require.NoError(t, err)
	require.Equal(t, Question{Namespace: "default", Metric: "online_users"}, q)
	for _, bad := range []string{"", "/", "shop/", "/online_users", "a/b/c"} {
		_, err := Parse(bad, "default")
		require.ErrorContains(t, err, "NAMESPACE/METRIC", bad)
	}
}
