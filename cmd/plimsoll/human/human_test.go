// SPDX-License-Identifier: Apache-2.0

package human

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "31.5": 31.5, "100": 100, "99.9": 99.94, "12,400": 12400, "1,000": 999.96, "999.9": 999.94, "-1,234,567": -1234567.2,
		"0.25": 0.25, "3.142": math.Pi, "0.333": 1.0 / 3, "0.00012": 0.00012, "1e+18": 1e18, "not a number": math.NaN(),
		"+infinite": math.Inf(1), "-infinite": math.Inf(-1), "10": 10.04, "123": 123,
	} {
		require.Equal(t, want, Number(v))
	}
}

func TestCounts(t *testing.T) {
	require.Equal(t, "12,400", Count(12400))
	require.Equal(t, "-100", Count(-100))
	require.Equal(t, "1 object", Things(1, "object"))
	require.Equal(t, "0 objects", Things(0, "object"))
	require.Equal(t, "1,234 objects", Things(1234, "object"))
}

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0ms": 0, "450ms": 450 * time.Millisecond, "949ms": 949 * time.Millisecond, "1s": 951 * time.Millisecond,
		"3.2s": 3214 * time.Millisecond, "10s": 9951 * time.Millisecond, "45s": 45400 * time.Millisecond, "119s": 119 * time.Second,
		"2m": 120 * time.Second, "4m10s": 250 * time.Second, "1h": time.Hour, "3h5m": 3*time.Hour + 5*time.Minute + 59*time.Second,
		"2d4h": 52 * time.Hour, "-1.5s": -1500 * time.Millisecond,
	} {
		require.Equal(t, want, Age(d), "%d", d)
	}
}

func TestSeconds(t *testing.T) {
	require.Equal(t, 2100*time.Millisecond, Seconds(2.1))
	require.Zero(t, Seconds(math.NaN()))
	require.Positive(t, Seconds(math.Inf(1)))
	require.Negative(t, Seconds(math.Inf(-1)))
}
