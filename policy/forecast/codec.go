// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// codec writes or reads a forecaster's fields in one order: one list of fields (see Forecaster.fields) serves both
// directions, so that they cannot differ. After the first error it does nothing.
type codec struct {
	reading bool
	data    []byte // written so far, or still to be read
	err     error
}

var errShort = errors.New("it ends too early")

// bytes gives n bytes to fill, or the next n bytes.
func (c *codec) bytes(n int) []byte {
	if c.err != nil {
		return nil
	}
	if !c.reading {
		c.data = append(c.data, make([]byte, n)...)
		return c.data[len(c.data)-n:]
	}
	if len(c.data) < n {
		c.err = errShort
		return nil
	}
	out := c.data[:n]
	c.data = c.data[n:]
	return out
}

// number codes a whole number.
func (c *codec) number(v *int64) {
	b := c.bytes(8)
	if b == nil {
		return
	}
	if !c.reading {
		binary.LittleEndian.PutUint64(b, uint64(*v))
		return
	}
	*v = int64(binary.LittleEndian.Uint64(b))
}

// count codes a number of things, which is never negative.
func (c *codec) count(v *int) {
	n := int64(*v)
	c.number(&n)
	if c.reading && c.err == nil && (n < 0 || n > math.MaxInt32) {
		c.err = fmt.Errorf("a count is %d", n)
		return
	}
	*v = int(n)
}

func (c *codec) flag(v *bool) {
	b := c.bytes(1)
	if b == nil {
		return
	}
	if !c.reading {
		if *v {
			b[0] = 1
		}
		return
	}
	*v = b[0] != 0
}

// exact codes a finite number in full.
func (c *codec) exact(v *float64) {
	bits := int64(math.Float64bits(*v))
	c.number(&bits)
	*v = math.Float64frombits(uint64(bits))
	c.check(*v, false, wildest)
}

// short codes numbers in half the space: 20 bits of mantissa, one part in a million.
func (c *codec) short(values ...*float64) { c.halves(values, false) }

// maybe does the same with numbers that may be NaN (unknown).
func (c *codec) maybe(values ...*float64) { c.halves(values, true) }

func (c *codec) halves(values []*float64, mayBeUnknown bool) {
	for _, v := range values {
		b := c.bytes(4)
		if b == nil {
			return
		}
		if !c.reading {
			bits := math.Float64bits(*v)
			if !math.IsNaN(*v) && bits < math.MaxUint64-1<<31 {
				bits += 1 << 31 // round to nearest
			}
			binary.LittleEndian.PutUint32(b, uint32(bits>>32))
			continue
		}
		*v = math.Float64frombits(uint64(binary.LittleEndian.Uint32(b)) << 32)
		c.check(*v, mayBeUnknown, wildest*wildest)
	}
}

func (c *codec) shorts(values []float64) {
	for i := range values {
		c.short(&values[i])
	}
}

// wildest is a little more than any number that a forecaster makes of values up to `largest`.
const wildest = 1000 * largest

// check refuses numbers that no forecaster holds.
func (c *codec) check(v float64, mayBeUnknown bool, most float64) {
	if !c.reading || c.err != nil || math.IsNaN(v) && mayBeUnknown {
		return
	}
	if !(math.Abs(v) <= most) {
		c.err = fmt.Errorf("a number is %v", v)
	}
}

// sizes codes numbers that are never negative.
func (c *codec) sizes(values ...*float64) {
	for _, v := range values {
		c.exact(v)
		if c.reading && c.err == nil && *v < 0 {
			c.err = fmt.Errorf("a size is %v", *v)
		}
	}
}

// hole is the code of an unknown value in a series.
const hole = math.MaxUint16

// series codes many values of one kind with 16 bits each: the square root of their place between the least and the
// greatest, as demand needs finer steps near its base than at its peaks. The error is at most range/32,767.
func (c *codec) series(values []float64) {
	low, high := rangeOf(values)
	c.exact(&low)
	c.exact(&high)
	b := c.bytes(2 * len(values))
	if b == nil {
		return
	}
	width := high - low
	for i := range values {
		if c.reading {
			values[i] = fromCode(binary.LittleEndian.Uint16(b[2*i:]), low, width)
			continue
		}
		binary.LittleEndian.PutUint16(b[2*i:], toCode(values[i], low, width))
	}
}

func toCode(v, low, width float64) uint16 {
	if math.IsNaN(v) {
		return hole
	}
	if width <= 0 {
		return 0
	}
	return uint16(math.Round(math.Sqrt(max(0, min(1, (v-low)/width))) * (hole - 1)))
}

func fromCode(code uint16, low, width float64) float64 {
	if code == hole {
		return math.NaN()
	}
	place := float64(code) / (hole - 1)
	return low + width*place*place
}

func rangeOf(values []float64) (low, high float64) {
	first := true
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if first {
			low, high, first = v, v, false
		}
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// checksum of what was written.
func checksum(data []byte) uint32 { return crc32.ChecksumIEEE(data) }
