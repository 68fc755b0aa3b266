// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/replay"
)

// controllerLines are what a kube-controller-manager 1.36 wrote, and lines that say nothing of looks.
const controllerLines = `I1122 23:24:07.905853    3146 horizontal.go:204] "Starting HPA controller"
I1122 23:24:17.152607    3146 horizontal.go:1507] "Successfully updated status" HPA="shop/shop"
E1122 23:24:17.152707    3146 horizontal.go:289] "Unhandled Error" err="failed to compute desired number of replicas based on listed metrics for Deployment/shop/shop: invalid metrics" logger="UnhandledError"
I1122 23:24:17.423029    3146 horizontal.go:981] "Successfully rescaled" HPA="shop-planned/shop" currentReplicas=2 desiredReplicas=4 reason="Current number of replicas below Spec.MinReplicas"
I1122 23:24:22.423029    3146 horizontal.go:907] "Proposing desired replicas" desiredReplicas=3 metric="pods metric online_users" tolerances="[down:10.0%, up:10.0%]" timestamp="2026-11-22 23:24:19 +0000 UTC" scaleTarget="Deployment/shop-planned/shop"
I1122 23:24:27.189791    3146 horizontal.go:907] "Proposing desired replicas" desiredReplicas=2 metric="pods metric online_users" tolerances="[down:10.0%, up:10.0%]" timestamp="2026-11-22 23:24:24 +0000 UTC" scaleTarget="Deployment/shop/shop"
W1122 23:24:27.189800    3146 reflector.go:1] "Some warning" desiredReplicas=9
I1122 23:24:27.189867    3146 horizontal.go:1008] "Decided not to scale" scaleTarget="Deployment/shop/shop" desiredReplicas=2 lastScaleTime=""
I1122 23:24:27.748716    3146 horizontal.go:981] "Successfully rescaled" HPA="shop-planned/shop" currentReplicas=4 desiredReplicas=3 reason="All metrics below target"
`

func TestParseLooks(t *testing.T) {
	about := time.Date(2026, 11, 22, 23, 20, 0, 0, time.Local)
	at := func(seconds int, micros int) time.Time {
		return time.Date(2026, 11, 22, 23, 24, seconds, micros*1000, time.Local)
	}
	utc := func(seconds int) time.Time { return time.Date(2026, 11, 22, 23, 24, seconds, 0, time.UTC) }
	looks, err := parseLooks(strings.NewReader(controllerLines), about)
	require.NoError(t, err)
	require.Len(t, looks, 2)
	require.Len(t, looks["shop"], 1)
	require.Len(t, looks["shop-planned"], 2)
	for i, want := range []replay.Look{{Time: at(17, 423029), Wanted: -1, Replicas: 4}, {Time: at(22, 423029), Measured: utc(19), Wanted: 3, Replicas: 3}} {
		requireLook(t, want, looks["shop-planned"][i])
	}
	requireLook(t, replay.Look{Time: at(27, 189791), Measured: utc(24), Wanted: 2, Replicas: 2}, looks["shop"][0])

	for name, line := range map[string]string{
		"time":      `I1322 23:24:17.423029    3146 horizontal.go:981] "Successfully rescaled" HPA="shop/shop" desiredReplicas=4`,
		"replicas":  `I1122 23:24:17.423029    3146 horizontal.go:981] "Successfully rescaled" HPA="shop/shop"`,
		"wanted":    `I1122 23:24:17.423029    3146 horizontal.go:907] "Proposing desired replicas" timestamp="2026-11-22 23:24:19 +0000 UTC"`,
		"timestamp": `I1122 23:24:17.423029    3146 horizontal.go:907] "Proposing desired replicas" desiredReplicas=3`,
	} {
		_, err := parseLooks(strings.NewReader(line), about)
		require.Error(t, err, name)
	}
}

func requireLook(t *testing.T, want, got replay.Look) {
	t.Helper()
	require.True(t, want.Time.Equal(got.Time), "%s, not %s", got.Time, want.Time)
	require.True(t, want.Measured.Equal(got.Measured), "%s, not %s", got.Measured, want.Measured)
	require.Equal(t, [2]int{want.Wanted, want.Replicas}, [2]int{got.Wanted, got.Replicas})
}

// The year of a line is the one that brings it next to the day.
func TestLogTimeAtNewYear(t *testing.T) {
	for about, want := range map[time.Time]int{
		time.Date(2026, 12, 31, 23, 59, 0, 0, time.Local): 2027,
		time.Date(2027, 1, 1, 0, 1, 0, 0, time.Local):     2027,
	} {
		at, err := logTime("0101 00:00:05.000000", about)
		require.NoError(t, err)
		require.Equal(t, want, at.Year())
	}
	at, err := logTime("1231 23:59:05.000000", time.Date(2027, 1, 1, 0, 1, 0, 0, time.Local))
	require.NoError(t, err)
	require.Equal(t, 2026, at.Year())
}
