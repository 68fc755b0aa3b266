// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"strconv"
)

// The parts of a series that have been read.
const (
	hasMetric = 1 << iota
	hasValue
	hasValues
	hasHistogram
)

// series reads one element of a vector and passes it on. It is the hot path: no closures, no allocation.
func (d *decoder) series() error {
	if err := d.take('{'); err != nil {
		return err
	}
	d.labels = d.labels[:0]
	has := 0
	for first := true; ; first = false {
		ok, err := d.more(first, '}')
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		part, err := d.part()
		if err != nil {
			return err
		}
		if part != 0 && has&part != 0 {
			return d.twice("metric or value")
		}
		has |= part
	}
	return d.emit(has)
}

// part reads one key of a series and its value, and says which part it was; 0: an unknown one.
func (d *decoder) part() (int, error) {
	key, err := d.key()
	if err != nil {
		return 0, err
	}
	switch string(key) {
	case "metric":
		return hasMetric, d.metric()
	case "value":
		return hasValue, d.sample()
	case "values":
		return hasValues, d.skip(4)
	case "histogram", "histograms":
		return hasHistogram, d.skip(4)
	}
	return 0, d.skip(4)
}

func (d *decoder) emit(has int) error {
	switch {
	case has&hasHistogram != 0:
		return fmt.Errorf("%w: the query yields native histograms, which have no single value; apply histogram_quantile, histogram_avg, "+
			"histogram_sum or histogram_count to it", ErrRefused)
	case has&hasValues != 0:
		return fmt.Errorf("%w: the query yields a matrix; write one that yields an instant vector", ErrRefused)
	case has&hasValue == 0:
		return d.malformed("a series without a value")
	}
	d.shape = 'v'
	d.count++
	if d.limit > 0 && d.count > d.limit {
		return fmt.Errorf("%w: more than %d", ErrTooManySeries, d.limit)
	}
	return d.each(Sample{Labels: d.labels, Value: d.value})
}

// metric reads the labels of a series.
func (d *decoder) metric() error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.take('{'); err != nil {
		return err
	}
	for i := 0; ; i++ {
		ok, err := d.more(i == 0, '}')
		if err != nil || !ok {
			return err
		}
		if err := d.label(i); err != nil {
			return err
		}
	}
}

// label reads the i-th label. Neighbours in an answer have the same label names, and mostly values in common: those of
// the series before are still in place and are compared first, without hashing.
func (d *decoder) label(i int) error {
	if i == cap(d.labels) {
		d.labels = append(d.labels, make([]Label, 8)...)
	}
	d.labels = d.labels[:i+1]
	l := &d.labels[i]
	key, err := d.key()
	if err != nil {
		return err
	}
	if err := d.intern(&l.Name, key); err != nil {
		return err
	}
	value, err := d.str()
	if err != nil {
		return err
	}
	return d.intern(&l.Value, value)
}

func (d *decoder) intern(into *string, b []byte) error {
	if *into == string(b) {
		return nil
	}
	w := d.strings.after(d.last, b)
	if w == nil {
		return d.malformed("a label that is not UTF-8")
	}
	*into, d.last = w.text, w
	return nil
}

// sample reads [time, "value"]. The time is that of the evaluation and says nothing.
func (d *decoder) sample() error {
	if err := d.take('['); err != nil {
		return err
	}
	return d.pair(d.number64)
}

func (d *decoder) number64(text []byte) (err error) {
	if d.value, err = strconv.ParseFloat(string(text), 64); err != nil {
		return d.malformed(fmt.Sprintf("the value %.40q is not a number", text))
	}
	return nil
}

// pair takes time, "text" and the closing bracket.
func (d *decoder) pair(text func([]byte) error) error {
	if _, err := d.peek(); err != nil {
		return err
	}
	if err := d.number(); err != nil {
		return err
	}
	if err := d.take(','); err != nil {
		return err
	}
	b, err := d.str()
	if err != nil {
		return err
	}
	if err := text(b); err != nil {
		return err
	}
	return d.take(']')
}
