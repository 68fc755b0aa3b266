// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clock that was an hour ahead for a while blinds nothing once it is right again; whether the source has values of that
// hour (its clock was ahead, too) or not.
func TestClockWasAhead(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]bool{"the loop's only": false, "the source's, too": true} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.look(t)
			right := b.now
			b.now = right.Add(time.Hour)
			if values {
				b.fill(t, b.now.Truncate(time.Minute))
			}
			b.look(t)
			b.now = right
			if !values {
				b.fill(t, start.Add(10*time.Minute))
			}
			b.look(t)
			b.now = right.Add(10 * time.Minute)
			s := b.look(t)
			require.True(t, b.loop.entries.all[key].shown.Load().newest.Equal(start.Add(10*time.Minute)), b.loop.entries.all[key].shown.Load().newest)
			require.NotNil(t, s.Floor)
		})
	}
}
