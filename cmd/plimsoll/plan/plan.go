// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll/plimsoll/policy/backtest"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// Result is a plan. Times of the simulation are those of the trace's last half.
type Result struct {
	Trace    string    `json:"trace"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Sync     string    `json:"sync"`
	Capacity float64   `json:"capacityPerReplica"`
	Target   float64   `json:"targetPerReplica"`
	Startup  string    `json:"startup"`
	Quantile float64   `json:"quantile"`
	Forecast
	Policies       []Outcome      `json:"policies"`
	Recommendation Recommendation `json:"recommendation"`
	Notes          []string       `json:"notes,omitempty"`

	pictures pictures
}

// Forecast judges the forecast alone, at the lead time.
type Forecast struct {
	Step              string  `json:"step"`
	Lead              string  `json:"lead"`
	Points            int     `json:"points"`
	WAPE              float64 `json:"wape"`
	WAPENaive         float64 `json:"wapeNaive"`
	Coverage          float64 `json:"coverage"`
	CoverageTopDecile float64 `json:"coverageTopDecile"`
	Overprovision     float64 `json:"overprovision"`
	CPUMicrosPerPoint float64 `json:"cpuMicrosPerPoint"`
}

// Outcome is how one policy did.
type Outcome struct {
	Name                    string   `json:"name"`
	DeficientReplicaMinutes float64  `json:"deficientReplicaMinutes"`
	ExcessReplicaMinutes    float64  `json:"excessReplicaMinutes"`
	ReplicaHours            float64  `json:"replicaHours"`
	UnservedShare           float64  `json:"unservedShare"`
	TimeShort               float64  `json:"timeShort"`
	ShortMinutes            float64  `json:"shortMinutes"`
	WorstHour               float64  `json:"worstHourDeficientReplicaMinutes"`
	ScaleEvents             int      `json:"scaleEvents"`
	DirectionChanges        int      `json:"directionChanges"`
	PeakReplicas            int32    `json:"peakReplicas"`
	Cost                    *float64 `json:"cost,omitempty"`
	CostPerAvoidedMinute    *float64 `json:"costPerAvoidedShortMinute,omitempty"`
}

// Make computes a plan. Its errors are one sentence about the input.
func Make(in Input) (Result, error) {
	p, err := newProblem(in)
	if err != nil {
		return Result{}, err
	}
	judged, err := p.backtest()
	if err != nil {
		return Result{}, err
	}
	predicted, err := p.predict()
	if err != nil {
		return Result{}, err
	}
	out := Result{
		Trace: p.Trace.Name, From: p.from(), To: p.to(), Sync: short(p.sync()),
		Capacity: p.capacity, Target: p.target, Startup: short(p.Lead), Quantile: p.Quantile,
	}
	lead := judged.Leads[len(judged.Leads)-1]
	out.Forecast = Forecast{
		Step: short(judged.Step), Lead: short(lead.Lead), Points: lead.Points, WAPE: lead.WAPE, WAPENaive: lead.WAPENaive, Coverage: lead.Coverage,
		CoverageTopDecile: lead.CoverageTopDecile, Overprovision: lead.Overprovision, CPUMicrosPerPoint: judged.CPUMicrosPerPoint,
	}
	if out.Policies, out.pictures, err = p.simulateAll(p.policies(predicted)); err != nil {
		return Result{}, err
	}
	out.Recommendation = recommend(out)
	if err := p.zoom(&out, predicted); err != nil {
		return Result{}, err
	}
	out.pictures.outcomes = lead.Outcomes
	p.price(&out)
	out.Notes = append(p.Manifests.notes(), p.notes...)
	return out, nil
}

// short writes a duration without the zeros: 15m, 1h, 1h30m.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if len(text) > len(zero) && text[len(text)-len(zero):] == zero {
			text = text[:len(text)-len(zero)+1]
		}
	}
	return text
}

func (p *problem) backtest() (backtest.Result, error) {
	r, err := backtest.Run(p.points, backtest.Options{
		Leads: []time.Duration{p.Lead}, Quantile: p.Quantile, Step: p.step, CPU: p.CPU,
		Progress: func(done, total int) { p.progress("judging the forecast", done, total) },
	})
	if err != nil {
		return r, fmt.Errorf("%s: %w", p.Trace.Name, err)
	}
	return r, nil
}

// from and to are the time that is judged.
func (p *problem) from() time.Time { return p.points[p.half].Time }
func (p *problem) to() time.Time   { return p.points[len(p.points)-1].Time }

// simulateAll runs the policies, as many at once as there are processors.
func (p *problem) simulateAll(list []policy) ([]Outcome, pictures, error) {
	outcomes, pics := make([]Outcome, len(list)), pictures{lines: make([]picture, len(list))}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int32
	p.progress("simulating the policies", 0, len(list))
	for i, one := range list {
		group.Go(func() error {
			pic := newPicture(one.name, p.from(), p.to())
			var err error
			outcomes[i], err = p.simulate(one, pic)
			pics.lines[i] = *pic
			p.progress("simulating the policies", int(done.Add(1)), len(list))
			return err
		})
	}
	err := group.Wait()
	return outcomes, pics, err
}

// zoom draws the HPA's worst day, with it and with what is recommended instead.
func (p *problem) zoom(r *Result, predicted []float64) error {
	worst := r.pictures.lines[0].worst()
	show := r.Recommendation.Policy
	if show == PlainHPA || show == FixedMaximum {
		show = WithForecast
	}
	for _, one := range p.policies(predicted) {
		if one.name != PlainHPA && one.name != show {
			continue
		}
		pic := newPicture(one.name, worst.Add(-12*time.Hour), worst.Add(12*time.Hour))
		if _, err := p.simulate(one, pic); err != nil {
			return err
		}
		r.pictures.zoomed = append(r.pictures.zoomed, *pic)
	}
	return nil
}

func (p *problem) simulate(one policy, pic *picture) (Outcome, error) {
	demand, err := simulate.NewSeries(p.judged())
	if err != nil {
		return Outcome{}, err
	}
	m, err := simulate.Run(simulate.Config{
		HPA: p.hpa, Options: hpa.DefaultOptions(), Start: p.from(), End: p.to(), Sync: p.sync(), Demand: demand, Capacity: p.capacity, MilliPerUnit: p.milliPerUnit,
		Startup: p.Lead, Contribute: one.contribute, Fixed: one.fixed, Watch: pic.watch(p.capacity),
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("simulate %s: %w", one.name, err)
	}
	return Outcome{
		Name: one.name, DeficientReplicaMinutes: m.DeficientReplicaMinutes, ExcessReplicaMinutes: m.ExcessReplicaMinutes,
		ReplicaHours: m.ReplicaHours, UnservedShare: m.UnservedShare, TimeShort: m.TimeShort, ShortMinutes: m.ShortMinutes,
		WorstHour: m.WorstHour, ScaleEvents: m.ScaleEvents, DirectionChanges: m.DirectionChanges, PeakReplicas: m.PeakReplicas,
	}, nil
}

// requests are those of a flag, or else of a manifest.
func (p *problem) requests() Resources {
	if p.Requests != (Resources{}) {
		return p.Requests
	}
	return p.Manifests.Requests
}

// price turns replica-hours into money.
func (p *problem) price(r *Result) {
	requests := p.requests()
	each := p.Prices.CPU*requests.CPU + p.Prices.Memory*requests.Memory
	if each == 0 {
		if p.Prices != (Prices{Currency: p.Prices.Currency}) {
			p.notes = append(p.notes, "there is a price but no request to multiply it with: give --requests or the Deployment's manifest")
		}
		return
	}
	plain := r.Policies[0]
	for i := range r.Policies {
		o := &r.Policies[i]
		cost := o.ReplicaHours * each
		o.Cost = &cost
		if avoided := plain.ShortMinutes - o.ShortMinutes; i > 0 && avoided > 0 {
			more := (cost - plain.ReplicaHours*each) / avoided
			o.CostPerAvoidedMinute = &more
		}
	}
	p.noteNodes(r, requests)
}

// noteNodes says when replicas that a policy saves are too few to free a node.
func (p *problem) noteNodes(r *Result, requests Resources) {
	hours := r.To.Sub(r.From).Hours()
	plain := r.Policies[0]
	for _, o := range r.Policies[1:] {
		saved := (plain.ReplicaHours - o.ReplicaHours) / hours
		if saved <= 0 || o.Name == Oracle {
			continue
		}
		if p.Node == (Resources{}) {
			p.notes = append(p.notes, fmt.Sprintf("%s saves %.1f replicas on average: that is money only if whole nodes become free (--node cpu=4,memory=16Gi checks)", o.Name, saved))
			continue
		}
		perNode := math.Min(p.Node.CPU/requests.CPU, p.Node.Memory/requests.Memory)
		if !math.IsNaN(perNode) && saved < perNode {
			p.notes = append(p.notes, fmt.Sprintf("%s saves %.1f replicas on average, and a node holds %.1f: no node becomes free, so no money is saved", o.Name, saved, perNode))
		}
	}
}
