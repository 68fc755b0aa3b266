// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// On a real API server, which checks every status: a forecast is learned, acts, is edited and deleted.
func TestOnCluster(t *testing.T) {
	cluster := clustertest.Start(t)
	c := cluster.Client
	p := newProm(t)
	now := time.Now().UTC().Truncate(step)
	// 500 at night: at any time of the day more than the two replicas that may be asked for at first.
	shoppers := func(at time.Time) float64 { return users(at) + 300 }
	p.push(t, `online_users{namespace="shop"}`, now.Add(-14*24*time.Hour), now.Add(30*time.Minute), time.Minute, shoppers)

	mgr := clustertest.NewManager(t, cluster.RESTConfig)
	require.NoError(t, Add(mgr, Options{RESTConfig: p.config(), Registerer: prometheus.NewRegistry()}))
	clustertest.Run(t, mgr)

	ctx := t.Context()
	require.NoError(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}))
	hpa, f := newHPA(), newForecast()
	hpa.Status.CurrentReplicas = 0
	f.UID, f.Generation = "", 0
	require.NoError(t, c.Create(ctx, f))
	status := func(what string, wanted func(v1alpha1.ScaleForecastStatus) bool) {
		require.Eventually(t, func() bool {
			return c.Get(ctx, key, f) == nil && wanted(f.Status)
		}, 2*time.Minute, 50*time.Millisecond, "%s: %v", what, &f.Status)
	}
	status("no HPA", func(s v1alpha1.ScaleForecastStatus) bool { return reason(s) == v1alpha1.ForecastNoTarget })
	require.NoError(t, c.Create(ctx, hpa)) // the loop is told of it
	status("trusted, and capped at what runs", func(s v1alpha1.ScaleForecastStatus) bool {
		return reason(s) == v1alpha1.ForecastFloorCapped && s.Effective == v1alpha1.ForecastEnforcing && *s.Floor == 2
	})
	before := client.MergeFrom(hpa.DeepCopy())
	hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = 20, 20
	require.NoError(t, c.Status().Patch(ctx, hpa, before))
	status("more may be asked for", func(s v1alpha1.ScaleForecastStatus) bool {
		return reason(s) == v1alpha1.ForecastTrusted && *s.Floor > 2 && len(s.Outlook) > 0
	})
	before = client.MergeFrom(f.DeepCopy())
	f.Spec.Mode = v1alpha1.ForecastObserve
	require.NoError(t, c.Patch(ctx, f, before))
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
	}, 2*time.Minute, 100*time.Millisecond)
	require.NoError(t, c.Delete(ctx, f))
}
