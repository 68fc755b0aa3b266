// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDayRisesAndFalls(t *testing.T) {
	day := Day{Length: 100 * time.Second, Quiet: 150, Peak: 3000}
	for _, tc := range []struct {
		at    time.Duration
		users int
		phase string
	}{
		{0, 150, "quiet"},
		{10*time.Second - 1, 150, "quiet"},
		{25 * time.Second, 1504, "morning rise"}, // the middle of the rise: 150 + 0.95*2850/2
		{40 * time.Second, 2858, "peak"},         // the plateau
		{49 * time.Second, 3000, "peak"},         // the top
		{58 * time.Second, 2858, "decline"},
		{71 * time.Second, 1504, "decline"},
		{84 * time.Second, 150, "night"},
		{100*time.Second - 1, 150, "night"},
		{100 * time.Second, 150, "quiet"}, // the next day
		{149 * time.Second, 3000, "peak"},
		{-51 * time.Second, 3000, "peak"}, // the day before
	} {
		require.Equal(t, tc.users, day.Users(tc.at), "at %s", tc.at)
		require.Equal(t, tc.phase, day.Phase(tc.at), "at %s", tc.at)
	}
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
