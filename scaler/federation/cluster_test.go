// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// TestFederation has workloads divided over three real clusters.
func TestFederation(t *testing.T) {
	s := newStage(t)
	for _, test := range []struct {
		name string
		run  func(p *play)
	}{
		{"division by capacity", testDivision},
		{"failover and fail-back", testFailover},
		{"two of three at once", testTwoOfThree},
		{"a restart in the middle of a failover", testRestart},
		{"a member that hangs", testHanging},
		{"drain", testDrain},
		{"a quota", testQuota},
		{"pods that wait for a node", testStuck},
		{"pods that never start", testNeverStarts},
		{"a refused write", testRefused},
		{"rejected pods", testRejected},
		{"writes that hang", testHangingWrites},
		{"no workload in a member", testNoTarget},
		{"another HPA scales it", testOwned},
		{"two of one workload", testRivals},
		{"the hub suspects itself", testDoubt},
		{"adoption, observing and pausing", testNoSurprise},
		{"deleted objects", testDeleted},
		{"bounds", testBounds},
		{"bounds that others write, and their way back", testFloors},
		{"a StatefulSet, and another kind", testOtherKinds},
		{"the hub's HPA and its metric", testHubHPA},
		{"a ScaleSchedule", testSchedule},
		{"nodes that may still be added", testNewNodes},
	} {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			test.run(s.scene(t))
			t.Logf("took %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// Every cluster has its share of what fits, and one at least; the share of the Ready is for load balancers.
func testDivision(p *play) {
	p.deploy(1, "berlin", "paris", "rome")
	p.create("replicas: 12")
	p.wants("shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	f := p.reason(v1alpha1.FederatedDivided)
	require.Equal(p.t, int32(12), f.Status.Replicas)
	require.Equal(p.t, int32(12), f.Status.ReadyReplicas)
	require.Equal(p.t, "3/3", f.Status.Summary)
	require.NotEmpty(p.t, f.Status.Selector)
	require.Equal(p.t, []int32{50, 33, 17}, []int32{row(f, "berlin").ReadyPercent, row(f, "paris").ReadyPercent, row(f, "rome").ReadyPercent})
	p.scaleTo(3)
	p.wants("one each", counts{"berlin": 1, "paris": 1, "rome": 1})
	p.scaleTo(0)
	p.wants("none", counts{"berlin": 0, "paris": 0, "rome": 0})
	p.scaleTo(4)
	p.wants("again", counts{"berlin": 2, "paris": 1, "rome": 1})
}

// Replicas move when a cluster dies, and come back in steps; the Ready of the others never dip.
func testFailover(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 12, failover: {after: 3m, returnAfter: 1m}")
	p.wants("shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	p.reason(v1alpha1.FederatedDivided)
	survivors := p.lowest("berlin", "rome")

	p.members["paris"].Component(p.t, "kill", "kube-apiserver")
	p.judge(p.t, "paris", v1alpha1.MemberSuspect)
	p.scaleTo(9)
	p.reason(v1alpha1.FederatedScaleDownFrozen)
	p.judge(p.t, "paris", v1alpha1.MemberFailed)
	p.reason(v1alpha1.FederatedScaleDownFrozen)
	p.scaleTo(12)
	p.noted("paris", v1alpha1.FederatedFailoverWaits)
	p.pass(3*time.Minute + time.Second)
	p.wants("the others have its share", counts{"berlin": 9, "rome": 3})
	p.told("paris has failed: its 4 replicas moved to berlin (3) and rome (1)")
	p.eventually("the failover's times", func() error {
		if r := row(p.get(), "paris"); r.ReadyAt == nil || r.MovedAt == nil || r.FailedSince == nil {
			return errMoved
		}
		return nil
	})
	f := p.reason(v1alpha1.FederatedFailedOver)
	require.Equal(p.t, int32(12), f.Status.Replicas)
	require.Equal(p.t, int32(0), row(f, "paris").ReadyPercent)
	require.GreaterOrEqual(p.t, survivors(), int32(8))

	p.members["paris"].Component(p.t, "start", "kube-apiserver")
	p.wants("paris runs its pods still", counts{"paris": 4})
	everywhere := p.lowest("berlin", "rome", "paris")
	p.judge(p.t, "paris", v1alpha1.MemberHealthy)
	p.reason(v1alpha1.FederatedReturning)
	p.pass(time.Minute + time.Second)
	p.wants("the old shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	p.reason(v1alpha1.FederatedDivided)
	require.GreaterOrEqual(p.t, everywhere(), int32(12))
}
