// SPDX-License-Identifier: Apache-2.0

package plan

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Parse(reportText))

// page is what the template shows.
type page struct {
	Result
	Currency string
	Headings []string
	Rows     []row
	Names    [][2]string
	Charts   []chart
	Made     string
}

type row struct {
	Cells []string
	Best  bool
}

type chart struct {
	Title   string
	Caption string
	// Made by this package from numbers and escaped text only.
	Wide, Narrow template.HTML
}

// WriteReport writes one self-contained HTML page. made is the time that it names.
func (r Result) WriteReport(out io.Writer, made time.Time, currency string) error {
	headings, _ := r.columns()
	p := page{Result: r, Currency: currency, Headings: headings, Names: Names, Made: made.Format("2006-01-02 15:04")}
	for i, o := range r.Policies {
		_, cells := r.columns(i)
		p.Rows = append(p.Rows, row{Cells: cells, Best: o.Name == r.Recommendation.Policy})
	}
	p.Charts = append(p.Charts, r.worstDay())
	for _, line := range r.pictures.lines {
		if line.name == PlainHPA || line.name == r.Recommendation.Policy {
			p.Charts = append(p.Charts, capacityChart(line))
		}
	}
	p.Charts = append(p.Charts, r.bandChart(), r.costChart())
	if err := reportPage.Execute(out, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
