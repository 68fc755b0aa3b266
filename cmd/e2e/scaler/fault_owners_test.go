// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// beside does something again and again, as another program would, until the returned function is called.
func beside(t *testing.T, every time.Duration, do func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		for ctx.Err() == nil {
			do(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		ended.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// The HPA is deleted in a window and made again by its owner: what the owner writes is the base, and the window goes on.
func TestFaultHPADeletedAndRecreated(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 12, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 12, 30)
	s.scaledTo(t, 12)
	hpa := s.hpa(t)
	require.NoError(t, s.client.Delete(t.Context(), hpa))
	s.says(t, w.name, v1alpha1.ScheduleNoTarget)
	s.base = bounds.Bounds{Min: 3, Max: 21}
	s.serverSideApply(t, s.base)
	require.NotEqual(t, hpa.UID, s.hpa(t).UID)
	s.bounds(t, 12, 30)
	s.closes(t, w)
	s.restored(t)
	s.scaledTo(t, 3)
}

// What a user writes in a window is the new base: held meanwhile, there afterwards, and the user's.
func TestFaultHPAEditedByTheUserDuringAWindow(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 12, rampDown: 1s"})
	s.bounds(t, 12, 20)
	s.edit(t, `{"spec":{"minReplicas":5,"maxReplicas":25}}`)
	s.event(t, "NewBase", "5..25 are the HPA's own bounds from now on", "held at 12")
	s.bounds(t, 12, 25)
	s.closes(t, w)
	s.base, s.owners = bounds.Bounds{Min: 5, Max: 25}, []string{"maxReplicas kubectl-edit Update", "minReplicas kubectl-edit Update"}
	s.restored(t)
	s.scaledTo(t, 5)
}

// edit patches the HPA as `kubectl edit` does.
func (s *scene) edit(t *testing.T, patch string) {
	t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: app}}
	require.NoError(t, s.client.Patch(t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("kubectl-edit")))
}

// The owner's server-side apply conflicts while a window has the fields, with words that name Plimsoll; by force it is
// the new base; and afterwards it works as ever.
func TestFaultOwnersServerSideApply(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 12, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 12, 30)
	err := s.tryServerSideApply(s.base)
	require.True(t, apierrors.IsConflict(err), "%v", err)
	require.ErrorContains(t, err, `conflicts with "plimsoll-scaler"`)
	s.base = bounds.Bounds{Min: 4, Max: 22}
	require.NoError(t, s.tryServerSideApply(s.base, client.ForceOwnership))
	s.event(t, "NewBase", "4..22 are the HPA's own bounds from now on")
	s.bounds(t, 12, 30)
	s.closes(t, w)
	s.restored(t)
	s.base = bounds.Bounds{Min: 3, Max: 21}
	s.serverSideApply(t, s.base)
	s.restored(t)
}

// The owner's client-side apply writes during a window what is in the file: the same is a revert and is undone, another
// number is the new base; and afterwards it works as ever.
func TestFaultOwnersClientSideApply(t *testing.T) {
	t.Parallel()
	s := newSceneOwned(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30, (*scene).clientSideApply)
	w := s.opens(t, window{fields: "minReplicas: 12, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 12, 30)
	s.clientSideApply(t, s.base)
	s.event(t, "Reverted", "kubectl-client-side-apply has set the bounds back to 2..20")
	s.bounds(t, 12, 30)
	s.base = bounds.Bounds{Min: 4, Max: 22}
	s.clientSideApply(t, s.base)
	s.event(t, "NewBase", "4..22 are the HPA's own bounds from now on")
	s.bounds(t, 12, 30)
	s.closes(t, w)
	s.ownBounds(t)
	s.base = bounds.Bounds{Min: 3, Max: 21}
	s.clientSideApply(t, s.base)
	s.ownBounds(t)
	s.scaledTo(t, 3)
}

// A namespace goes in the middle of a window: nothing of Plimsoll holds it, and others are served as before.
func TestFaultNamespaceDeleted(t *testing.T) {
	t.Parallel()
	goes, stays := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30), newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	goes.opens(t, window{fields: "minReplicas: 12, rampDown: 1s"})
	goes.bounds(t, 12, 20)
	goes.watch.end(goes.ns)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: goes.ns}}
	require.NoError(t, goes.client.Delete(t.Context(), namespace))
	w := stays.opens(t, window{fields: "minReplicas: 12, rampDown: 1s"})
	stays.bounds(t, 12, 20)
	stays.closes(t, w)
	stays.restored(t)
	stacktest.Eventually(t, "the end of the namespace", func() error {
		err := goes.client.Get(context.Background(), client.ObjectKeyFromObject(namespace), namespace)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("it is still there: %v", namespace.Status.Conditions)
	})
}

// Somebody writes other parts of the HPA all the time: the bounds come and go all the same, and in few writes.
func TestFaultConflictStorm(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	storm := func(ctx context.Context) {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: app}}
		text := fmt.Sprintf(`{"metadata":{"annotations":{"storm":"%d"}}}`, rand.Int64()) //nolint:gosec // any number will do
		_ = s.client.Patch(ctx, hpa, client.RawPatch(types.MergePatchType, []byte(text)), client.FieldOwner("storm"))
	}
	stop := beside(t, 5*time.Millisecond, storm)
	w := s.opens(t, window{fields: "minReplicas: 12, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 12, 30)
	s.scaledTo(t, 12)
	s.closes(t, w)
	s.restored(t)
	stop()
	require.Equal(t, 2, s.changes(t), "the bounds were written twice: when the window began and when it ended")
	s.restored(t)
	s.scaledTo(t, 3)
}

// A tool that writes the base back again and again gets its will after three attempts, is named, and when it has
// stopped and the window is over, nothing is left to be done.
func TestFaultGitOpsToolRevertsAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 30)
	w := s.opens(t, window{fields: "minReplicas: 12, rampDown: 1s"})
	s.bounds(t, 12, 20)
	stop := beside(t, revertEvery, func(context.Context) { _ = s.tryServerSideApply(s.base, client.ForceOwnership) })
	s.event(t, "RevertedBy", owner+" sets the bounds back")
	s.says(t, w.name, v1alpha1.ScheduleReverted)
	require.Equal(t, 1+2*bounds.MaxReverts+1, s.changes(t), "it was written again as often as it was reverted, but for the last time")
	require.Equal(t, s.base, situation.LiveBounds(s.hpa(t)))
	stop()
	w.end = time.Now().Add(closing)
	s.opens(t, w)
	s.isOver(t, w)
	s.ownBounds(t)
	s.scaledTo(t, 3)
}

// revertEvery is shorter than a tool's 10 s or 3 min, but longer than what one write takes.
const revertEvery = 3 * time.Second
