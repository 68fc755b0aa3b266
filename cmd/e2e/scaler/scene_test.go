// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

const hpaSyncPeriod = 2 * time.Second

// perReplica is the demand that one replica serves: the HPA's target.
const perReplica = 10

// The names of a scene's objects, and of who owns the HPA.
const (
	app   = "shop"
	owner = "team"
)

// A workload that scales on a demand. calm keeps tests short: no stabilisation, no limits on steps.
const sceneObjects = `
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: demand-$NS}
spec: {query: 'sum(demand{namespace="$NS"})', interval: 2s, maxAge: 20s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: $NS}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: app}]}
`

const hpaText = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: $MIN
  maxReplicas: $MAX
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 100, periodSeconds: 1}]}
    scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 1}]}
  metrics:
  - type: External
    external: {metric: {name: demand-$NS}, target: {type: AverageValue, averageValue: "10"}}
`

// scene is one test's namespace: a Deployment, its HPA with bounds of its own, and a demand. What the plain HPA would
// hold is known, and the Deployment never has less.
type scene struct {
	*world
	ns     string
	base   bounds.Bounds
	demand int
	owners []string // of the HPA's bounds, before Plimsoll
}

// newScene sets a scene up, owned by server-side apply, and returns when the HPA follows the demand.
func newScene(t *testing.T, w *world, base bounds.Bounds, demand int) *scene {
	t.Helper()
	return newSceneOwned(t, w, base, demand, (*scene).serverSideApply)
}

// newSceneOwned lets the owner apply the HPA in another way.
func newSceneOwned(t *testing.T, w *world, base bounds.Bounds, demand int, apply func(*scene, *testing.T, bounds.Bounds)) *scene {
	t.Helper()
	s := &scene{world: w, base: base}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "scene-"}}
	require.NoError(t, w.client.Create(t.Context(), ns))
	s.ns = ns.Name
	t.Cleanup(func() { s.end(t) })
	s.setDemand(demand)
	s.apply(t, sceneObjects)
	apply(s, t, base)
	s.steady(t)
	s.owners = ownersOf(s.hpa(t))
	return s
}

func (s *scene) end(t *testing.T) {
	fell := s.watch.end(s.ns)
	s.exporter.Set(s.ns, nil)
	if t.Failed() {
		s.describe(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, client.IgnoreNotFound(s.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}})))
	require.Empty(t, fell, "replicas fell below those of the plain HPA")
}

// apply applies YAML in which $NS is the namespace.
func (s *scene) apply(t *testing.T, yaml string) {
	t.Helper()
	require.NoError(t, s.ApplyYAML(t.Context(), strings.ReplaceAll(yaml, "$NS", s.ns)))
}

// hpaYAML is what the owner keeps in a file.
func (s *scene) hpaYAML(b bounds.Bounds) string {
	return strings.NewReplacer("$NS", s.ns, "$MIN", fmt.Sprint(b.Min), "$MAX", fmt.Sprint(b.Max)).Replace(hpaText)
}

// plain is what the HPA would hold without Plimsoll.
func (s *scene) plain() int32 { return min(max(s.wanted(), s.base.Min), s.base.Max) }

// wanted is what the demand asks for, whatever the bounds.
func (s *scene) wanted() int32 { return int32((s.demand + perReplica - 1) / perReplica) }

// setDemand changes the demand. When it rises, the replicas are watched again from steady on.
func (s *scene) setDemand(demand int) {
	least := s.plain()
	s.demand = demand
	if s.plain() < least {
		s.watch.atLeast(s.ns, s.plain())
	}
	s.expose(func(time.Time) float64 { return float64(demand) })
}

// expose lets the exporter show a demand.
func (s *scene) expose(demand func(time.Time) float64) {
	s.exporter.Set(s.ns, func() string { return fmt.Sprintf("demand{namespace=%q} %g", s.ns, demand(time.Now())) })
}

// steady waits until the HPA works and holds what the plain one would; from then on it must.
func (s *scene) steady(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "an HPA that follows its metric", func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		return s.follows(hpa)
	})
	s.atLeast(t, s.plain())
}

// atLeast says from now on how many replicas there must be. A test that has read a number is ahead of the watch, which
// would take the one before it for a fall: it catches up first.
func (s *scene) atLeast(t *testing.T, least int32) {
	t.Helper()
	s.watchCatchesUp(t)
	s.watch.atLeast(s.ns, least)
}

// watchCatchesUp waits until the watch has seen the Deployment and the HPA as they are now.
func (s *scene) watchCatchesUp(t *testing.T) {
	t.Helper()
	deployment, err := s.readDeployment()
	require.NoError(t, err)
	hpa := s.hpa(t)
	stacktest.Eventually(t, "a watch that has seen what there is", func() error {
		return errors.Join(s.watch.caughtUp(deployment), s.watch.caughtUp(hpa))
	})
}

func (s *scene) follows(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	active := false
	for _, c := range hpa.Status.Conditions {
		active = active || c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionTrue
	}
	has, err := s.replicas()
	switch {
	case err != nil:
		return err
	case !active || has < s.plain():
		return fmt.Errorf("%d replicas, not %d; the HPA says: %s", has, s.plain(), stacktest.Says(hpa))
	}
	return nil
}
