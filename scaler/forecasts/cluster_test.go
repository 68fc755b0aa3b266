// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// On a real API server, which checks every status: a forecast is learned, acts, is edited and deleted.
func TestOnCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a cluster")
	}
	admin := startCluster(t)
	c, err := client.New(admin, client.Options{Scheme: scheme(t)})
	require.NoError(t, err)
	applyCRDs(t, c)
	p := newProm(t)
	now := time.Now().UTC().Truncate(step)
	p.push(t, `online_users{namespace="shop"}`, now.Add(-14*24*time.Hour), now.Add(30*time.Minute), time.Minute, users)

	mgr, err := manager.New(admin, manager.Options{Scheme: scheme(t), Metrics: server.Options{BindAddress: "0"}})
	require.NoError(t, err)
	require.NoError(t, Add(mgr, Options{RESTConfig: p.config(), Registerer: prometheus.NewRegistry()}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })

	require.NoError(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}))
	hpa, f := newHPA(), newForecast()
	hpa.Status.CurrentReplicas = 0
	f.UID, f.Generation = "", 0
	require.NoError(t, c.Create(ctx, f))
	status := func(what string, wanted func(v1alpha1.ScaleForecastStatus) bool) {
		require.Eventually(t, func() bool {
			return c.Get(ctx, key, f) == nil && wanted(f.Status)
		}, 30*time.Second, 50*time.Millisecond, "%s: %v", what, &f.Status)
	}
	status("no HPA", func(s v1alpha1.ScaleForecastStatus) bool { return reason(s) == v1alpha1.ForecastNoTarget })
	require.NoError(t, c.Create(ctx, hpa)) // the loop is told of it
	status("trusted, and capped at what runs", func(s v1alpha1.ScaleForecastStatus) bool {
		return reason(s) == v1alpha1.ForecastFloorCapped && s.Effective == v1alpha1.ForecastEnforcing && *s.Floor == 2
	})
	hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = 20, 20
	require.NoError(t, c.Status().Update(ctx, hpa))
	status("more may be asked for", func(s v1alpha1.ScaleForecastStatus) bool {
		return reason(s) == v1alpha1.ForecastTrusted && *s.Floor > 2 && len(s.Outlook) > 0
	})
	f.Spec.Mode = v1alpha1.ForecastObserve
	require.NoError(t, c.Update(ctx, f))
	status("watched", func(s v1alpha1.ScaleForecastStatus) bool {
		return s.Effective == v1alpha1.ForecastObserving && s.ObservedGeneration == f.Generation
	})
	require.Eventually(t, func() bool {
		var list eventsv1.EventList
		said := ""
		if err := c.List(ctx, &list, client.InNamespace(key.Namespace)); err != nil {
			return false
		}
		for _, e := range list.Items {
			said += e.Reason + " "
		}
		return strings.Contains(said, "Armed") && strings.Contains(said, "NotEnforcing")
	}, 30*time.Second, 100*time.Millisecond)
	require.NoError(t, c.Delete(ctx, f))
}

func startCluster(t *testing.T) *rest.Config {
	binary, err := filepath.Abs("../../bin/localcluster")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("bin/localcluster is not there: run `make build` first")
	}
	name, dir := fmt.Sprint("forecasts-", os.Getpid()), t.TempDir()
	out, err := exec.CommandContext(t.Context(), binary, "up", "--name", name, "--nodes", "0", "--dir", dir, "--parent-pid", fmt.Sprint(os.Getpid())).Output()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() {
		out, err := exec.Command(binary, "down", "--name", name, "--dir", dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	lines := strings.Fields(string(out))
	config, err := clientcmd.BuildConfigFromFlags("", lines[len(lines)-1])
	require.NoError(t, err)
	config.QPS = -1
	return config
}

func applyCRDs(t *testing.T, c client.Client) {
	files, err := filepath.Glob("../../manifests/crd/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		crd := new(unstructured.Unstructured)
		require.NoError(t, yaml.Unmarshal(text, crd))
		if crd.GetKind() != "CustomResourceDefinition" {
			continue
		}
		require.NoError(t, c.Create(t.Context(), crd), file)
	}
	require.Eventually(t, func() bool {
		return c.List(t.Context(), &v1alpha1.ScaleForecastList{}) == nil && c.List(t.Context(), &v1alpha1.ScaleScheduleList{}) == nil &&
			c.List(t.Context(), &v1alpha1.ClusterMetricRuleList{}) == nil && c.List(t.Context(), &v1alpha1.MetricRuleList{}) == nil
	}, 30*time.Second, 100*time.Millisecond)
}
