// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// magic begins every saved forecaster; its last byte is the version of the encoding.
var magic = []byte("PLF\x01")

// Save gives the forecaster's whole state in a compact form: for 5-minute points, a week and lead times of 5, 15, 30
// and 60 minutes about 9 kB, of which 6 kB are the week and the days. Load continues where Save stopped, but for
// rounding: forecasts differ by less than a thousandth of the range of the series.
func (f *Forecaster) Save() []byte {
	c := codec{data: append([]byte(nil), magic...)}
	p := f.plan
	p.fields(&c)
	f.fields(&c)
	return binary.LittleEndian.AppendUint32(c.data, checksum(c.data))
}

// Load restores a saved forecaster. Data that Save did not write, or that was damaged, is an error.
func Load(data []byte) (*Forecaster, error) {
	f, err := load(data)
	if err != nil {
		return nil, fmt.Errorf("forecast: the saved state cannot be used, start from the history instead: %w", err)
	}
	return f, nil
}

func load(data []byte) (*Forecaster, error) {
	if !bytes.HasPrefix(data, magic) {
		return nil, errors.New("it does not begin as this version's saved states do")
	}
	if len(data) < len(magic)+4 {
		return nil, errShort
	}
	body, sum := data[:len(data)-4], data[len(data)-4:]
	if binary.LittleEndian.Uint32(sum) != checksum(body) {
		return nil, errors.New("its checksum is wrong")
	}
	c := codec{reading: true, data: body[len(magic):]}
	var p plan
	p.fields(&c)
	if c.err != nil {
		return nil, c.err
	}
	config := p.config()
	f, err := allocate(config, len(c.data))
	if err != nil {
		return nil, err
	}
	f.fields(&c)
	if c.err != nil {
		return nil, c.err
	}
	if len(c.data) != 0 {
		return nil, fmt.Errorf("%d bytes are left over", len(c.data))
	}
	return f, nil
}

// allocate makes the forecaster that a state is read into, once it is clear that the state is long enough for it.
func allocate(config Config, left int) (*Forecaster, error) {
	p, err := config.compile()
	if err != nil {
		return nil, err
	}
	need := 2 * (3*p.day + p.week)
	for _, steps := range p.leads {
		need += 4 * steps * (numMembers + numFeatures)
	}
	if left < need {
		return nil, errShort
	}
	return New(config)
}

// Config gives the configuration, with the defaults filled in.
func (f *Forecaster) Config() Config { return f.plan.config() }

func (p plan) config() Config {
	c := Config{
		Step:     p.step,
		Quantile: p.quantile,
		Seasons:  &Seasons{Day: time.Duration(p.day) * p.step, Week: time.Duration(p.week) * p.step},
	}
	for _, steps := range p.leads {
		c.Leads = append(c.Leads, time.Duration(steps)*p.step)
	}
	return c
}

func (p *plan) fields(c *codec) {
	step := int64(p.step)
	c.number(&step)
	p.step = time.Duration(step)
	c.exact(&p.quantile)
	c.count(&p.day)
	c.count(&p.week)
	leads := len(p.leads)
	c.count(&leads)
	if c.reading && leads <= maxLeads {
		p.leads = make([]int, leads)
	}
	for i := range p.leads {
		c.count(&p.leads[i])
	}
	if c.err == nil && (p.step <= 0 || p.day > maxWeekSteps || p.week > maxWeekSteps || leads > maxLeads) {
		c.err = errors.New("its configuration is out of range")
	}
}

func (f *Forecaster) fields(c *codec) {
	c.flag(&f.begun)
	c.number(&f.index)
	f.state.fields(c)
	for i := range f.leads {
		f.leads[i].fields(c)
	}
}

func (s *state) fields(c *codec) {
	for _, v := range []*float64{&s.now, &s.last, &s.before, &s.fast, &s.slow, &s.least, &s.most} {
		c.exact(v)
	}
	c.sizes(&s.size)
	c.number(&s.learned)
	c.count(&s.count)
	c.series(s.recent)
	m := &s.smooth
	c.exact(&m.level)
	c.exact(&m.trend)
	c.sizes(&m.usual)
	c.count(&m.seen)
	c.series(m.season)
	for _, p := range []*profile{&s.hour, &s.day, &s.week} {
		c.maybe(&p.residual)
		c.number(&p.seen)
		c.series(p.values)
		if c.reading && c.err == nil && p.seen < 0 {
			c.err = fmt.Errorf("a count is %d", p.seen)
		}
	}
}

func (l *lead) fields(c *codec) {
	c.shorts(l.mixture.losses[:])
	c.short(&l.mixture.usual)
	c.shorts(l.regression.weights[:])
	c.shorts(l.regression.covariance[:])
	c.short(&l.regression.usual)
	c.count(&l.regression.seen)
	m := &l.margin
	c.sizes(&m.factor, &m.typical, &m.fast, &m.slow, &m.recent)
	c.count(&m.seen)
	c.short(&l.dayStays.product, &l.dayStays.square, &l.weekStays.product, &l.weekStays.square)
	for i := range l.waiting {
		p := &l.waiting[i]
		c.flag(&p.known)
		c.shorts(p.members[:])
		c.shorts(p.features[:])
		c.short(&p.size, &p.now, &p.forecast, &p.upper)
		c.maybe(&p.dayResidual, &p.weekResidual)
	}
	a := &l.accuracy
	c.count(&a.count)
	c.short(&a.coverage, &a.demand, &a.miss, &a.missReactive, &a.short, &a.shortReactive, &a.spare)
}
