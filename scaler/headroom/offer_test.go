// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/nodes"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// New nodes are offered while somebody adds them; what is not known is left as it was.
func TestOffer(t *testing.T) {
	server, err := nodegroupstest.Start(nodegroupstest.Options{Groups: []nodegroupstest.Group{{ID: "pool", Max: 2, Template: template()}}})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		change func(s *scene, one *row)
		fits   int64 // pods of one cpu; -1: nothing is said
	}{
		{"two nodes of 5 cpu", func(*scene, *row) {}, 10},
		{"observing", func(s *scene, _ *row) { s.plain.Enforce = false }, 0},
		{"paused", func(s *scene, _ *row) { s.headroom.Annotations = map[string]string{"plimsoll.dev/paused": "true"} }, 0},
		{"a spec that makes no sense", func(s *scene, one *row) { s.invalid, one.strategy = "percent", "" }, 0},
		{"other means", func(_ *scene, one *row) { one.strategy = v1alpha1.HeadroomPlaceholder }, 0},
		{"the means are not known", func(_ *scene, one *row) { one.strategy = "" }, -1},
		{"the member refuses writes", func(_ *scene, one *row) { one.result.err = errors.New("forbidden") }, -1},
		{"the server does not answer", func(_ *scene, one *row) { one.sight.groups.err = errors.New("no answer") }, -1},
		{"a group that the Headroom does not name", func(s *scene, _ *row) { s.rules.Selector = map[string]string{"pool": "gpu"} }, 0},
		{"a group that has not grown", func(_ *scene, one *row) { refuse(one, noon, nodegroups.None) }, 0},
		{"nor for a while", func(_ *scene, one *row) { refuse(one, noon.Add(time.Second-ungrownFor), nodegroups.Unclear) }, 0},
		{"long ago", func(_ *scene, one *row) { refuse(one, noon.Add(-ungrownFor), nodegroups.None) }, 10},
		{"and has meanwhile", func(_ *scene, one *row) {
			refuse(one, noon, nodegroups.None)
			refuse(one, noon, nodegroups.Took)
		}, 10},
	} {
		memo := newMemo()
		memo.groups.failed, memo.groups.resting = map[string]time.Time{}, map[string]time.Time{}
		memo.groups.server, err = newnodes.Dial(t.Context(), newnodes.Secrets{}, &v1alpha1.MemberNodeGroups{Address: server.Address()})
		require.NoError(t, err)
		read, err := memo.groups.server.Read(t.Context(), capacity.New(nil, nil), 0, noon)
		require.NoError(t, err)
		s := &scene{world: &world{now: noon}, headroom: &v1alpha1.Headroom{ObjectMeta: metav1.ObjectMeta{Name: "room"}}, plain: v1alpha1.Reservation{Enforce: true}}
		one := &row{cluster: &v1alpha1.MemberCluster{}, strategy: v1alpha1.HeadroomNodeGroups, sight: &sight{memo: memo, groups: &groups{Groups: read}}}
		test.change(s, one)
		offer := s.offer(one)
		memo.groups.close()
		if test.fits < 0 {
			require.Nil(t, offer, test.name)
			continue
		}
		require.Equal(t, test.fits, offer.Fits(podOf(t, `{containers: [{name: c, resources: {requests: {cpu: "1"}}}]}`)), test.name)
	}
}

// refuse notes what became of an attempt to grow the first group.
func refuse(one *row, at time.Time, effect nodegroups.Effect) {
	out := growth{}
	out.add(one.sight.groups, &one.sight.memo.groups, nodes.Growth{Group: "pool", By: 1}, at, func() (nodegroups.Growth, error) {
		return nodegroups.Growth{Effect: effect}, errors.New("it does not want to")
	})
}
