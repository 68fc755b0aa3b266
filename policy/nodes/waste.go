// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"math/bits"
	"strings"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// million is the whole of a resource.
const million = 1_000_000

// waste is how much of a number of nodes stays empty with a number of pods on them: millionths, summed over cpu, memory
// and what else the pods ask for.
func waste(n fit.Node, requests fit.Resources, nodes, pods int64) int64 {
	var sum int64
	used, all := requests.Times(pods), n.Free.Times(nodes)
	for name, amount := range all {
		if amount > 0 && (name == "cpu" || name == "memory" || requests[name] > 0) {
			sum += million - share(used[name], amount)
		}
	}
	return sum
}

// unasked is how many extended resources a node has for which the pods do not ask.
func unasked(n fit.Node, requests fit.Resources) int64 {
	var count int64
	for name, amount := range n.Free {
		if amount > 0 && requests[name] <= 0 && strings.Contains(name, "/") { // the names of extended resources have a domain
			count++
		}
	}
	return count
}

// share is part / whole in millionths, from 0 to all.
func share(part, whole int64) int64 {
	part = min(max(part, 0), whole)
	high, low := bits.Mul64(uint64(part), million)
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(quotient)
}
