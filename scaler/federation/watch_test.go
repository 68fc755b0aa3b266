// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What a member's caches show before the hub's controller runs is looked at when it does: of a FederatedScale that is gone
// nothing else tells.
func TestLateQueueKeepsWhatIsEarly(t *testing.T) {
	var late lateQueue
	for _, name := range []string{"early", "early", "earlier"} {
		late.add("shop", name)
	}
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	require.NoError(t, late.start(t.Context(), q))
	late.add("shop", "later")
	require.Eventually(t, func() bool { return q.Len() == 3 }, 10*time.Second, time.Millisecond)
	got := map[string]bool{}
	for range 3 {
		request, _ := q.Get()
		require.Equal(t, "shop", request.Namespace)
		got[request.Name] = true
	}
	require.Equal(t, map[string]bool{"early": true, "earlier": true, "later": true}, got)
}

// A decision that changes what is kept of a member may be reason for another one, also if nothing was to be written.
func TestLooksAgainAfterADecision(t *testing.T) {
	s := &scene{rule: v1alpha1.Federation{Enforce: true}, state: divide.State{Members: map[string]divide.Kept{"rome": {Replicas: 1}}}}
	plan := &divide.Plan{State: divide.State{Members: map[string]divide.Kept{"rome": {Replicas: 1}}}}
	require.Equal(t, mostSleep, s.sleep(plan, nil))
	plan.State.Members["rome"] = divide.Kept{Replicas: 2}
	require.Equal(t, settled, s.sleep(plan, nil))
	s.rule.Enforce = false
	require.Equal(t, mostSleep, s.sleep(plan, nil), "what is only observed is not written, so nothing follows from it")
}
