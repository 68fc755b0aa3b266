// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// block is what is kept for one workload, or as filling, in one cluster.
type block struct {
	reserve.Block
	name  string // of its objects in the cluster
	count int64  // pods to keep
}

// calm is how long fewer pods must have been enough before there are fewer.
const calm = 5 * time.Minute

// kept is what is remembered of one block in one cluster.
type kept struct {
	requests fit.Resources // of one pod; nil: none was made
	wants    []want        // of the last while: each one lower than the one before
}

type want struct {
	at    time.Time
	count int64
}

// settle is how many pods to keep when a number is wanted now: at once more, and fewer only when that was enough for a
// while, or if somebody needs the room.
func (k *kept) settle(count int64, needed bool, now time.Time) int64 {
	if needed {
		k.wants = nil
	}
	k.wants = slices.DeleteFunc(k.wants, func(w want) bool {
		return w.count <= count || now.Sub(w.at) >= calm || w.at.After(now)
	})
	// Of a number that is no longer wanted the time counts at which it was wanted last.
	k.wants = append(k.wants, want{now, count})
	return k.wants[0].count
}

// slack is the percentage by which the pods that fill up may exceed what is wanted, besides what rounding needs.
const slack = 10

// reshape keeps the size of the pods that fill up to the percentage as long as their number can make up for a change, so
// that they are not replaced each time a workload's replicas change.
func reshape(old fit.Resources, b reserve.Block) reserve.Block {
	total := b.Shape.Requests.Times(b.Count)
	count := int64(0)
	for name, amount := range total {
		if amount <= 0 {
			continue
		}
		if old[name] <= 0 {
			return b
		}
		count = max(count, (amount-1)/old[name]+1)
	}
	for name, size := range old {
		if size*count > total[name]+total[name]*slack/100+size {
			return b
		}
	}
	fits := count
	if b.Fits < b.Count {
		for name, size := range old {
			if size > 0 {
				fits = min(fits, b.Fits*b.Shape.Requests[name]/size)
			}
		}
	}
	b.Shape.Requests, b.Count, b.Fits = maps.Clone(old), count, fits
	return b
}

// settle makes of what policy wants in a cluster what is kept there.
func (s *scene) settle(ctx context.Context, one *row) []block {
	memo, seen := one.sight.memo, map[string]bool{}
	blocks := slices.Clone(one.reserve.Blocks)
	var out []block
	for i, b := range blocks {
		name := nameOf(b.Workload)
		k := memo.kept[name]
		if k == nil {
			k = one.sight.found(ctx, name, s.now)
			memo.kept[name] = k
		}
		seen[name] = true
		if b.Workload == "" && k.requests != nil {
			b = one.reshape(k.requests, blocks, i)
		}
		k.requests = b.Shape.Requests
		if !*s.plain.Placeholder.WaitForNodes {
			b.Count = b.Fits
		}
		blocks[i] = b
		out = append(out, block{b, name, k.settle(b.Count, one.sight.snapshot.ReserveWaiting > 0, s.now)})
	}
	for i, count := range crowd(one.nodes, blocks, out) {
		if count < out[i].count {
			out[i].count = count
			memo.kept[out[i].name].wants = []want{{s.now, count}}
		}
	}
	maps.DeleteFunc(memo.kept, func(name string, _ *kept) bool { return !seen[name] })
	return out
}

// reshape keeps the size of a block's pods, unless their number then does not fit although the block does.
func (c *row) reshape(old fit.Resources, blocks []reserve.Block, i int) reserve.Block {
	trial := slices.Clone(blocks)
	trial[i] = reshape(old, blocks[i])
	fits := reserve.Placed(c.nodes, trial)
	for j, b := range blocks {
		if j != i && fits[j] < b.Fits || j == i && b.Fits == b.Count && fits[j] < trial[j].Count {
			return blocks[i]
		}
	}
	return trial[i]
}

// crowd is how many pods of each block to keep, where some are kept although fewer are wanted by now: if they all fit, and else
// only the wanted ones. Otherwise pods would wait for room that nobody needs, and a node autoscaler would add nodes.
func crowd(nodes []reserve.Node, wanted []reserve.Block, kept []block) []int64 {
	counts, trial, more := make([]int64, len(kept)), slices.Clone(wanted), false
	for i := range kept {
		counts[i], trial[i].Count = kept[i].count, kept[i].count
		more = more || kept[i].count > wanted[i].Count
	}
	if !more {
		return counts
	}
	for i, fits := range reserve.Placed(nodes, trial) {
		if fits == counts[i] {
			continue
		}
		for j := range counts {
			counts[j] = wanted[j].Count
		}
		break
	}
	return counts
}

// nameOf is what the objects of a workload's block are called: always the same, and a name in Kubernetes.
func nameOf(workload string) string {
	if workload == "" {
		return "filling"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(workload)) // a hash takes everything
	const most = 40
	readable := strings.NewReplacer("/", "-", ".", "-").Replace(workload)
	return fmt.Sprintf("%s-%08x", strings.TrimRight(readable[:min(len(readable), most)], "-"), h.Sum32())
}
