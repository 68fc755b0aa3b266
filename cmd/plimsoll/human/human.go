// SPDX-License-Identifier: Apache-2.0

// Package human writes numbers, ages and lists the way people read them: 31.5, 12,400, 3.2s.
package human

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Number writes v with thousands separators: whole from 1,000 on, with at most one decimal from 10 on, at most three
// below; tiny and huge numbers with an exponent.
func Number(v float64) string {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "not a number"
	case math.IsInf(v, 0):
		return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), "Inf", "infinite", 1)
	case abs >= 1e15:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case abs >= 999.95:
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	case abs >= 10:
		return trim(strconv.FormatFloat(v, 'f', 1, 64))
	case abs >= 0.001 || v == 0:
		return trim(strconv.FormatFloat(v, 'f', 3, 64))
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}

// Count writes a whole number with thousands separators.
func Count(n int) string { return commas(strconv.Itoa(n)) }

// Things is "1 pod" or "12,400 pods".
func Things(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}

// Age writes a duration as people say ages: 450ms, 3.2s, 45s, 4m10s, 3h5m, 2d4h. Negative ages, of clocks that
// disagree, keep their sign.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Age(-d)
	case d < 950*time.Millisecond:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + "ms"
	case d < 9950*time.Millisecond:
		return trim(strconv.FormatFloat(d.Seconds(), 'f', 1, 64)) + "s"
	}
	d = d.Round(time.Second)
	switch {
	case d < 2*time.Minute:
		return pair(d, time.Second, "s", 0, "")
	case d < time.Hour:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d < 48*time.Hour:
		return pair(d, time.Hour, "h", time.Minute, "m")
	default:
		return pair(d, 24*time.Hour, "d", time.Hour, "h")
	}
}

// Seconds converts a number of seconds to a duration, within a duration's range.
func Seconds(s float64) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	if math.IsNaN(s) {
		return 0
	}
	return time.Duration(math.Max(-most, math.Min(most, s)) * float64(time.Second))
}

// pair writes the duration in two units, the second one only if there is any of it.
func pair(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	out := strconv.FormatInt(int64(d/large), 10) + largeName
	if small == 0 || d%large < small {
		return out
	}
	return out + strconv.FormatInt(int64(d%large/small), 10) + smallName
}

func trim(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func commas(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
