// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDayRisesAndFalls(t *testing.T) {
	day := Day{Length: 100 * time.Second, Quiet: 150, Peak: 3000}
	const busyUsers, mentionUsers = 1347, 2117 // 150, and 0.42 and 0.69 of 2,850
	for _, tc := range []struct {
		at    time.Duration
		users int
		phase string
	}{
		{0, 150, "quiet"},
		{8*time.Second - 1, 150, "quiet"},
		{19 * time.Second, 749, "morning rise"}, // the middle of the rise
		{40 * time.Second, busyUsers, "day"},
		{47 * time.Second, mentionUsers, "TV mention"},
		{59 * time.Second, busyUsers, "day"},
		{64 * time.Second, 1889, "evening"}, // the middle of its rise
		{70 * time.Second, 3000, "evening sale"},
		{90 * time.Second, 150, "night"},
		{147 * time.Second, 2201, "TV mention"}, // the next day, which is 4 % busier
		{-60 * time.Second, 1132, "day"},        // the day before, a quiet one, had no event
		{-53 * time.Second, 1132, "TV mention"},
		{-20 * time.Second, 1996, "decline"},
		{-5 * time.Second, 126, "night"},
	} {
		require.InDelta(t, tc.users, day.Users(tc.at), 1, "at %s", tc.at)
		require.Equal(t, tc.phase, day.Phase(tc.at), "at %s", tc.at)
	}
	from, to := day.Sale()
	require.Equal(t, []time.Duration{66 * time.Second, 79 * time.Second}, []time.Duration{from, to})
	from, to = day.Mention()
	require.Equal(t, []time.Duration{44 * time.Second, 54 * time.Second}, []time.Duration{from, to})
}

func TestDayNoise(t *testing.T) {
	calm := Day{Length: 3 * time.Minute, Quiet: 150, Peak: 3000}
	noisy := calm
	noisy.Noise, noisy.Seed = 0.02, 7
	other := noisy
	other.Seed = 8
	differ, seeds := 0, 0
	for at := time.Duration(0); at < calm.Length; at += time.Second {
		require.InEpsilon(t, calm.Users(at), noisy.Users(at), 0.025, "at %s", at)
		require.Equal(t, noisy.Users(at), noisy.Users(at))
		if calm.Users(at) != noisy.Users(at) {
			differ++
		}
		if other.Users(at) != noisy.Users(at) {
			seeds++
		}
	}
	require.Greater(t, differ, 90)
	require.Greater(t, seeds, 90)
}

func TestDayWithoutLength(t *testing.T) {
	require.Equal(t, 5, Day{Quiet: 5, Peak: 10}.Users(time.Hour))
}
