// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"sync/atomic"
	"time"
)

// clock tells the time since the day began; it stands at 0 until start.
type clock struct{ began atomic.Pointer[time.Time] }

func (c *clock) start() {
	now := time.Now()
	c.began.Store(&now)
}

func (c *clock) since() time.Duration {
	began := c.began.Load()
	if began == nil {
		return 0
	}
	return time.Since(*began)
}
