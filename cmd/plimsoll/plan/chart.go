// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// The picture's size in its own units; the page scales it.
const (
	width, height           = 960.0, 280.0
	left, right, top, floor = 70.0, 16.0, 12.0, 30.0
)

// canvas draws into a plot with a linear y axis from 0.
type canvas struct {
	b          strings.Builder
	lowX, topX float64
	topY       float64
}

func newCanvas(lowX, topX, topY float64, label string) *canvas {
	c := &canvas{lowX: lowX, topX: topX, topY: nice(topY)}
	if c.topX <= c.lowX {
		c.topX = c.lowX + 1
	}
	fmt.Fprintf(&c.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, html.EscapeString(label))
	for i := range 5 {
		v := c.topY * float64(i) / 4
		y := c.y(v)
		fmt.Fprintf(&c.b, `<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="#d8dfe6"/>`, left, width-right, y, y)
		fmt.Fprintf(&c.b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-6, y+4, html.EscapeString(human.Number(v)))
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
	return left + (v-c.lowX)/(c.topX-c.lowX)*(width-left-right)
}

func (c *canvas) y(v float64) float64 {
	return height - floor - min(max(v, 0), c.topY)/c.topY*(height-floor-top)
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

// times writes the axis of a plot over time.
func (c *canvas) times(from, to time.Time) {
	layout := "2 Jan"
	if to.Sub(from) < 4*24*time.Hour {
		layout = "Mon 15:04"
	}
	for i := range 5 {
		at := from.Add(time.Duration(float64(to.Sub(from)) * float64(i) / 4))
		anchor := []string{"start", "middle", "middle", "middle", "end"}[i]
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, c.x(float64(at.Unix())), height-8, anchor, at.Format(layout))
	}
}

func (c *canvas) done() template.HTML {
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String())
}

// capacityChart shows demand, capacity and what was unserved.
func capacityChart(p picture) chart {
	xs, demand, capacity, most := p.seenValues()
	c := newCanvas(float64(p.from.Unix()), float64(p.to.Unix()), most, "demand and capacity over time with "+p.name)
	c.area(xs, demand, "#9db4c8")
	c.line(xs, capacity, "#0b6e4f", 1.2)
	shortfalls, at := 0, 0
	for i, unserved := range p.unserved {
		if !p.seen[i] {
			continue
		}
		if unserved > 0 {
			shortfalls++
			fmt.Fprintf(&c.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#c8102e" stroke-width="2"/>`,
				c.x(xs[at]), c.x(xs[at]), c.y(p.demand[i]-unserved), c.y(p.demand[i]))
		}
		at++
	}
	c.times(p.from, p.to)
	return chart{
		Title:   "Demand and capacity: " + p.name,
		Caption: fmt.Sprintf("Grey: demand. Green: what the ready replicas could serve (the least of every %s). Red: demand that was not served (in %s).", human.Age((p.to.Sub(p.from) / buckets).Round(time.Minute)), human.Things(shortfalls, "such time")),
		SVG:     c.done(),
	}
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
	c := newCanvas(xs[0], xs[len(xs)-1], max(most, otherMost), "the worst day of the HPA alone")
	c.area(xs, demand, "#c9d6e2")
	c.line(xs, capacity, "#c8102e", 1.6)
	c.line(otherXs, otherCapacity, "#0b6e4f", 1.6)
	c.times(time.Unix(int64(xs[0]), 0).UTC(), time.Unix(int64(xs[len(xs)-1]), 0).UTC())
	return chart{
		Title:   "The HPA's worst day",
		Caption: fmt.Sprintf("Grey: demand. Red: what the HPA's ready replicas could serve; where grey is above it, users waited. Green: the same with %s.", other.name),
		SVG:     c.done(),
	}
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
	c := newCanvas(xs[0], xs[len(xs)-1], most, "forecast, its bound and the actual demand")
	c.area(xs, upper, "#f7e3ae")
	c.line(xs, actual, "#1b2733", 1.4)
	c.line(xs, value, "#b07d00", 1.2)
	c.times(time.Unix(int64(xs[0]), 0).UTC(), time.Unix(int64(xs[len(xs)-1]), 0).UTC())
	return chart{
		Title:   fmt.Sprintf("The forecast, %s ahead, in the last days", r.Lead),
		Caption: fmt.Sprintf("Black: what came. Brown: what was forecast for then. Yellow: up to the bound for %.0f %%.", r.Quantile*100),
		SVG:     c.done(),
	}
}

// costChart shows replica-hours against unserved demand.
func (r Result) costChart() chart {
	var mostX, mostY float64
	for _, o := range r.Policies {
		mostX, mostY = max(mostX, o.ReplicaHours), max(mostY, o.UnservedShare*100)
	}
	c := newCanvas(0, nice(mostX), mostY, "replica-hours against unserved demand")
	for i := range 5 {
		v := c.topX * float64(i) / 4
		anchor := []string{"start", "middle", "middle", "middle", "end"}[i]
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, c.x(v), height-8, anchor, html.EscapeString(human.Number(v)))
	}
	var taken []float64
	for _, o := range r.Policies {
		x, y := c.x(o.ReplicaHours), c.y(o.UnservedShare*100)
		color, radius := "#5b6b7a", 5.0
		if o.Name == r.Recommendation.Policy {
			color, radius = "#0b6e4f", 7.0
		}
		label := y - 8
		for again := true; again; {
			again = false
			for _, t := range taken {
				if math.Abs(t-label) < 15 {
					label, again = t-15, true
				}
			}
			if label < top+10 {
				break
			}
		}
		taken = append(taken, label)
		anchor, shift := "start", 9.0
		if x > width*0.75 {
			anchor, shift = "end", -9.0
		}
		fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"/><line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width=".5"/>`, x, y, radius, color, x, x+shift, y, label, color)
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x+shift, label, anchor, html.EscapeString(o.Name))
	}
	return chart{
		Title:   "Cost against shortfall",
		Caption: "Across: replica-hours. Up: per cent of the demand unserved. Best is bottom left.",
		SVG:     c.done(),
	}
}

// PercentQuantile is Quantile for the page.
func (r Result) PercentQuantile() float64 { return r.Quantile * 100 }

// PercentCoverage is Coverage for the page.
func (r Result) PercentCoverage() float64 { return r.Coverage * 100 }

// PercentTop is CoverageTopDecile for the page.
func (r Result) PercentTop() float64 { return r.CoverageTopDecile * 100 }

// PercentOver is Overprovision for the page.
func (r Result) PercentOver() float64 { return r.Overprovision * 100 }
