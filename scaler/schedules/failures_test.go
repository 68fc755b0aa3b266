// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func TestFailures(t *testing.T) {
	shop, other := types.NamespacedName{Namespace: "a", Name: "shop"}, types.NamespacedName{Namespace: "a", Name: "other"}
	var nobody *Failures
	require.NoError(t, nobody.Of(shop))
	f := new(Failures)
	f.Note(shop, errors.New("denied"))
	require.ErrorContains(t, f.Of(shop), "denied")
	require.NoError(t, f.Of(other))
	f.Note(shop, nil)
	require.NoError(t, f.Of(shop))
	f.Note(shop, errors.New("denied"))
	f.Note(shop, apierrors.NewNotFound(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "shop"))
	require.NoError(t, f.Of(shop))
}

// What is wrong with the schedule or its target as a whole comes before what is wrong with one target.
func TestTroubles(t *testing.T) {
	for _, test := range []struct {
		trouble Trouble
		reason  string
	}{
		{Trouble{Refused: "no scale subresource"}, v1alpha1.ScheduleTargetRefused},
		{Trouble{Failed: "deployments is forbidden"}, v1alpha1.ScheduleWriteFailed},
		{Trouble{NoTarget: "there is no HPA"}, v1alpha1.ScheduleNoTarget},
		{Trouble{NoTarget: "there is no HPA", Invalid: errors.New("timeZone: unknown")}, v1alpha1.ScheduleInvalid},
	} {
		s := newStage(t, eveningWindow)
		s.none, s.trouble = true, test.trouble
		require.Equal(t, test.reason, s.status().Conditions[0].Reason)
	}
	s := newStage(t, "suspend: true, "+eveningWindow)
	s.none, s.trouble = true, Trouble{NoTarget: "there is no HPA"}
	require.Equal(t, v1alpha1.ScheduleNoTarget, s.status().Conditions[0].Reason)
}
