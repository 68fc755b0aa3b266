// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// TestHandBackOnCluster has windows end on a real API server, with owners of every kind: nothing of Plimsoll is left
// afterwards, and all fields are whose they were.
func TestHandBackOnCluster(t *testing.T) {
	cluster := clustertest.Start(t)
	cluster.Component(t, "stop", "kube-controller-manager")
	cluster.Component(t, "stop", "kube-scheduler")
	for _, test := range handBacks() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testHandBack(t, newStage(t, cluster.Client), test)
		})
	}
	for name, run := range map[string]func(*testing.T, *stage){
		"a crash":                     testCrashAsOwner,
		"a conflict":                  testConflictAsOwner,
		"a maximum restored in steps": testRestoringAsOwner,
		"a release":                   testReleaseAsOwner,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newStage(t, cluster.Client))
		})
	}
}

// handBackCase is a window, with what others do before and in it.
type handBackCase struct {
	name           string
	before, during func(t *testing.T, s *stage)
	fields         string
	patches        int // that end the window
}

const bothFields, onlyMinField = "minReplicas: 600, maxReplicas: 800", "minReplicas: 400"

func handBacks() []handBackCase {
	annotate := func(_ *testing.T, s *stage) { s.patch("annotator", `{"metadata":{"annotations":{"team":"shop"}}}`) }
	both := func(ways ...func(*testing.T, *stage)) func(*testing.T, *stage) {
		return func(t *testing.T, s *stage) {
			for _, way := range ways {
				way(t, s)
			}
		}
	}
	maxApplied := func(t *testing.T, s *stage) { // minReplicas is nobody's then
		file := s.hpaManifest(100, 500)
		unstructured.RemoveNestedField(file.Object, "spec", "minReplicas")
		require.NoError(t, s.c.Apply(ctxOf(s), applyConfiguration(file), fieldOwner("argocd")))
	}
	minEdited := func(_ *testing.T, s *stage) { s.patch("kubectl-edit", `{"spec":{"minReplicas":100}}`) }
	return []handBackCase{
		{"created", created, nil, bothFields, 1},
		{"created, one field", created, nil, onlyMinField, 1},
		{"created, with annotations of others", both(created, annotate), nil, bothFields, 1},
		{"created, and annotated in the window", created, annotate, bothFields, 1},
		{"created, with a status", both(created, running), running, bothFields, 1},
		{"applied on the client's side", appliedByClient, nil, bothFields, 1},
		{"applied on the client's side, and again in the window", appliedByClient, appliedByClient, bothFields, 1},
		{"created, and edited", both(created, func(_ *testing.T, s *stage) { s.patch("kubectl-edit", `{"spec":{"minReplicas":110}}`) }), nil, bothFields, 2},
		{"created, and edited, one field", both(created, func(_ *testing.T, s *stage) { s.patch("kubectl-edit", `{"spec":{"minReplicas":110}}`) }), nil, onlyMinField, 1},
		{"applied on the server's side", appliedByServer, nil, bothFields, 2},
		{"applied by two", both(appliedByServer, func(t *testing.T, s *stage) { require.NoError(t, s.serverSideApply("flux", 100, 500)) }), nil, bothFields, 2},
		{"applied in part, edited in part", both(maxApplied, minEdited), nil, bothFields, 2},
		{"applied in part, edited in part, one field", both(maxApplied, minEdited), nil, onlyMinField, 1},
		{"minReplicas by default", maxApplied, nil, bothFields, 2},
		{"through autoscaling/v1", createdByV1, nil, bothFields, 2},
	}
}

func created(t *testing.T, s *stage) {
	require.NoError(t, s.c.Create(ctxOf(s), s.hpaManifest(100, 500), fieldOwner("kubectl-create")))
}

func appliedByClient(_ *testing.T, s *stage) { s.clientSideApply(100, 500) }

func appliedByServer(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
}

func running(_ *testing.T, s *stage) { s.running(200, 20000) }

func createdByV1(t *testing.T, s *stage) {
	hpa := &autoscalingv1.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"},
		Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"},
			MinReplicas:    of(100), MaxReplicas: 500,
		},
	}
	require.NoError(t, s.c.Create(ctxOf(s), hpa, fieldOwner("kubectl-autoscale")))
}

func testHandBack(t *testing.T, s *stage, test handBackCase) {
	test.before(t, s)
	before := s.get()
	s.schedule(test.fields)
	s.at(start)
	require.NotEqual(t, situation.LiveBounds(before), s.bounds())
	if test.during != nil {
		test.during(t, s)
		s.at(start.Add(time.Minute))
	}
	s.at(end.Add(time.Minute)) // on the ramp
	s.running(100, 10000)
	s.requireEnded(end.Add(10*time.Minute), before, test.patches)

	// Whoever had the fields may go on as if nothing had been.
	if _, applied := before.Annotations[lastApplied]; applied {
		s.clientSideApply(120, 600)
		require.Equal(t, bounds.Bounds{Min: 120, Max: 600}, s.bounds())
	}
	for _, e := range before.ManagedFields {
		if e.Operation == metav1.ManagedFieldsOperationApply && ownership.Owns(&e, ownership.MinReplicas) && ownership.Owns(&e, ownership.MaxReplicas) {
			require.NoError(t, s.serverSideApply(e.Manager, 100, 500))
		}
	}
	require.Equal(t, s.get().ResourceVersion, s.at(end.Add(time.Hour)).ResourceVersion, "written after the window")
}

