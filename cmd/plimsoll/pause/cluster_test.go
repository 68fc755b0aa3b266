// SPDX-License-Identifier: Apache-2.0

package pause_test

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/hpa"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/override"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/pause"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

var shop = types.NamespacedName{Namespace: "live", Name: "shop"}

func number(n int32) *int32 { return &n }

// connect starts a cluster without a scaler, with the CRDs and one HPA that a schedule holds.
func connect(t *testing.T) *target.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a local cluster")
	}
	running, err := stack.StartCluster(t.Context(), stack.ClusterOptions{Dir: t.TempDir(), Name: "pause", Nodes: 1, HPASyncPeriod: time.Hour}) // nobody else writes the HPA
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, running.Stop()) })
	crds, err := manifests.Render("crd")
	require.NoError(t, err)
	require.NoError(t, running.Apply(t.Context(), crds...))
	ctrllog.SetLogger(logr.Discard())
	c, err := target.Connect(running.RESTConfig, "live")
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "live"}}))
	require.NoError(t, c.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "shop"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: number(2), MaxReplicas: 10, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"},
		},
	}))
	begin := time.Now().Add(-time.Hour).UTC()
	require.NoError(t, c.Create(t.Context(), &v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "now"},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Name: "shop"}, TimeZone: "UTC", Windows: []v1alpha1.ScheduleWindow{{
				Name: "w", Start: begin.Format(time.RFC3339), End: begin.Add(5 * time.Hour).Format(time.RFC3339), MinReplicas: number(5),
			}},
		},
	}))
	return c
}

func read(t *testing.T, c *target.Cluster) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{}
	require.NoError(t, c.Get(t.Context(), shop, h))
	return h
}

func take(t *testing.T, c *target.Cluster) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Take(t.Context(), c, "live")
	require.NoError(t, err)
	return s
}

// What the command line writes and reads on a real API server, while no scaler runs.
func TestOnACluster(t *testing.T) {
	c := connect(t)
	t.Run("override", func(t *testing.T) { testOverride(t, c) })
	t.Run("pause", func(t *testing.T) { testPause(t, c) })
	t.Run("explain", func(t *testing.T) { testExplain(t, c) })
	t.Run("upcoming", func(t *testing.T) { testUpcoming(t, c) })
}

func testOverride(t *testing.T, c *target.Cluster) {
	require.NotEmpty(t, c.User(t.Context()))
	now := time.Now().UTC().Truncate(time.Second)
	wish := &record.Override{Min: number(7), Since: now, Until: now.Add(time.Hour), Author: "anna"}
	s := take(t, c)
	p, err := override.Propose(t.Context(), s, shop, wish, now)
	require.NoError(t, err)

	// Somebody else writes the HPA in between: that is no reason not to write the override.
	other := read(t, c)
	other.Labels = map[string]string{"tier": "web"}
	require.NoError(t, c.Update(t.Context(), other))
	require.NoError(t, override.Write(t.Context(), c, s, p, now))

	written := read(t, c)
	got, err := record.ParseOverride(written.Annotations)
	require.NoError(t, err)
	require.Equal(t, wish, got)
	require.Equal(t, "web", written.Labels["tier"])
	managers := map[string]bool{}
	for _, entry := range written.ManagedFields {
		managers[entry.Manager] = true
	}
	require.True(t, managers[override.Manager])

	settled, err := override.Wait(t.Context(), c, s, shop, time.Second)
	require.NoError(t, err)
	require.False(t, settled, "there is no scaler that could have applied it")

	written.Spec.MinReplicas = number(7) // as the scaler does
	written.Annotations[record.BaseAnnotation], written.Annotations[record.AppliedAnnotation] = `{"min":2,"max":10}`, `{"min":7,"max":10,"by":{"kind":"Override","name":"anna"}}`
	require.NoError(t, c.Update(t.Context(), written))
	settled, err = override.Wait(t.Context(), c, s, shop, 10*time.Second)
	require.NoError(t, err)
	require.True(t, settled)

	p, err = override.Propose(t.Context(), s, shop, nil, now)
	require.NoError(t, err)
	require.NoError(t, override.Write(t.Context(), c, s, p, now))
	require.NotContains(t, read(t, c).Annotations, record.OverrideAnnotation)

	gone := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "gone"}}
	require.Error(t, override.Annotate(t.Context(), c, gone, map[string]string{record.OverrideAnnotation: "x"}))
}

func testPause(t *testing.T, c *target.Cluster) {
	do := func(ref target.Ref, r pause.Request) pause.Object {
		o, err := pause.Do(t.Context(), c, take(t, c), ref, r)
		require.NoError(t, err)
		return o
	}
	one, all := target.Ref{Kind: target.HPA, Name: "shop"}, target.Ref{Kind: target.Namespace, Name: "live"}

	require.True(t, do(one, pause.Request{Pause: true, DryRun: true}).Changed)
	require.NotContains(t, read(t, c).Annotations, record.PausedAnnotation)

	paused := do(one, pause.Request{Pause: true, Note: "anna: incident"})
	require.Contains(t, pause.Text(paused, false), "hpa/shop paused: the bounds stay at 7..10,")
	require.Equal(t, "true", read(t, c).Annotations[record.PausedAnnotation])
	require.Contains(t, pause.Text(do(one, pause.Request{Pause: true}), false), "hpa/shop is paused already")
	require.Equal(t, "anna: incident", read(t, c).Annotations[pause.NoteAnnotation], "pausing again does not forget why")

	require.Contains(t, pause.Text(do(all, pause.Request{Pause: true}), false), "namespace/live paused: the bounds of its 1 HPA stay")
	require.Contains(t, pause.Text(do(one, pause.Request{}), false), "hpa/shop resumed, but Namespace live is paused, so the bounds stay at 7..10")
	annotations := read(t, c).Annotations
	require.NotContains(t, annotations, record.PausedAnnotation)
	require.NotContains(t, annotations, pause.NoteAnnotation)
	require.Contains(t, pause.Text(do(all, pause.Request{}), false), "namespace/live resumed")
	require.Contains(t, pause.Text(do(all, pause.Request{}), false), "namespace/live is not paused")
}

func testExplain(t *testing.T, c *target.Cluster) {
	d, err := hpa.Explain(t.Context(), c, "shop")
	require.NoError(t, err)
	require.Equal(t, hpa.Silent, d.Scaler.State)
	require.Equal(t, upcoming.Bounds{Min: 7, Max: 10}, d.Live)
	require.Equal(t, upcoming.Bounds{Min: 2, Max: 10}, d.Base.Bounds)
	require.NotEmpty(t, d.Problems, "nobody runs that could lower the floor")
	_, err = hpa.Explain(t.Context(), c, "none")
	require.ErrorContains(t, err, "there is no HorizontalPodAutoscaler none in namespace live")
}

func testUpcoming(t *testing.T, c *target.Cluster) {
	now := time.Now()
	for _, namespace := range []string{"live", ""} {
		d, err := upcoming.Look(t.Context(), c, upcoming.Question{Namespace: namespace, From: now, To: now.Add(48 * time.Hour)})
		require.NoError(t, err)
		require.Equal(t, 1, d.HPAs)
		require.NotEmpty(t, d.Changes)
		last := d.Changes[len(d.Changes)-1]
		require.Equal(t, upcoming.Bounds{Min: 2, Max: 10}, last.To)
	}
	_, err := upcoming.Look(t.Context(), c, upcoming.Question{Namespace: "nowhere", From: now, To: now.Add(time.Hour)})
	require.ErrorContains(t, err, "there is no namespace nowhere")
}
