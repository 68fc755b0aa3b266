// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Report is what is printed.
type Report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Step     string    `json:"step"`
	Currency string    `json:"currency,omitempty"`
	HPAs     []Row     `json:"hpas"`
	Sum      Row       `json:"sum"`
	Notes    []string  `json:"notes,omitempty"`
}

// Row is one HPA, or the sum of all. Hours are replica-hours; costs are absent without a price.
type Row struct {
	Namespace string  `json:"namespace,omitempty"`
	HPA       string  `json:"hpa,omitempty"`
	DataShare float64 `json:"dataShare"` // of the time, from 0 to 1; the hours are of that time only

	Total    Amount `json:"total"`
	Base     Amount `json:"base"`
	Schedule Amount `json:"schedule"`
	Forecast Amount `json:"forecast"`
	Override Amount `json:"override"`
	Unknown  Amount `json:"unknown"` // held by a floor while it is unknown what the HPA alone would have had

	By    []Part `json:"by,omitempty"`
	Plain Plain  `json:"plain"`
}

// Amount is an amount of replica-hours and what it costs.
type Amount struct {
	ReplicaHours float64  `json:"replicaHours"`
	Cost         *float64 `json:"cost,omitempty"`
}

// Part is what one schedule's window, forecast or override held.
type Part struct {
	Winner
	Amount
}

// Plain is the plain HPA, while it is known what it would have had.
type Plain struct {
	Amount
	Actual       Amount  `json:"actual"`    // what there was in the same time
	TimeShare    float64 `json:"timeShare"` // of the whole time, from 0 to 1
	FewerMinutes float64 `json:"fewerMinutes"`
}

// Price returns what one replica-hour of an HPA costs; false: unknown.
type Price func(namespace, hpa string) (float64, bool)

// Make turns usages into a report. price may be nil.
func Make(usages []Usage, price Price) Report {
	r := Report{HPAs: []Row{}}
	var priced, all int
	for _, u := range usages {
		each := (*float64)(nil)
		if price != nil {
			all++
			if p, known := price(u.Namespace, u.HPA); known {
				each, priced = &p, priced+1
			}
		}
		row := rowOf(u, each)
		r.HPAs = append(r.HPAs, row)
		r.Sum.add(row)
	}
	var known, asked, plain time.Duration
	for _, u := range usages {
		known, asked, plain = known+u.Known, asked+u.Asked, plain+u.PlainTime
	}
	if asked > 0 {
		r.Sum.DataShare, r.Sum.Plain.TimeShare = float64(known)/float64(asked), float64(plain)/float64(asked)
	}
	if priced < all {
		r.Notes = append(r.Notes, fmt.Sprintf("%s of %d have no cost, because the requests of their pods are not known; the sum is of the others", human.Things(all-priced, "HPA"), all))
	}
	return r
}

func rowOf(u Usage, price *float64) Row {
	amount := func(hours float64) Amount {
		a := Amount{ReplicaHours: rounded(hours)}
		if price != nil {
			cost := rounded(hours * *price)
			a.Cost = &cost
		}
		return a
	}
	row := Row{
		Namespace: u.Namespace, HPA: u.HPA, DataShare: u.Share(), Total: amount(u.Total), Unknown: amount(u.Unknown),
		Base: amount(u.Of(bounds.KindBase)), Schedule: amount(u.Of(bounds.KindSchedule)),
		Forecast: amount(u.Of(bounds.KindForecast)), Override: amount(u.Of(bounds.KindOverride)),
		Plain: Plain{Amount: amount(u.Plain), Actual: amount(u.PlainOf), FewerMinutes: u.Fewer.Minutes()},
	}
	if u.Asked > 0 {
		row.Plain.TimeShare = float64(u.PlainTime) / float64(u.Asked)
	}
	for _, by := range u.winners() {
		if by != base {
			row.By = append(row.By, Part{by, amount(u.By[by])})
		}
	}
	return row
}

