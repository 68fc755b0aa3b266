// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// size is a picture's, in its own units; the page scales it. Every chart is drawn twice: text that is made for a desk is
// too small on a phone.
type size struct {
	width, height, left float64
	ticks               int // on the axis across
}

var (
	wide   = size{width: 960, height: 280, left: 70, ticks: 8}
	narrow = size{width: 370, height: 250, left: 54, ticks: 4}
)

// The margins.
const right, top, floor = 16.0, 12.0, 30.0

// both draws a chart in both sizes.
func both(title, caption string, draw func(size) template.HTML) chart {
	return chart{Title: title, Caption: caption, Wide: draw(wide), Narrow: draw(narrow)}
}

// canvas draws into a plot with a linear y axis from 0.
type canvas struct {
	size
	b          strings.Builder
	lowX, topX float64
	topY       float64
}

func newCanvas(z size, lowX, topX, topY float64, label string) *canvas {
	c := &canvas{size: z, lowX: lowX, topX: topX, topY: nice(topY)}
	if c.topX <= c.lowX {
		c.topX = c.lowX + 1
	}
	fmt.Fprintf(&c.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, c.width, c.height, html.EscapeString(label))
	for i := range 5 {
		v := c.topY * float64(i) / 4
		y := c.y(v)
		fmt.Fprintf(&c.b, `<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="#d8dfe6"/>`, c.left, c.width-right, y, y)
		fmt.Fprintf(&c.b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, c.left-6, y+4, html.EscapeString(human.Number(v)))
	}
	return c
}

// nice rounds up to 1, 2, 2.5, 4, 5 or 8 times a power of ten, so that quarters of it read well.
func nice(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 4, 5, 8, 10} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

func (c *canvas) x(v float64) float64 {
	return c.left + (v-c.lowX)/(c.topX-c.lowX)*(c.width-c.left-right)
}

func (c *canvas) y(v float64) float64 {
	return c.height - floor - min(max(v, 0), c.topY)/c.topY*(c.height-floor-top)
}

// path writes the points as an SVG path.
func (c *canvas) path(xs, ys []float64) string {
	var b strings.Builder
	for i := range xs {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, c.x(xs[i]), c.y(ys[i]))
	}
	return b.String()
}

func (c *canvas) line(xs, ys []float64, color string, thickness float64) {
	if len(xs) > 0 {
		fmt.Fprintf(&c.b, `<path d="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"/>`, c.path(xs, ys), color, thickness)
	}
}

// area fills between the line and zero.
func (c *canvas) area(xs, ys []float64, color string) {
	if len(xs) > 0 {
		fmt.Fprintf(&c.b, `<path d="%sL%.1f %.1fL%.1f %.1fZ" fill="%s"/>`, c.path(xs, ys),
			c.x(xs[len(xs)-1]), c.y(0), c.x(xs[0]), c.y(0), color)
	}
}

// between fills between two lines.
func (c *canvas) between(xs, low, high []float64, color string) {
	if len(xs) == 0 {
		return
	}
	backX, backY := slices.Clone(xs), slices.Clone(low)
	slices.Reverse(backX)
	slices.Reverse(backY)
	fmt.Fprintf(&c.b, `<path d="%s%sZ" fill="%s"/>`, c.path(xs, high), strings.Replace(c.path(backX, backY), "M", "L", 1), color)
}

// times writes the axis of a plot over time: round times, in UTC.
func (c *canvas) times(from, to time.Time) {
	step, layout := ticksOf(to.Sub(from), c.ticks)
	for at := from.Truncate(step); !at.After(to); at = at.Add(step) {
		if x := c.x(float64(at.Unix())); at.Before(from) || x > c.width-halfLabel {
			continue // its text would reach into its neighbour's
		}
		c.below(float64(at.Unix()), at.UTC().Format(layout))
	}
}

// ticksOf chooses a round distance of at most so many ticks, and how to write them.
func ticksOf(span time.Duration, most int) (time.Duration, string) {
	const day = 24 * time.Hour
	step := time.Minute
	for _, step = range []time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day,
		7 * day, 14 * day, 28 * day, 56 * day, 112 * day, 364 * day, 4 * 364 * day,
	} {
		if span/step <= time.Duration(most) {
			break
		}
	}
	switch {
	case step < day:
		return step, "Mon 15:04"
	case span < 400*day:
		return step, "2 Jan"
	}
	return step, "Jan 2006"
}

// halfLabel is half of the width of a text under the axis.
const halfLabel = 28

// below writes under the axis, within the picture.
func (c *canvas) below(v float64, text string) {
	x, anchor := c.x(v), "middle"
	switch {
	case x < halfLabel:
		anchor = "start"
	case x > c.width-halfLabel:
		anchor = "end"
	}
	fmt.Fprintf(&c.b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, x, c.height-8, anchor, html.EscapeString(text))
}

func (c *canvas) done() template.HTML {
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String())
}

