// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"html"
	"html/template"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// costChart shows replica-hours against unserved demand.
func (r Result) costChart() chart {
	return both("Cost against shortfall", "Across: replica-hours. Up: per cent of the demand unserved. Best is bottom left.", r.drawCosts)
}

func (r Result) drawCosts(z size) template.HTML {
	var mostX, mostY float64
	for _, o := range r.Policies {
		mostX, mostY = max(mostX, o.ReplicaHours), max(mostY, o.UnservedShare*100)
	}
	c := newCanvas(z, 0, nice(mostX), mostY, "replica-hours against unserved demand")
	for i := range z.ticks/2 + 1 {
		v := c.topX * float64(i) / float64(z.ticks/2)
		c.below(v, human.Number(v))
	}
	var taken []box
	for _, o := range r.Policies {
		x, y := c.x(o.ReplicaHours), c.y(o.UnservedShare*100)
		color, radius := "#5b6b7a", 5.0
		if o.Name == r.Recommendation.Policy {
			color, radius = "#0b6e4f", 7.0
		}
		fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"/>`, x, y, radius, color)
		taken = append(taken, box{x - radius, y - radius, x + radius, y + radius})
	}
	for i, o := range r.Policies {
		x, y := (taken[i].left+taken[i].right)/2, (taken[i].top+taken[i].bottom)/2
		label := c.place(o.Name, x, y, taken)
		taken = append(taken, label)
		end := min(max(x, label.left), label.right)
		if label.bottom < y-radiusOfLabel || label.top > y+radiusOfLabel {
			fmt.Fprintf(&c.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#5b6b7a" stroke-width=".5"/>`, x, end, y, (label.top+label.bottom)/2)
		}
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f">%s</text>`, label.left, label.bottom-3, html.EscapeString(o.Name))
	}
	return c.done()
}

// box is a rectangle of the picture; y grows downwards.
type box struct{ left, top, right, bottom float64 }

func (b box) meets(other box) bool {
	return b.left < other.right && other.left < b.right && b.top < other.bottom && other.top < b.bottom
}

// The size of a label: of a letter, and of the line. A label further from its dot than radiusOfLabel gets a line to it.
const (
	letterWidth   = 7.4
	labelHeight   = 14.0
	labelGap      = 10.0
	radiusOfLabel = 10.0
)

// place finds room for a label: as near as possible to its dot's height, beside, above or below it, or else anywhere.
func (c *canvas) place(text string, x, y float64, taken []box) box {
	long := min(letterWidth*float64(len(text)), c.width-c.left)
	best := box{c.left, y - labelHeight/2, c.left + long, y + labelHeight/2}
	lefts := []float64{x + labelGap, x - labelGap - long, x - long/2}
	for left := c.left; left < c.width-long; left += 2 * labelGap {
		lefts = append(lefts, left)
	}
	const apart = 3 // between the heights that are tried
	for step := range int(c.height) / apart {
		for _, down := range []float64{-apart, apart} {
			middle := y + down*float64(step)
			if middle-labelHeight/2 < 0 || middle+labelHeight/2 > c.height-floor {
				continue
			}
			for i, left := range lefts {
				label := box{left, middle - labelHeight/2, left + long, middle + labelHeight/2}
				near := i < 3 || float64(step*apart) > 2*labelHeight
				if near && label.left >= c.left && label.right <= c.width && !label.meetsAny(taken) {
					return label
				}
			}
		}
	}
	return best
}

func (b box) meetsAny(others []box) bool {
	for _, other := range others {
		if b.meets(other) {
			return true
		}
	}
	return false
}
