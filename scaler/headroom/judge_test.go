// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// A Headroom that writes nothing is not in the way of another hub's, and says what it would keep.
func TestObservingBesideAnotherHub(t *testing.T) {
	scene := func(enforce bool, short int64) (*scene, *row) {
		one := &row{
			cluster: &v1alpha1.MemberCluster{}, sight: &sight{memo: newMemo()},
			reserve: &reserve.Reserve{Held: fit.Resources{"cpu": 4000}, Short: short, Blocks: []reserve.Block{{Count: 9}}},
			result:  result{foreign: foreign{"hub-1", "Deployment filling", "deployments"}},
		}
		return &scene{world: &world{now: noon}, headroom: &v1alpha1.Headroom{}, plain: v1alpha1.Reservation{Enforce: enforce}, rows: []*row{one}}, one
	}
	s, one := scene(false, 0)
	out := s.clusterStatus(one)
	require.Equal(t, []string{v1alpha1.HeadroomObserving, "4"}, []string{out.Reason, out.Held.CPU})
	require.Contains(t, out.Message, "another hub (hub-1) keeps a reserve there, such as Deployment filling")
	require.Equal(t, "4 cpu, 0Mi", s.status().Reserved)
	s, one = scene(false, 2)
	require.Contains(t, s.clusterStatus(one).Message, "2 of 9 pods of the reserve need nodes that are not there; another hub")
	one.result.foreign = foreign{}
	require.Equal(t, "2 of 9 pods of the reserve need nodes that are not there", s.clusterStatus(one).Message)
	one.result.err = errors.New("refused")
	require.Equal(t, v1alpha1.HeadroomWriteFailed, s.clusterStatus(one).Reason)

	s, one = scene(true, 0)
	out = s.clusterStatus(one)
	require.Equal(t, []string{v1alpha1.HeadroomHeldByOtherHub, "0"}, []string{out.Reason, out.Held.CPU})
	require.Equal(t, "0 cpu, 0Mi", s.status().Reserved)
}
