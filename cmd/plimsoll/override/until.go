// SPDX-License-Identifier: Apache-2.0

package override

import (
	"fmt"
	"time"
)

// ParseUntil reads a time: with an offset, or in the zone of now; a time of day alone is the next one.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--until %q is not a time: write 23:00, 2026-11-12T02:00 or 2026-11-12T02:00:00+08:00", text)
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if today.After(now) {
		return today, nil
	}
	return time.Date(now.Year(), now.Month(), now.Day()+1, clock.Hour(), clock.Minute(), 0, 0, now.Location()), nil
}
