// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// everyDay is the bit that robfig/cron sets for a field written as *; then both day fields must match, else either.
const everyDay = 1 << 63

// workdays are the bits of Monday to Friday.
const workdays = 1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday

// crontab is a cron expression as local dates and times of day. The expression is parsed by robfig/cron, which
// CronJob uses; its Next is not used, because it skips local times that do not exist.
type crontab struct {
	dom, month, dow uint64
	times           []int64 // of the day, in seconds, ascending
}

func parseCron(text string) (*crontab, error) {
	const hint = "write five fields as in a CronJob, such as 0 19 * * 1-5"
	// robfig/cron reads TZ=, and panics when nothing follows it.
	if strings.Contains(text, "TZ=") {
		return nil, fmt.Errorf("%q names a time zone; use the schedule's timeZone instead", text)
	}
	if strings.HasPrefix(strings.TrimSpace(text), "@every") {
		return nil, fmt.Errorf("%q has no fixed times; %s", text, hint)
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%q is not a cron expression (%w); %s", text, err, hint)
	}
	bits, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q has no fixed times; %s", text, hint)
	}
	tab := &crontab{dom: bits.Dom, month: bits.Month, dow: bits.Dow}
	for hour := range 24 {
		for minute := range 60 {
			if bits.Hour&(1<<hour) != 0 && bits.Minute&(1<<minute) != 0 {
				tab.times = append(tab.times, int64(hour*3600+minute*60))
			}
		}
	}
	if len(tab.times) == 0 || !tab.everMatches() {
		return nil, fmt.Errorf("%q names no date that exists, so the window would never begin; %s", text, hint)
	}
	return tab, nil
}

// everMatches tries one whole cycle of leap years in which every weekday falls on every date.
func (c *crontab) everMatches() bool {
	first := dayOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	for d := first; d < first+28*366; d++ {
		if c.matches(d, 1<<d.weekday()) {
			return true
		}
	}
	return false
}

// matches says whether the expression begins windows on a date that counts as the given weekdays (a bit for each).
func (c *crontab) matches(d day, weekdays uint64) bool {
	if c.dow&weekdays == 0 && c.dom&everyDay != 0 {
		return false
	}
	_, month, dom := d.time().Date()
	if c.month&(1<<month) == 0 {
		return false
	}
	domMatches, dowMatches := c.dom&(1<<dom) != 0, c.dow&weekdays != 0
	if c.dom&everyDay != 0 || c.dow&everyDay != 0 {
		return domMatches && dowMatches
	}
	return domMatches || dowMatches
}
