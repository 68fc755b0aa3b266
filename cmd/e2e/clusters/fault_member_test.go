// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// The API server of a member is gone, and is back: its replicas move, the others' never dip, and it gets them back.
func TestFaultMemberStopped(t *testing.T) {
	s := newScene(t)
	s.atLeast(8, berlin, rome)
	s.without(paris)
	mend := s.component(paris, "kill", "start", "kube-apiserver")
	s.moves(v1alpha1.MemberUnreachable)
	mend()
	s.returns()
	s.movedOnce()
}

// It takes connections and says nothing (SIGSTOP): nobody else waits for it.
func TestFaultMemberFrozen(t *testing.T) {
	s := newScene(t)
	s.atLeast(8, berlin, rome)
	s.without(paris)
	mend := s.component(paris, "pause", "resume", "kube-apiserver")
	s.moves(v1alpha1.MemberUnreachable)
	mend()
	s.returns()
	s.movedOnce()
}

// All nodes of a member are dead under a live API: it is Failed all the same, and stays as it was written.
func TestFaultMemberNodesNotReady(t *testing.T) {
	s := newScene(t)
	s.atLeast(8, berlin, rome)
	mend := s.component(paris, "kill", "start", "kwok")
	s.setNodesReady(paris, corev1.ConditionFalse)
	s.moves(v1alpha1.MemberNodesNotReady)
	mend()
	s.setNodesReady(paris, corev1.ConditionTrue)
	s.setPodsReady(paris)
	s.returns()
	s.movedOnce()
}

// setNodesReady says of all nodes of a member whether they are Ready.
func (s *scene) setNodesReady(name string, status corev1.ConditionStatus) {
	s.t.Helper()
	stacktest.Eventually(s.t, "the nodes are written", func() error {
		var list corev1.NodeList
		if err := s.members[name].client.List(s.t.Context(), &list); err != nil {
			return err
		}
		for i := range list.Items {
			n := &list.Items[i]
			at := slices.IndexFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
			n.Status.Conditions[at].Status, n.Status.Conditions[at].LastHeartbeatTime = status, metav1.Now()
			if err := s.members[name].client.Status().Update(s.t.Context(), n); err != nil {
				return err
			}
		}
		return nil
	})
}