// requireEnded ends the window and requires that everything is as it was before it, and how many patches that took.
func (s *stage) requireEnded(at time.Time, before *autoscalingv2.HorizontalPodAutoscaler, patches int) {
	s.t.Helper()
	sent := 0
	s.restart(interceptor.NewClient(s.c, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			sent++
			return c.Patch(ctx, object, patch, options...)
		},
	}))
	hpa := s.at(at)
	s.requireAsBefore(before, hpa)
	require.Equal(s.t, patches, sent, "patches")
	require.Contains(s.t, s.told(), "are the HPA's own again")
}

// requireAsBefore requires the same bounds, and the same owners of all fields of the HPA but its status and what others
// have annotated meanwhile.
func (s *stage) requireAsBefore(before, after *autoscalingv2.HorizontalPodAutoscaler) {
	s.t.Helper()
	require.Equal(s.t, before.Spec, after.Spec)
	require.NotContains(s.t, after.Annotations, record.BaseAnnotation)
	require.NotContains(s.t, after.Annotations, record.AppliedAnnotation)
	require.Equal(s.t, ownersOf(before), ownersOf(after))
}

// ownersOf is who owns what in managedFields, without times, and without those who may come in the tests.
func ownersOf(hpa *autoscalingv2.HorizontalPodAutoscaler) []string {
	var all []string
	for _, e := range hpa.ManagedFields {
		if e.Subresource == "" && e.Manager != "annotator" {
			all = append(all, fmt.Sprint(e.Manager, e.Operation, e.APIVersion, e.FieldsV1.GetRawString()))
		}
	}
	slices.Sort(all)
	return all
}

// The scaler dies just before or just after the patch that ends the window: there is no state in between.
func testCrashAsOwner(t *testing.T, s *stage) {
	s.schedule(bothFields)
	for _, arrives := range []bool{false, true} {
		created(t, s)
		before := s.get()
		s.at(start)
		s.restart(killed(s, 1, arrives))
		s.now = end.Add(10 * time.Minute)
		_, err := s.r.Reconcile(ctxOf(s), reconcile.Request{NamespacedName: s.key()})
		require.ErrorContains(t, err, "killed")
		if arrives {
			s.requireAsBefore(before, s.get())
		}
		s.restart(s.c)
		s.requireAsBefore(before, s.at(end.Add(time.Hour)))
		require.NoError(t, s.c.Delete(ctxOf(s), s.get()))
	}
}

// Somebody edits the HPA between the look and the patch that ends the window.
func testConflictAsOwner(t *testing.T, s *stage) {
	created(t, s)
	s.schedule(bothFields)
	s.at(start)
	first := true
	s.restart(interceptor.NewClient(s.c, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if first {
				first = false
				s.patch("kubectl-edit", `{"spec":{"minReplicas":130}}`)
			}
			return c.Patch(ctx, object, patch, options...)
		},
	}))
	s.now = end.Add(10 * time.Minute)
	require.Equal(t, again, s.reconcile().RequeueAfter)
	require.Equal(t, bounds.Bounds{Min: 130, Max: 800}, s.bounds())
	hpa := s.at(s.now)
	require.Equal(t, bounds.Bounds{Min: 130, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "kubectl-edit", "kubectl-create")
}

// minReplicas is back long before maxReplicas may be: both fields go back with the last patch.
func testRestoringAsOwner(t *testing.T, s *stage) {
	created(t, s)
	before := s.get()
	s.schedule("minReplicas: 900, maxReplicas: 1000")
	s.at(start)
	s.running(850, 85000)
	hpa := s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 935}, situation.LiveBounds(hpa))
	require.True(t, ownership.Ours(record.Manager, hpa.ManagedFields, ownership.MinReplicas))
	s.running(600, 60000)
	require.Equal(t, int32(660), situation.LiveBounds(s.at(end.Add(20*time.Minute))).Max)
	s.running(450, 45000)
	s.requireEnded(end.Add(30*time.Minute), before, 1)
}

// Letting go under load leaves the maximum to its owner, higher than it was; an override goes with it.
func testReleaseAsOwner(t *testing.T, s *stage) {
	created(t, s)
	before := s.get()
	s.schedule(bothFields)
	s.override(record.Override{Min: of(650), Since: start, Until: start.Add(time.Hour)})
	s.at(start)
	s.running(640, 64000)
	released, err := Release(ctxOf(s), s.c, types.NamespacedName{Namespace: s.ns, Name: "shop"}, s.now, false)
	require.NoError(t, err)
	require.True(t, released.MaxKept)
	hpa := s.get()
	require.Equal(t, bounds.Bounds{Min: 100, Max: 704}, situation.LiveBounds(hpa))
	require.NotContains(t, hpa.Annotations, record.OverrideAnnotation)
	require.Equal(t, ownersOf(before), ownersOf(hpa))
}
