// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// awaits says whether pods of a decision for more are still to come.
func (l *latency) awaits(scale types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.raises[scale]) > 0
}

// New pods are of the oldest decision for more of which pods are still to come, and of none after a minute.
func TestDecisionsForMore(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := start
	l := newLatency(func() time.Time { return now })
	scale := func(replicas int32, mode v1alpha1.ActMode) *v1alpha1.FederatedScale {
		return &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "shop"}, Spec: v1alpha1.FederatedScaleSpec{Replicas: &replicas, Mode: mode}}
	}
	key := client.ObjectKeyFromObject(scale(1, ""))
	since := func(seconds ...int) {
		t.Helper()
		for _, s := range seconds {
			require.Equal(t, start.Add(time.Duration(s)*time.Second), l.wantedSince(key))
		}
		require.Zero(t, l.wantedSince(key), "no further pod is of a decision")
	}
	since()
	l.asked(scale(4, v1alpha1.ModeEnforce), scale(6, v1alpha1.ModeEnforce))
	now = start.Add(15 * time.Second)
	l.asked(scale(6, v1alpha1.ModeEnforce), scale(7, v1alpha1.ModeEnforce))
	l.asked(scale(7, v1alpha1.ModeEnforce), scale(5, v1alpha1.ModeEnforce)) // fewer bring none
	since(0, 0, 15)

	l.asked(scale(5, v1alpha1.ModeObserve), scale(9, v1alpha1.ModeObserve)) // nothing is written
	since()
	l.asked(scale(5, v1alpha1.ModeEnforce), scale(9, v1alpha1.ModeEnforce))
	now = now.Add(bornWithin)
	require.Equal(t, start.Add(15*time.Second), l.wantedSince(key))
	now = now.Add(time.Millisecond)
	since()
	unset := scale(0, v1alpha1.ModeEnforce)
	unset.Spec.Replicas = nil // stands for 1
	l.asked(unset, scale(2, v1alpha1.ModeEnforce))
	l.gone(key)
	since()
	require.Empty(t, l.raises)
}
