// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"sync"
	"time"

	// Container images often lack the zone database; without it every schedule would be refused.
	_ "time/tzdata"
)

const (
	secondsPerDay = 24 * 60 * 60
	// No clock was ever further from UTC than this: the first date of a zone's table is within 15h56m.
	maxOffset = 16 * 60 * 60
)

// Zones loads time zones and keeps each once, so that ten thousand schedules in one zone share it. The zero value is
// ready for use, also by several goroutines. A nil *Zones loads without keeping.
type Zones struct {
	mu     sync.Mutex
	loaded map[string]*time.Location
}

// Load returns the zone with an IANA name such as Asia/Shanghai. "", "Local" and unknown names are errors.
func (z *Zones) Load(name string) (*time.Location, error) {
	if z == nil {
		return loadZone(name)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if loc, ok := z.loaded[name]; ok {
		return loc, nil
	}
	loc, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if z.loaded == nil {
		z.loaded = map[string]*time.Location{}
	}
	z.loaded[name] = loc
	return loc, nil
}

func loadZone(name string) (*time.Location, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("a time zone is required; write an IANA name such as Asia/Shanghai or UTC")
	case strings.EqualFold(name, "local"):
		return nil, fmt.Errorf("time zone %q means something else on every machine; write an IANA name such as Asia/Shanghai or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is not known; write an IANA name such as Asia/Shanghai or UTC, not an abbreviation or an offset", name)
	}
	return loc, nil
}

// clock resolves wall times of one zone. It remembers the stretch of constant offset that it used last; a copy per
// goroutine is enough.
type clock struct {
	loc        *time.Location
	start, end int64 // the stretch, Unix seconds, half-open
	offset     int64 // seconds east of UTC
	valid      bool
}

const (
	beginningOfTime = -1 << 60
	endOfTime       = 1 << 60
)

func (c *clock) moveTo(at int64) {
	if c.valid && at >= c.start && at < c.end {
		return
	}
	t := time.Unix(at, 0).In(c.loc)
	_, offset := t.Zone()
	c.start, c.end, c.offset, c.valid = beginningOfTime, endOfTime, int64(offset), true
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		c.start = start.Unix()
	}
	if !end.IsZero() {
		c.end = end.Unix()
	}
}

// resolve returns the first instant (Unix seconds) at which the zone's clock reads wall or later; wall is a local date
// and time counted as if it were UTC. For a time that the clock skips this is the end of the gap, for one that it
// shows twice the first. moved says that the clock never reads wall.
func (c *clock) resolve(wall int64) (at int64, moved bool) {
	from := wall - maxOffset
	for {
		c.moveTo(from)
		at = max(from, wall-c.offset)
		if at < c.end {
			return at, at+c.offset != wall
		}
		from = c.end
	}
}

// twice says that the clock shows wall a second time after at, its first.
func (c *clock) twice(at, wall int64) bool {
	c.moveTo(at)
	next := c.end
	if next == endOfTime || next > at+maxOffset {
		return false
	}
	c.moveTo(next)
	again := wall - c.offset
	return again >= next && again < c.end
}

// wallOf returns what the zone's clock reads at an instant, counted as if it were UTC.
func (c *clock) wallOf(at int64) int64 {
	c.moveTo(at)
	return at + c.offset
}
