// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"sync/atomic"
	"time"
)

// clock tells the time since the first day began; before it has a beginning, it stands at a late hour of the night.
type clock struct{ began atomic.Pointer[time.Time] }

// night is what the clock shows before it has a beginning.
const night = -5 * time.Second

// begin sets when the first day begins, which may be to come.
func (c *clock) begin(at time.Time) { c.began.Store(&at) }

func (c *clock) since() time.Duration {
	began := c.began.Load()
	if began == nil {
		return night
	}
	return time.Since(*began)
}

// wait returns when the first day begins, or the context ends.
func (c *clock) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(-c.since()):
	}
}
