// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

var end = start.Add(24 * time.Hour)

func testServerSideApply(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	before := s.get()
	require.Equal(t, before.ResourceVersion, s.at(start.Add(-time.Minute)).ResourceVersion, "written before the window")

	hpa := s.at(start)
	require.Equal(t, bounds.Bounds{Min: 400, Max: 500}, situation.LiveBounds(hpa))
	require.True(t, ownership.Ours(record.Manager, hpa.ManagedFields, ownership.MinReplicas))
	require.False(t, ownership.Ours(record.Manager, hpa.ManagedFields, ownership.MaxReplicas), "maxReplicas was not to be touched")
	require.Contains(t, s.told(), "minReplicas held at 400 by ScaleSchedule 1111/singles-day until 2026-11-12 00:00 CST; "+
		"the HPA's own 100 is kept as base; to lower it now: kubectl plimsoll override hpa/shop --min 100 --for 1h")

	err := s.serverSideApply("argocd", 100, 500)
	require.True(t, apierrors.IsConflict(err), "the owner's server-side apply conflicts during a window: %v", err)
	require.ErrorContains(t, err, "plimsoll-scaler")

	half := situation.LiveBounds(s.at(end.Add(5 * time.Minute)))
	require.Less(t, half.Min, int32(400))
	require.Greater(t, half.Min, int32(100))

	hpa = s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
	require.Contains(t, s.told(), "are the HPA's own again")

	require.NoError(t, s.serverSideApply("argocd", 120, 600))
	require.Equal(t, bounds.Bounds{Min: 120, Max: 600}, s.bounds())
	require.Equal(t, s.get().ResourceVersion, s.at(end.Add(time.Hour)).ResourceVersion, "written after the window")
}

func testClientSideApply(t *testing.T, s *stage) {
	s.clientSideApply(100, 500)
	s.schedule("minReplicas: 600, maxReplicas: 800")
	require.Equal(t, bounds.Bounds{Min: 600, Max: 800}, situation.LiveBounds(s.at(start)))

	s.clientSideApply(100, 500)
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, s.bounds(), "kubectl apply puts the file's bounds back")
	require.Equal(t, bounds.Bounds{Min: 600, Max: 800}, situation.LiveBounds(s.at(start.Add(time.Minute))))
	require.Contains(t, s.told(), "kubectl-client-side-apply has set the bounds back to 100..500")

	hpa := s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "kubectl-client-side-apply", "kubectl-client-side-apply")
	s.clientSideApply(120, 600)
	require.Equal(t, bounds.Bounds{Min: 120, Max: 600}, s.bounds())
}

func testEdit(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.at(start)
	s.patch("kubectl-edit", `{"spec":{"minReplicas":150}}`)
	hpa := s.at(start.Add(time.Hour))
	require.Equal(t, bounds.Bounds{Min: 400, Max: 500}, situation.LiveBounds(hpa), "the window goes on")
	require.Contains(t, s.told(), "150..500 are the HPA's own bounds from now on, as somebody has set them; minReplicas held at 400 by")

	s.patch("kubectl-edit", `{"spec":{"maxReplicas":700}}`)
	require.Equal(t, bounds.Bounds{Min: 400, Max: 700}, situation.LiveBounds(s.at(start.Add(2*time.Hour))))

	hpa = s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 150, Max: 700}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "kubectl-edit", "kubectl-edit")
}

func testReverts(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.at(start)
	revert := func() {
		t.Helper()
		require.NoError(t, s.c.Apply(ctxOf(s), applyConfiguration(s.hpaManifest(100, 500)), fieldOwner("argocd"), force()))
		require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, s.bounds())
	}
	for i := range 3 {
		revert()
		require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(time.Duration(i+1)*10*time.Second))).Min, "revert %d", i+1)
	}
	s.told()
	revert()
	reverted := s.get()
	hpa := s.at(start.Add(40 * time.Second))
	require.Equal(t, reverted.ResourceVersion, hpa.ResourceVersion, "contested bounds are to be left alone")
	require.Contains(t, s.told(), "argocd sets the bounds back whenever they are written")
	require.Equal(t, float64(1), s.gauge("plimsoll_hpa_reverted"))
	require.Equal(t, float64(100), s.gauge("plimsoll_hpa_min_replicas"))

	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(12*time.Minute))).Min, "after ten minutes it is tried again")
	require.Zero(t, s.gauge("plimsoll_hpa_reverted"))
	hpa = s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}

