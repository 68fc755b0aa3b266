// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func TestCompiled(t *testing.T) {
	w := newWorld(1, 2)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
	s := &w.schedules[0]
	s.UID, s.Generation = "a", 1
	var kept Compiled
	first, err := kept.compile(s)
	require.NoError(t, err)
	again, err := kept.compile(s.DeepCopy())
	require.NoError(t, err)
	require.Same(t, first, again)

	s.Generation, s.Spec.TimeZone = 2, "Nowhere/Land"
	for range 2 {
		_, err = kept.compile(s)
		require.ErrorContains(t, err, "Nowhere/Land")
	}
	s.Generation, s.Spec.TimeZone = 3, "Asia/Shanghai"
	changed, err := kept.compile(s)
	require.NoError(t, err)
	require.NotSame(t, first, changed)
}