// setPodsReady does what a kubelet does that is back: the controller manager had marked the pods of its node, and kwok says
// of a pod only once that it is Ready.
func (s *scene) setPodsReady(name string) {
	s.t.Helper()
	stacktest.Eventually(s.t, "the pods are written", func() error {
		var list corev1.PodList
		if err := s.members[name].client.List(s.t.Context(), &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for i := range list.Items {
			p := &list.Items[i]
			for at := range p.Status.Conditions {
				p.Status.Conditions[at].Status = corev1.ConditionTrue
			}
			if err := s.members[name].client.Status().Update(s.t.Context(), p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Two of three at once are rather the hub's failure: the survivor is raised, and nothing is lowered, whoever asks for less.
func TestFaultTwoOfThreeMembers(t *testing.T) {
	s := newScene(t)
	s.atLeast(2, rome)
	s.without(berlin, paris)
	var mends []func()
	for _, name := range []string{berlin, paris} {
		mends = append(mends, s.component(name, "pause", "resume", "kube-apiserver"))
	}
	s.is(berlin, v1alpha1.MemberFailed, v1alpha1.MemberHubSuspect)
	s.is(paris, v1alpha1.MemberFailed, v1alpha1.MemberHubSuspect)
	s.has("the survivor has them all", shares{rome: 12})
	s.atLeast(12, rome)
	s.notes("", v1alpha1.FederatedHubSuspectsItself)
	s.scaleTo(3)
	s.notes("", v1alpha1.FederatedScaleDownFrozen)
	s.scaleTo(12)
	for _, mend := range mends {
		mend()
	}
	s.with(berlin, paris)
	s.returns()
	s.judge(t)
	s.course(rome, 2, 12, 2)
	// The first of the two that is back has a part of the other's share until that is back, too.
	for name, most := range map[string]int32{berlin: 9, paris: 8} {
		turns := s.turns(name)
		require.LessOrEqual(t, slices.Max(turns), most, "%s: %v", name, turns)
		require.GreaterOrEqual(t, slices.Min(turns), twelve[name], "%s: %v", name, turns)
		require.LessOrEqual(t, len(turns), 3, "%s: %v", name, turns)
	}
}

// The scaler is killed in the middle of a failover and of a fail-back; the next one goes on where the status says.
func TestFaultScalerKilledDuringFailoverAndFailBack(t *testing.T) {
	goesOn(t, (*scene).killScaler)
}

// The hub's API server is killed in the middle of a failover and of a fail-back, the scaler after it, and both begin anew.
func TestFaultHubKilledDuringFailoverAndFailBack(t *testing.T) {
	goesOn(t, (*scene).killHub)
}

// goesOn has something killed in the middle of a failover and of a fail-back: nothing moves twice, and nobody has fewer.
func goesOn(t *testing.T, kill func(s *scene)) {
	s := newScene(t)
	s.atLeast(8, berlin, rome)
	s.without(paris)
	mend := s.component(paris, "kill", "start", "kube-apiserver")
	s.is(paris, v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	kill(s)
	s.eventually("somebody is raised", func() error {
		if len(s.turns(berlin))+len(s.turns(rome)) < 3 {
			return errors.New("nobody is")
		}
		return nil
	})
	kill(s)
	s.moves(v1alpha1.MemberUnreachable)
	s.pause("true")
	mend()
	s.nodesSettle(paris) // else its own controllers, for which the nodes were silent, take new pods for dead for a moment
	// Its pods are gone, so that they come back one by one.
	none := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
	stacktest.Eventually(t, "the pods of paris are gone", func() error {
		return s.members[paris].client.Patch(t.Context(), s.deployment(), none)
	})
	s.with(paris)
	s.sampled(t) // of its none
	s.pause("")
	s.atLeast(12, everybody()...)
	s.notes(paris, v1alpha1.FederatedFailingBack)
	kill(s)
	s.returns()
	s.judge(t)
	s.course(berlin, 6, 9, 6)
	s.course(rome, 2, 3, 2)
	s.course(paris, 4, 0, 4)
}

// pause sets the annotation that keeps the hub from writing anything; "" removes it.
func (s *scene) pause(value string) {
	s.t.Helper()
	text := fmt.Sprintf("%q", value)
	if value == "" {
		text = "null"
	}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%s}}}`, record.PausedAnnotation, text))
	stacktest.Eventually(s.t, "the FederatedScale is paused or goes on", func() error {
		return s.client.Patch(s.t.Context(), &v1alpha1.FederatedScale{ObjectMeta: s.meta()}, patch)
	})
}

// nodesSettle waits until the nodes of a member have renewed their leases since now, and its controllers have looked at them
// after that and find them Ready.
func (s *scene) nodesSettle(name string) {
	s.t.Helper()
	now := time.Now()
	stacktest.Eventually(s.t, "the nodes of "+name+" are settled", func() error {
		var leases coordinationv1.LeaseList
		if err := s.members[name].client.List(s.t.Context(), &leases, client.InNamespace("kube-node-lease")); err != nil {
			return err
		}
		for i := range leases.Items {
			if at := leases.Items[i].Spec.RenewTime; at == nil || at.Time.Before(now) {
				return fmt.Errorf("the lease of %s is from %s", leases.Items[i].Name, at)
			}
		}
		if time.Since(now) < nodesLookedAt {
			return errors.New("its controllers may not have looked at the nodes yet")
		}
		var nodes corev1.NodeList
		if err := s.members[name].client.List(s.t.Context(), &nodes); err != nil {
			return err
		}
		for i := range nodes.Items {
			if !capacity.Ready(&nodes.Items[i]) {
				return fmt.Errorf("node %s is not Ready", nodes.Items[i].Name)
			}
		}
		return nil
	})
	s.unsettled[name] = false
}

// nodesLookedAt is how long the controllers of a member take at most until they are leading again and have looked at nodes.
const nodesLookedAt = 25 * time.Second

// killScaler lets the scaler die, and another one begin.
func (s *scene) killScaler() {
	s.t.Helper()
	require.NoError(s.t, s.hub.KillScaler(scaler))
	require.NoError(s.t, s.startScaler(s.t.Context()))
}

// killHub lets the hub die: first its API server, without which the scaler goes on for a moment, then the scaler.
func (s *scene) killHub() {
	s.t.Helper()
	mend := s.breaks(
		func(ctx context.Context) error { return s.hub.Component(ctx, "kill", "kube-apiserver") },
		func(ctx context.Context) error { return s.hub.Component(ctx, "start", "kube-apiserver") })
	s.sampled(s.t)
	require.NoError(s.t, s.hub.KillScaler(scaler))
	mend()
	require.NoError(s.t, s.startScaler(s.t.Context()))
}

// A member takes writes and runs no pods, as its nodes are cordoned: it is capped, and the others take what it cannot.
func TestFaultMemberRunsNoPods(t *testing.T) {
	s := newScene(t)
	cordon := func(on bool) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			var list corev1.NodeList
			if err := s.members[paris].client.List(ctx, &list); err != nil {
				return err
			}
			for i := range list.Items {
				changed := list.Items[i].DeepCopy()
				changed.Spec.Unschedulable = on
				if err := s.members[paris].client.Patch(ctx, changed, client.MergeFrom(&list.Items[i])); err != nil {
					return err
				}
			}
			return nil
		}
	}
	mend := s.breaks(cordon(true), cordon(false))
	s.scaleTo(24)
	s.has("the others take what paris cannot", shares{berlin: 15, paris: 4, rome: 5})
	s.notes(paris, v1alpha1.FederatedCapped)
	s.atLeast(24, everybody()...)
	mend()
	s.atLeast(12, everybody()...)
	s.scaleTo(12)
	s.has("the division", twelve)
	s.judge(t)
	s.course(berlin, 6, 15, 6)
	s.course(paris, 4, 8, 4)
	s.course(rome, 2, 5, 2)
	s.neverFailed(paris)
}