// capacityChart shows demand, capacity and what was unserved.
func capacityChart(p picture) chart {
	xs, demand, capacity, most := p.seenValues()
	shortfalls := 0
	draw := func(z size) template.HTML {
		c := newCanvas(z, float64(p.from.Unix()), float64(p.to.Unix()), most, "demand and capacity over time with "+p.name)
		c.area(xs, demand, "#9db4c8")
		c.line(xs, capacity, "#0b6e4f", 1.2)
		shortfalls = c.shortfalls(p, xs)
		c.times(p.from, p.to)
		return c.done()
	}
	out := both("Demand and capacity: "+p.name, "", draw)
	out.Caption = fmt.Sprintf("Grey: demand. Green: what the ready replicas could serve (the least of every %s). Red: demand that was not served (in %s).",
		human.Age((p.to.Sub(p.from) / buckets).Round(time.Minute)), human.Things(shortfalls, "such time"))
	return out
}

// shortfalls marks what was unserved, and counts where.
func (c *canvas) shortfalls(p picture, xs []float64) int {
	count, at := 0, 0
	for i, unserved := range p.unserved {
		if !p.seen[i] {
			continue
		}
		if unserved > 0 {
			count++
			fmt.Fprintf(&c.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#c8102e" stroke-width="2"/>`,
				c.x(xs[at]), c.x(xs[at]), c.y(p.demand[i]-unserved), c.y(p.demand[i]))
		}
		at++
	}
	return count
}

// seenValues are the values of a picture's buckets that were reached, with their times.
func (p picture) seenValues() (xs, demand, capacity []float64, most float64) {
	step := float64(p.to.Sub(p.from)) / buckets
	for i := range p.demand {
		if p.seen[i] {
			xs = append(xs, float64(p.from.Add(time.Duration(float64(i)*step)).Unix()))
			demand, capacity = append(demand, p.demand[i]), append(capacity, p.capacity[i])
			most = max(most, p.demand[i], p.capacity[i])
		}
	}
	return xs, demand, capacity, most
}

// worstDay compares the HPA with another policy around the HPA's worst moment.
func (r Result) worstDay() chart {
	plain, other := r.pictures.zoomed[0], r.pictures.zoomed[1]
	xs, demand, capacity, most := plain.seenValues()
	otherXs, _, otherCapacity, otherMost := other.seenValues()
	if len(xs) == 0 {
		return chart{Title: "The worst day", Caption: "It is outside of the history."}
	}
	from, to := time.Unix(int64(xs[0]), 0).UTC(), time.Unix(int64(xs[len(xs)-1]), 0).UTC()
	caption := fmt.Sprintf("Grey: demand. Red: what the HPA's ready replicas could serve; where grey is above it, users waited. Green: the same with %s.", other.name)
	return both("The HPA's worst day, "+from.Add(to.Sub(from)/2).Format("2 January 2006"), caption, func(z size) template.HTML {
		c := newCanvas(z, xs[0], xs[len(xs)-1], max(most, otherMost), "the worst day of the HPA alone")
		c.area(xs, demand, "#c9d6e2")
		c.line(xs, capacity, "#c8102e", 1.6)
		c.line(otherXs, otherCapacity, "#0b6e4f", 1.6)
		c.times(from, to)
		return c.done()
	})
}

// bandDays is how much of the forecast is shown.
const bandDays = 7

// bandChart shows the forecast of the last days and its bound against what came.
func (r Result) bandChart() chart {
	var xs, actual, value, upper []float64
	var most float64
	outcomes := r.pictures.outcomes
	for _, o := range outcomes {
		if outcomes[len(outcomes)-1].Time.Sub(o.Time) > bandDays*24*time.Hour {
			continue
		}
		xs = append(xs, float64(o.Time.Unix()))
		actual, value, upper = append(actual, o.Actual), append(value, o.Forecast), append(upper, o.Upper)
		most = max(most, o.Actual, o.Forecast, o.Upper)
	}
	if len(xs) == 0 {
		return chart{Title: "The forecast", Caption: "There is no forecast to show."}
	}
	caption := fmt.Sprintf("Black: what came. Brown: what was forecast for then. Yellow: from there to the bound for %.4g %%.", r.Quantile*100)
	return both(fmt.Sprintf("The forecast, %s ahead, in the last days", r.Lead), caption, func(z size) template.HTML {
		c := newCanvas(z, xs[0], xs[len(xs)-1], most, "forecast, its bound and the actual demand")
		c.between(xs, value, upper, "#f5d98c")
		c.line(xs, actual, "#1b2733", 1.2)
		c.line(xs, value, "#b07d00", 1)
		c.times(time.Unix(int64(xs[0]), 0), time.Unix(int64(xs[len(xs)-1]), 0))
		return c.done()
	})
}

// PercentQuantile is Quantile for the page.
func (r Result) PercentQuantile() float64 { return r.Quantile * 100 }

// PercentCoverage is Coverage for the page.
func (r Result) PercentCoverage() float64 { return r.Coverage * 100 }

// PercentTop is CoverageTopDecile for the page.
func (r Result) PercentTop() float64 { return r.CoverageTopDecile * 100 }

// PercentOver is Overprovision for the page.
func (r Result) PercentOver() float64 { return r.Overprovision * 100 }
