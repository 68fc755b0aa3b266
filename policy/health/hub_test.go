// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/health"
)

func well() health.Member {
	return health.Member{State: h, Since: noon.Add(-time.Hour), Cause: ok, Proven: true}
}

func gone(at float64) health.Member {
	return health.Member{State: f, Since: after(at), Cause: un, Proven: true}
}

func because(m health.Member, cause health.Cause) health.Member {
	m.State, m.Cause = health.Suspect, cause
	return m
}

func drained(m health.Member) health.Member {
	m.Drain = true
	return m
}

func TestHubSuspect(t *testing.T) {
	fresh := health.Member{State: health.Suspect, Since: after(0), Cause: un}
	for _, test := range []struct {
		name    string
		members []health.Member
		suspect bool
		silent  int
		of      int
	}{
		{"nobody", nil, false, 0, 0},
		{"all well", []health.Member{well(), well()}, false, 0, 0},
		{"one of one", []health.Member{gone(0)}, true, 1, 1},
		{"one of two", []health.Member{gone(0), well()}, false, 0, 0},
		{"one of three", []health.Member{gone(0), well(), well()}, false, 0, 0},
		{"two of three at once", []health.Member{gone(0), well(), gone(60)}, true, 2, 3},
		{"two of three, one after the other", []health.Member{gone(0), well(), gone(61)}, false, 0, 0},
		{"three of three, one after the other", []health.Member{gone(0), gone(1000), gone(2000)}, true, 3, 3},
		{"two of four", []health.Member{gone(0), well(), gone(0), well()}, false, 0, 0},
		{"three of five", []health.Member{gone(0), well(), gone(30), well(), gone(60)}, true, 3, 5},
		{"three of five, of which two belong together", []health.Member{gone(0), well(), gone(61), well(), gone(62)}, false, 0, 0},
		{"long gone ones were not there to stop", []health.Member{gone(-9000), gone(-8000), gone(0), gone(10), well()}, true, 2, 3},
		{"one of those left", []health.Member{gone(-9000), gone(-8000), gone(0), well()}, false, 0, 0},
		{"one after the other that is on its way back", []health.Member{because(gone(-100), health.Settling), gone(0)}, false, 0, 0},
		{"one is back", []health.Member{because(gone(0), health.Settling), well(), gone(10)}, false, 0, 0},
		{"expired certificates, by the hub's clock", []health.Member{because(gone(0), health.Untrusted), because(gone(0), health.Untrusted), well()}, true, 2, 3},
		{"the hub's identity is refused", []health.Member{because(gone(0), health.Unauthorized), because(gone(9), health.Unauthorized)}, true, 2, 2},
		{"dead nodes were seen well", []health.Member{because(gone(0), health.NodesNotReady), because(gone(0), health.NodesNotReady), well()}, false, 0, 0},
		{"new ones never stopped", []health.Member{fresh, fresh, well()}, false, 0, 0},
		{"only new ones", []health.Member{fresh, fresh}, false, 0, 0},
		{"suspended ones and wrong Secrets are nobody's silence", []health.Member{because(gone(0), health.Suspended), because(gone(0), health.Invalid), well()}, false, 0, 0},
		{"nor are second names of a cluster", []health.Member{because(gone(0), health.Duplicate), gone(0), well()}, false, 0, 0},
		{"two of three are gone for good and drained", []health.Member{drained(gone(0)), well(), drained(gone(10))}, false, 0, 0},
		{"one of the two is drained", []health.Member{drained(gone(0)), well(), gone(10)}, false, 0, 0},
		{"all that are left are drained", []health.Member{drained(gone(0)), drained(gone(10))}, false, 0, 0},
		{"those beside a drained one are silent", []health.Member{drained(gone(0)), gone(10), gone(20)}, true, 2, 2},
		{"a drained one that answers speaks for the hub", []health.Member{drained(well()), gone(0)}, false, 0, 0},
		{"which stand for nobody", []health.Member{because(gone(0), health.Duplicate), gone(0)}, true, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := health.HubSuspect(test.members, health.Together)
			require.Equal(t, test.suspect, d.Suspect, d.Message)
			require.Equal(t, test.silent, d.Silent)
			require.Equal(t, test.of, d.Of)
			require.Equal(t, test.suspect, d.Message != "")
		})
	}
	const ends = "that ends when they answer again, or once those that are gone for good are drained (spec.drain), suspended or removed"
	require.Equal(t, "2 of 3 members stopped answering within 1m0s: the hub may be cut off itself, so nothing is lowered anywhere; those that answer may be raised; "+ends,
		health.HubSuspect([]health.Member{gone(0), well(), gone(60)}, time.Minute).Message)
	require.Equal(t, "none of 2 members answers: the hub may be cut off itself, so nothing is lowered anywhere; "+ends,
		health.HubSuspect([]health.Member{gone(0), gone(900)}, time.Minute).Message)
}

// The order does not matter, the figures agree with the verdict, and one more that is well never brings doubt about.
func TestPropertyHubSuspect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) health.Member {
			if rapid.Bool().Draw(t, "well") {
				return well()
			}
			return because(gone(float64(rapid.IntRange(0, 200).Draw(t, "since"))), rapid.SampledFrom(health.Causes()).Draw(t, "cause"))
		}), 0, 8).Draw(t, "members")
		d := health.HubSuspect(members, time.Minute)
		drains := slices.Clone(members)
		for i, m := range drains {
			drains[i].Drain = m.State != h
		}
		require.False(t, health.HubSuspect(drains, time.Minute).Suspect, "all that are silent are drained")
		shuffled := rapid.Permutation(members).Draw(t, "order")
		other := health.HubSuspect(shuffled, time.Minute)
		require.Equal(t, d.Suspect, other.Suspect)
		if d.Suspect {
			require.Positive(t, d.Silent)
			require.Greater(t, 2*d.Silent, d.Of)
		} else {
			require.False(t, health.HubSuspect(append(members, well()), time.Minute).Suspect)
		}
	})
}
