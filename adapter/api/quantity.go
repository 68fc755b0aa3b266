// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// largest is the largest value that a reader of a quantity gets right. The HPA reads thousandths as an int64, and
// Quantity.MilliValue of anything above 9.2e15 is 0 or random: serving such a value would scale the workload down.
const largest = 9e15

// readable reports whether a reader of the value's quantity gets it right. NaN is not readable.
func readable(v float64) bool { return v <= largest && v >= -largest }

// scaled expresses a readable value in thousandths; from 1e15 in units, below 1 in millionths and below 0.001 in billionths, so
// that small values keep their digits. A value other than 0 never becomes 0.
func scaled(v float64) (int64, resource.Scale) {
	abs := math.Abs(v)
	scale, factor := resource.Milli, 1e3
	switch {
	case abs >= 1e15: // more than 18 digits are read back wrongly, and a float64 has none to lose here
		scale, factor = 0, 1
	case abs >= 1 || abs == 0:
	case abs >= 1e-3:
		scale, factor = resource.Micro, 1e6
	default:
		scale, factor = resource.Nano, 1e9
	}
	n := math.Round(v * factor)
	if n == 0 && v != 0 {
		n = math.Copysign(1, v)
	}
	return int64(n), scale
}

func quantityOf(v float64) resource.Quantity {
	n, scale := scaled(v)
	return *resource.NewScaledQuantity(n, scale)
}

// suffixes are those of decimal quantities, from nano to exa.
var suffixes = [...]string{"n", "u", "m", "", "k", "M", "G", "T", "P", "E"}

// appendQuantity appends the canonical text of quantityOf(v).
func appendQuantity(dst []byte, v float64) []byte {
	n, scale := scaled(v)
	if n == 0 {
		return append(dst, '0')
	}
	at := int(scale)/3 + 3
	for n%1000 == 0 && at < len(suffixes)-1 {
		n /= 1000
		at++
	}
	return append(strconv.AppendInt(dst, n, 10), suffixes[at]...)
}
