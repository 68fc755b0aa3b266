// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
)

// planOf runs `plimsoll plan` and returns its exit code and both outputs.
func planOf(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	var stderr bytes.Buffer
	code := run(append([]string{"plan"}, args...), out, &stderr)
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return code, string(text), stderr.String()
}

func TestPlanCommand(t *testing.T) {
	var lines strings.Builder
	for i := range 600 {
		fmt.Fprintf(&lines, "%d,%d\n", 1767571200+i*300, 100+(i%288)*3)
	}
	dir := t.TempDir()
	trace, report := filepath.Join(dir, "trace.csv"), filepath.Join(dir, "report.html")
	require.NoError(t, os.WriteFile(trace, []byte(lines.String()), 0o600))

	code, out, stderr := planOf(t, "--trace", trace, "--report", report, "-f", "plan/testdata/evening.yaml")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "hpa+schedules")
	require.FileExists(t, report)
	code, out, _ = planOf(t, "--trace", trace, "--lead", "10m", "--quantile", "0.9", "-o", "json")
	require.Zero(t, code)
	require.Contains(t, out, `"lead": "10m"`)
	require.Contains(t, out, `"quantile": 0.9`)

	for want, args := range map[string][]string{
		"either --trace FILE or --prometheus URL": {},
		"no such file":                    {"--trace", filepath.Join(dir, "none")},
		"--prometheus needs a --query":    {"--prometheus", "http://127.0.0.1:1"},
		"--quantile 1 is not":             {"--trace", trace, "--quantile", "1"},
		"is not at least 0.5":             {"--trace", trace, "--quantile", "0"},
		"--lead -1s is not above 0":       {"--trace", trace, "--lead", "-1s"},
		"use table or json":               {"--trace", trace, "-o", "xml"},
		`"gpu" is neither cpu nor memory`: {"--trace", trace, "--price", "gpu=3"},
		"is not a quantity":               {"--trace", trace, "--requests", "cpu=lots"},
		"unknown flag: --qantile":         {"--trace", trace, "--qantile", "0.9"},
		`invalid argument "lots"`:         {"--trace", trace, "--quantile", "lots"},
		`unknown command "trace.csv"`:     {"trace.csv"},
		"--query goes with --prometheus":  {"--trace", trace, "--query", "sum(users)"},
		"none.yaml":                       {"--trace", trace, "-f", filepath.Join(dir, "none.yaml")},
	} {
		code, _, stderr := planOf(t, args...)
		require.Equal(t, 2, code, args)
		require.Contains(t, stderr, want)
		require.Equal(t, 1, strings.Count(stderr, "\n"), "one sentence: %s", stderr)
	}
}

func TestCandidatesOfACluster(t *testing.T) {
	var template corev1.PodTemplateSpec
	template.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("512Mi")}}}}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web"}
	client := fake.NewClientset(
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: template}},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MaxReplicas: 3, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}}},
	)
	candidates, err := candidatesOf(t.Context(), client, "")
	require.NoError(t, err)
	require.Len(t, candidates, 1)
	require.NoError(t, candidates[0].Problem)
	require.Equal(t, plan.Resources{CPU: 0.25, Memory: 0.5}, candidates[0].Requests)
	_, err = candidatesOf(t.Context(), client, "other")
	require.ErrorContains(t, err, "no HPA")
	code, _, stderr := planOf(t, "--all-hpas")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--all-hpas goes with --prometheus")
}

func TestPlanAsksPrometheusInPieces(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		require.NoError(t, r.ParseForm())
		from, err := strconv.ParseFloat(r.Form.Get("start"), 64)
		require.NoError(t, err)
		to, err := strconv.ParseFloat(r.Form.Get("end"), 64)
		require.NoError(t, err)
		require.LessOrEqual(t, (to-from)/300, 11000.)
		var values []string
		for at := from; at <= to; at += 300 {
			values = append(values, fmt.Sprintf(`[%f,"%d"]`, at, 100+int(at/300)%50))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, strings.Join(values, ","))
	}))
	defer server.Close()
	code, out, stderr := planOf(t, "--prometheus", server.URL, "--query", "sum(users)", "--history", "840h")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "sum(users)")
	require.Equal(t, 2, asked)
}