// A tool that puts its whole file in the HPA's place removes our annotations too.
func testReplaced(t *testing.T, s *stage) {
	require.NoError(t, s.c.Create(ctxOf(s), s.hpaManifest(100, 500), fieldOwner("replacer")))
	s.schedule("minReplicas: 400")
	s.at(start)
	replace := func() {
		t.Helper()
		file := s.hpaManifest(100, 500)
		file.SetResourceVersion(s.get().ResourceVersion)
		require.NoError(t, s.c.Update(ctxOf(s), file, fieldOwner("replacer")))
		require.NotContains(t, s.get().Annotations, "plimsoll.dev/applied")
	}
	for i := range 3 {
		replace()
		require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(time.Duration(i+1)*10*time.Second))).Min, "replaced %d times", i+1)
	}
	s.told()
	replace()
	before := s.get().ResourceVersion
	require.Equal(t, before, s.at(start.Add(40*time.Second)).ResourceVersion, "contested bounds are to be left alone")
	require.Contains(t, s.told(), "replacer sets the bounds back whenever they are written")
	require.Equal(t, float64(1), s.gauge("plimsoll_hpa_reverted"))
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(12*time.Minute))).Min, "after ten minutes it is tried again")
	s.requireHandedBack(s.at(end.Add(time.Hour)), "replacer", "replacer")
}

func testRecreated(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.at(start)
	require.NoError(t, s.c.Delete(ctxOf(s), s.get()))
	s.reconcile()
	require.Zero(t, s.gauge("plimsoll_hpa_min_replicas"), "the series of an HPA that is gone vanish")

	require.NoError(t, s.serverSideApply("argocd", 50, 450))
	require.Equal(t, bounds.Bounds{Min: 400, Max: 450}, situation.LiveBounds(s.at(start.Add(time.Hour))))
	require.Equal(t, float64(50), s.gauge("plimsoll_hpa_base_min_replicas"))
	hpa := s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 50, Max: 450}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}

func testRestoring(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 900, maxReplicas: 1000")
	require.Equal(t, bounds.Bounds{Min: 900, Max: 1000}, situation.LiveBounds(s.at(start)))
	require.Contains(t, s.told(), "minReplicas held at 900 by ScaleSchedule 1111/singles-day until 2026-11-12 00:00 CST, maxReplicas at 1000; "+
		"the HPA's own 100..500 are kept as base; to lower minReplicas now: kubectl plimsoll override hpa/shop --min 100 --for 1h")

	for _, step := range []struct {
		after           time.Duration
		replicas, users int32
		want            int32
	}{
		{0, 850, 85000, 1000},               // while the floor is on its ramp, the window's maximum stays
		{10 * time.Minute, 850, 85000, 935}, // nothing is cut when it is over, and a tenth is left to scale up
		{20 * time.Minute, 700, 83300, 916}, // what it wants counts, as well as what it has
		{30 * time.Minute, 700, 70000, 770},
		{40 * time.Minute, 900, 90000, 770}, // the maximum does not follow demand up again
		{50 * time.Minute, 501, 50100, 551},
	} {
		s.running(step.replicas, step.users)
		got := situation.LiveBounds(s.at(end.Add(step.after)))
		require.Equal(t, step.want, got.Max, "%s after the end", step.after)
	}
	require.Contains(t, s.told(), "so that nothing is cut")
	s.running(450, 45000)
	hpa := s.at(end.Add(time.Hour))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}

func testScheduleDeleted(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	schedule := s.schedule("minReplicas: 400")
	s.at(start)
	require.NoError(t, s.c.Delete(ctxOf(s), schedule))
	last := int32(400)
	for minute := 0; minute < 13; minute++ {
		got := situation.LiveBounds(s.at(start.Add(time.Hour + time.Duration(minute)*time.Minute))).Min
		require.LessOrEqual(t, last-got, int32(40), "sinks by a tenth a minute at most")
		require.True(t, minute == 0 || got < last, "sinks every minute")
		before := s.get().ResourceVersion
		require.Equal(t, before, s.at(s.now.Add(30*time.Second)).ResourceVersion, "no writes between the minutes")
		last = got
		if minute == 5 {
			s.restart(s.c)
		}
	}
	hpa := s.at(start.Add(2 * time.Hour))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}
