// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTicksOf(t *testing.T) {
	const day = 24 * time.Hour
	for span, want := range map[time.Duration]string{
		time.Hour:       "15m0s Mon 15:04",
		day:             "3h0m0s Mon 15:04",
		7 * day:         "24h0m0s 2 Jan",
		43 * day:        "168h0m0s 2 Jan",
		365 * day:       "1344h0m0s 2 Jan",
		10 * 365 * day:  "34944h0m0s Jan 2006",
		200 * 365 * day: "34944h0m0s Jan 2006",
	} {
		step, layout := ticksOf(span, 8)
		require.Equal(t, want, fmt.Sprint(step, " ", layout), span)
	}
}

// Labels of as many policies as there are never lie on each other or on a dot, on a desk and on a phone.
func TestLabelsDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCanvas(rapid.SampledFrom([]size{wide, narrow}).Draw(t, "size"), 0, 1, 1, "")
		var taken []box
		for range rapid.IntRange(1, 5).Draw(t, "dots") {
			x, y := c.x(rapid.Float64Range(0, 1).Draw(t, "x")), c.y(rapid.Float64Range(0, 1).Draw(t, "y"))
			taken = append(taken, box{x - 5, y - 5, x + 5, y + 5})
		}
		for i, dot := range taken {
			label := c.place(Names[i][0], (dot.left+dot.right)/2, (dot.top+dot.bottom)/2, taken)
			require.False(t, label.meetsAny(taken), "%v meets one of %v", label, taken)
			require.GreaterOrEqual(t, label.left, c.left)
			require.LessOrEqual(t, label.right, c.width)
			taken = append(taken, label)
		}
	})
}
