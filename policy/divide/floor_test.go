// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
)

func TestFloorKeepsTheBase(t *testing.T) {
	var none *divide.Floor
	require.Equal(t, int64(2), none.Own(2))
	first := none.Write(2, 7, noon)
	require.Equal(t, divide.Floor{Base: 2, Applied: 7}, first)
	require.Equal(t, int64(2), first.Own(7), "ours")
	require.Equal(t, int64(2), first.Own(2), "written back")
	require.Equal(t, int64(4), first.Own(4), "a person wants another base")
	require.Equal(t, divide.Floor{Base: 2, Applied: 9}, first.Write(7, 9, noon))
	require.Equal(t, divide.Floor{Base: 4, Applied: 9}, first.Write(4, 9, noon))
	require.Equal(t, divide.Floor{Base: 2, Applied: 7, Reverts: []time.Time{noon}}, first.Write(2, 7, noon))
}

func TestFloorIsContested(t *testing.T) {
	f := divide.Floor{Base: 2, Applied: 7}
	for i := range 3 {
		_, contested := f.Contested(2, noon.Add(time.Duration(i)*time.Minute))
		require.False(t, contested, "after %d reverts", i)
		f = f.Write(2, 7, noon.Add(time.Duration(i)*time.Minute))
	}
	until, contested := f.Contested(2, noon.Add(3*time.Minute))
	require.True(t, contested)
	require.Equal(t, noon.Add(10*time.Minute), until)
	_, contested = f.Contested(7, noon.Add(3*time.Minute))
	require.False(t, contested, "ours stands there")
	_, contested = f.Contested(5, noon.Add(3*time.Minute))
	require.False(t, contested, "another number is a new base, not a revert")
	_, contested = f.Contested(2, until)
	require.False(t, contested, "it is tried again")
	_, contested = f.Contested(2, noon.Add(-time.Hour))
	require.False(t, contested, "a clock that was set")
}

func TestFloorIsReleased(t *testing.T) {
	for _, test := range []struct {
		name string
		f    divide.Floor
		live int64
		to   int64
		over bool
	}{
		{"a person has written another", divide.Floor{Base: 2, Applied: 50}, 30, 30, true},
		{"the base is back", divide.Floor{Base: 2, Applied: 50}, 2, 2, true},
		{"the base is higher", divide.Floor{Base: 9, Applied: 5}, 5, 9, true},
		{"nothing was raised", divide.Floor{Base: 5, Applied: 5}, 5, 5, true},
		{"not at once", divide.Floor{Base: 2, Applied: 50}, 50, 50, false},
		{"a tenth", divide.Floor{Base: 2, Applied: 50, Lowered: noon.Add(-time.Hour)}, 50, 45, false},
		{"one at least", divide.Floor{Base: 2, Applied: 5, Lowered: noon.Add(-time.Hour)}, 5, 4, false},
		{"the last step", divide.Floor{Base: 2, Applied: 3, Lowered: noon.Add(-time.Hour)}, 3, 2, true},
		{"not before a minute", divide.Floor{Base: 2, Applied: 50, Lowered: noon.Add(-59 * time.Second)}, 50, 50, false},
		{"after a minute", divide.Floor{Base: 2, Applied: 50, Lowered: noon.Add(-time.Minute)}, 50, 45, false},
		{"a clock that was set back", divide.Floor{Base: 2, Applied: 50, Lowered: noon.Add(time.Hour)}, 50, 45, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			to, over, next := test.f.Release(test.live, noon)
			require.Equal(t, test.to, to)
			require.Equal(t, test.over, over)
			require.Equal(t, over, next.IsZero() || to == test.f.Base)
		})
	}
}

// A floor comes back to the base, never below it or what the user wrote, by no more than a tenth (or one) each minute.
func TestFloorSinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, applied := rapid.Int64Range(0, 5000).Draw(t, "base"), rapid.Int64Range(1, 5000).Draw(t, "applied")
		f, live, now := divide.Floor{Base: base, Applied: applied}, applied, noon
		for range 200 {
			to, over, next := f.Release(live, now)
			holds(t, to >= min(base, applied), "never below the base")
			holds(t, to >= base || to == live || over, "a higher base is back at once")
			holds(t, live-to <= max((live+9)/10, 1), "a tenth")
			if over {
				require.Equal(t, base, to)
				return
			}
			holds(t, next.After(now), "there is a next step")
			f = divide.Floor{Base: base, Applied: to, Lowered: now}
			live, now = to, next
		}
		t.Fatalf("%d does not come back to %d", applied, base)
	})
}
