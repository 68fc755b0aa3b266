// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxMessages bounds how many warnings of an answer are kept.
const maxMessages = 8

// decoder reads the answer of an instant query (/api/v1/query) series by series. It allocates for strings that it has not
// seen before, not for series. Use it for one answer at a time.
type decoder struct {
	scanner
	strings *interner
	last    *word   // the label name or value that was interned last
	labels  []Label // of the current series; beyond its length, of the series before
	value   float64
	each    func(Sample) error
	count   int // series so far
	limit   int // series at most; 0: any number

	seen       fields
	status     string
	errorType  string
	message    string
	warnings   []string
	resultType string
	single     string // the value of a scalar or string answer
	shape      byte   // how the result looks: 'v' series with one value, 'm' with several, 's' a pair; 0: empty
}

// fields says which keys an answer had. One that comes twice makes the answer ambiguous, so it is refused.
type fields struct{ status, data, resultType, result bool }

// decode reads a whole answer from r, at most maxBytes, and calls each for every series. Its errors wrap the causes of
// this package, or are those of each or of r.
func (d *decoder) decode(r io.Reader, maxBytes int64, maxSeries int, each func(Sample) error) error {
	d.scanner.reset(r, maxBytes)
	*d = decoder{scanner: d.scanner, strings: d.strings, labels: d.labels, each: each, limit: maxSeries}
	if err := d.answer(); err != nil {
		return d.cause(err)
	}
	return d.verdict()
}

// cause turns what a reader says into one of the package's errors.
func (d *decoder) cause(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrBadAnswer, err)
	case errors.Is(err, errTooLarge):
		return fmt.Errorf("%w: it is larger than %d MiB; let the query return fewer series or labels", ErrTooManySeries, d.max>>20)
	}
	return err
}

func (d *decoder) answer() error {
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "status":
			return d.once(&d.seen.status, "status", func() error { return d.text(&d.status) })
		case "errorType":
			return d.text(&d.errorType)
		case "error":
			return d.text(&d.message)
		case "warnings":
			return d.messages()
		case "data":
			return d.once(&d.seen.data, "data", d.data)
		}
		return d.skip(1)
	})
	if err != nil {
		return err
	}
	if _, err = d.peek(); err == nil {
		return d.malformed("something follows the answer")
	}
	//nolint:errorlint // a reader ends with io.EOF itself; an error that wraps it is a failure
	if errors.Is(err, errTooLarge) || d.readErr != io.EOF {
		return err
	}
	return nil
}

// verdict is the error that a completely read answer stands for.
func (d *decoder) verdict() error {
	switch {
	case d.status == "error":
		return apiError(d.errorType, d.message)
	case d.status != "success":
		return fmt.Errorf("%w: its status is %q; is the URL that of a Prometheus API?", ErrBadAnswer, d.status)
	case len(d.warnings) > 0:
		return fmt.Errorf("%w: %s", ErrPartial, strings.Join(d.warnings, "; "))
	case !d.seen.result:
		return fmt.Errorf("%w: it has no result", ErrBadAnswer)
	}
	switch {
	case d.resultType == "vector" && (d.shape == 'v' || d.shape == 0):
		return nil
	case d.resultType == "scalar" && d.shape == 's':
		return d.scalar()
	case d.resultType == "matrix" || d.resultType == "string":
		return fmt.Errorf("%w: the query yields a %s; write one that yields an instant vector", ErrRefused, d.resultType)
	}
	return fmt.Errorf("%w: a result of type %q that looks otherwise", ErrBadAnswer, d.resultType)
}

func (d *decoder) scalar() error {
	v, err := strconv.ParseFloat(d.single, 64)
	if err != nil {
		return fmt.Errorf("%w: the scalar %q is not a number", ErrBadAnswer, d.single)
	}
	return d.each(Sample{Value: v})
}

func (d *decoder) data() error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	return d.object(func(key []byte) error {
		switch string(key) {
		case "resultType":
			return d.once(&d.seen.resultType, "resultType", func() error { return d.text(&d.resultType) })
		case "result":
			return d.once(&d.seen.result, "result", d.result)
		}
		return d.skip(2)
	})
}

// result reads the series of a vector, or the pair of a scalar or string. Which of the two it is shows in the first
// byte, because the result's type may come after it.
func (d *decoder) result() error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.take('['); err != nil {
		return err
	}
	if c, err := d.peek(); err != nil || (c != '{' && c != ']') {
		if err != nil {
			return err
		}
		d.shape = 's'
		return d.pair(func(text []byte) error { d.single = string(text); return nil })
	}
	for first := true; ; first = false {
		ok, err := d.more(first, ']')
		if err != nil || !ok {
			return err
		}
		if err := d.series(); err != nil {
			return err
		}
	}
}

// object takes an object and calls field for every key, which must take its value.
func (d *decoder) object(field func(key []byte) error) error {
	if err := d.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		ok, err := d.more(first, '}')
		if err != nil || !ok {
			return err
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
	}
}

func (d *decoder) once(seen *bool, key string, read func() error) error {
	if *seen {
		return d.twice(key)
	}
	*seen = true
	return read()
}

func (d *decoder) twice(key string) error {
	return fmt.Errorf("%w: %w: %q", ErrBadAnswer, errTwice, key)
}

// errTwice says that a key comes twice in one object.
var errTwice = errors.New("a key comes twice")

// text takes a string or null.
func (d *decoder) text(into *string) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	b, err := d.str()
	*into = strings.ToValidUTF8(string(b), "\uFFFD")
	return err
}

// messages takes an array of strings, or null.
func (d *decoder) messages() error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.take('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		ok, err := d.more(first, ']')
		if err != nil || !ok {
			return err
		}
		var text string
		if err := d.text(&text); err != nil {
			return err
		}
		if len(d.warnings) < maxMessages {
			d.warnings = append(d.warnings, text)
		}
	}
}