// rounded drops what adding up many small numbers leaves behind.
func rounded(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func (r *Row) add(other Row) {
	for _, pair := range [][2]*Amount{
		{&r.Total, &other.Total}, {&r.Base, &other.Base}, {&r.Schedule, &other.Schedule}, {&r.Forecast, &other.Forecast},
		{&r.Override, &other.Override}, {&r.Unknown, &other.Unknown}, {&r.Plain.Amount, &other.Plain.Amount}, {&r.Plain.Actual, &other.Plain.Actual},
	} {
		into, from := pair[0], pair[1]
		into.ReplicaHours = rounded(into.ReplicaHours + from.ReplicaHours)
		if from.Cost != nil {
			sum := *from.Cost
			if into.Cost != nil {
				sum = rounded(sum + *into.Cost)
			}
			into.Cost = &sum
		}
	}
	r.Plain.FewerMinutes += other.Plain.FewerMinutes
}

// WriteTable writes the report for people.
func (r Report) WriteTable(out io.Writer) error {
	fmt.Fprintf(out, "%s to %s, a point every %s; replica-hours%s\n\n", r.From.Format("2006-01-02 15:04 MST"), r.To.Format("2006-01-02 15:04 MST"), r.Step, r.unit())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HPA\tDATA\tTOTAL\tBASE\tSCHEDULE\tFORECAST\tOVERRIDE\tUNKNOWN\tPLAIN HPA\tMORE THAN PLAIN\tPLAIN WITH FEWER")
	for _, row := range r.HPAs {
		row.write(w, row.Namespace+"/"+row.HPA)
	}
	if len(r.HPAs) > 1 {
		r.Sum.write(w, "sum")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := r.writeParts(out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nNote: the plain HPA is what its metrics alone asked for, within its own bounds, held for 5 minutes before it goes down; whether fewer replicas would have been too few, these numbers do not say.")
	for _, row := range r.HPAs {
		if row.DataShare < 0.995 {
			fmt.Fprintf(out, "Note: %s/%s has data for %s of the time, and the hours are of that time only.\n", row.Namespace, row.HPA, percent(row.DataShare))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s.\n", note)
	}
	return nil
}

func (r Report) unit() string {
	switch {
	case r.Sum.Total.Cost == nil:
		return ""
	case r.Currency == "":
		return " (and cost)"
	}
	return " (and " + r.Currency + ")"
}

func (r Report) writeParts(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heading := "\nHELD BY\tHPA\tREPLICA-HOURS\n"
	for _, row := range r.HPAs {
		for _, part := range row.By {
			fmt.Fprintf(w, "%s%s %s\t%s/%s\t%s\n", heading, part.Kind, part.Name, row.Namespace, row.HPA, part.text())
			heading = ""
		}
	}
	return w.Flush()
}

func (r Row) write(w io.Writer, name string) {
	more := Amount{ReplicaHours: r.Plain.Actual.ReplicaHours - r.Plain.ReplicaHours}
	if r.Plain.Actual.Cost != nil && r.Plain.Cost != nil {
		cost := *r.Plain.Actual.Cost - *r.Plain.Cost
		more.Cost = &cost
	}
	plain, difference := r.Plain.text(), more.text()
	if r.Plain.TimeShare == 0 {
		plain, difference = "unknown", "unknown"
	} else if r.Plain.TimeShare < r.DataShare-0.005 {
		plain += " in " + percent(r.Plain.TimeShare) + " of the time"
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, percent(r.DataShare), r.Total.text(), r.Base.text(), r.Schedule.text(),
		r.Forecast.text(), r.Override.text(), r.Unknown.text(), plain, difference, minutes(r.Plain.FewerMinutes))
}

// minutes writes whole minutes.
func minutes(m float64) string {
	if m = math.Round(m); m == 0 {
		return "0m"
	}
	return human.Age(time.Duration(m) * time.Minute)
}

func (a Amount) text() string {
	if a.Cost == nil {
		return human.Number(a.ReplicaHours)
	}
	return fmt.Sprintf("%s (%.2f)", human.Number(a.ReplicaHours), *a.Cost)
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Floor(share*1000)/10, 'f', -1, 64) + " %"
}

// WriteCSV writes one line for each HPA, for spreadsheets: no sum, and empty cells where there is no cost.
func (r Report) WriteCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	line := []string{"namespace", "hpa", "from", "to", "data_share", "plain_time_share", "plain_fewer_minutes"}
	names := []string{"total", "base", "schedule", "forecast", "override", "unknown", "plain", "plain_actual"}
	for _, name := range names {
		line = append(line, name+"_replica_hours")
	}
	for _, name := range names {
		line = append(line, name+"_cost")
	}
	if err := w.Write(line); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, row := range r.HPAs {
		line = []string{row.Namespace, row.HPA, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), number(row.DataShare), number(row.Plain.TimeShare), number(row.Plain.FewerMinutes)}
		amounts := []Amount{row.Total, row.Base, row.Schedule, row.Forecast, row.Override, row.Unknown, row.Plain.Amount, row.Plain.Actual}
		for _, a := range amounts {
			line = append(line, number(a.ReplicaHours))
		}
		for _, a := range amounts {
			cost := ""
			if a.Cost != nil {
				cost = number(*a.Cost)
			}
			line = append(line, cost)
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
