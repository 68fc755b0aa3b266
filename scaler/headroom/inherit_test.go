// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What has no hub's label belongs to a hub that wants a reserve there, or had one; what has another's never does.
func TestInherit(t *testing.T) {
	of := func(hub string) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		if hub != "" {
			d.Labels = map[string]string{hubLabel: hub}
		}
		return d
	}
	held := func(rows ...v1alpha1.HeadroomCluster) func(s *scene) {
		return func(s *scene) { s.plain.Enforce, s.headroom.Status.Clusters = false, rows }
	}
	for _, test := range []struct {
		name   string
		change func(s *scene)
		heir   bool
	}{
		{"enforced", func(*scene) {}, true},
		{"observing", held(), false},
		{"paused from the beginning", func(s *scene) {
			s.headroom.Annotations = map[string]string{"plimsoll.dev/paused": "true"}
			s.headroom.Status.Clusters = []v1alpha1.HeadroomCluster{{Name: "east", Pods: 3, Reason: v1alpha1.HeadroomPaused}}
		}, false},
		{"a spec that makes no sense", func(s *scene) { s.invalid = "percent" }, false},
		{"enforced, but not for this cluster", func(s *scene) { s.rows = nil }, false},
		{"it held something", held(v1alpha1.HeadroomCluster{Name: "east", Pods: 3, Reason: v1alpha1.HeadroomFilling}), true},
		{"and was then paused", held(v1alpha1.HeadroomCluster{Name: "east", Pods: 3, Ready: 3, Reason: v1alpha1.HeadroomPaused}), true},
		{"it held something elsewhere", held(v1alpha1.HeadroomCluster{Name: "west", Pods: 3, Ready: 3}), false},
		{"another hub holds something", held(v1alpha1.HeadroomCluster{Name: "east", Reason: v1alpha1.HeadroomHeldByOtherHub}), false},
		{"it held something a while ago", func(s *scene) {
			s.members["east"].memo.wrote = true
			held()(s)
		}, true},
		{"the Headroom is gone", func(s *scene) {
			s.members["east"].memo.wrote = true
			s.world.scenes = nil
		}, true},
		{"there never was one", func(s *scene) { s.world.scenes = nil }, false},
	} {
		east := &sight{hub: "mine", memo: newMemo()}
		w := &world{members: map[string]*sight{"east": east}}
		s := &scene{world: w, headroom: &v1alpha1.Headroom{ObjectMeta: metav1.ObjectMeta{Name: "room"}}, plain: v1alpha1.Reservation{Enforce: true}}
		s.rows = []*row{{cluster: &v1alpha1.MemberCluster{}, sight: east}}
		w.scenes = []*scene{s}
		test.change(s)
		w.inherit()
		require.Equal(t, test.heir, east.ours(of("")), test.name)
		require.True(t, east.ours(of("mine")), test.name)
		require.False(t, east.ours(of("another")), test.name)
	}
}
