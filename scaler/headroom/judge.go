// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// fillsWithin is for how long a reserve that nodes are awaited for counts as being made.
const fillsWithin = 15 * time.Minute

// judge says how the reserve of one cluster is.
func (s *scene) judge(one *row) (reason, message string) {
	short := one.reserve.Short > 0
	memo := one.sight.memo
	switch {
	case !short:
		memo.shortSince = time.Time{}
	case memo.shortSince.IsZero():
		memo.shortSince = s.now
	}
	missing := fmt.Sprintf("%d of %s of the reserve need nodes that are not there", one.reserve.Short, counted(s.pods(one), "pod"))
	switch {
	case one.result.err != nil:
		return v1alpha1.HeadroomWriteFailed, one.result.err.Error()
	case paused(s.headroom):
		return v1alpha1.HeadroomPaused, "what is reserved stays as it is"
	case !s.plain.Enforce:
		return v1alpha1.HeadroomObserving, one.observing(missing)
	case one.result.foreign.hub != "":
		return v1alpha1.HeadroomHeldByOtherHub, one.result.foreign.message()
	case one.strategy == v1alpha1.HeadroomNodeGroups:
		return s.judgeGroups(one, missing)
	case one.strategy == v1alpha1.HeadroomCapacityBuffer:
		return s.judgeBuffer(one, missing)
	}
	return s.judgePlaceholder(one, missing)
}

// observing is what would stand in the way of a reserve that is only shown; "" for nothing.
func (c *row) observing(missing string) string {
	var all []string
	if c.reserve.Short > 0 {
		all = append(all, missing)
	}
	if hub := c.result.foreign.hub; hub != "" {
		all = append(all, fmt.Sprintf("another hub (%s) keeps a reserve there, such as %s, beside which nothing would be written", hub, c.result.foreign.first))
	}
	return strings.Join(all, "; ")
}

// pods is how many pods policy wants in a cluster.
func (s *scene) pods(one *row) int {
	var sum int64
	for _, b := range one.reserve.Blocks {
		sum += b.Count
	}
	return int(min(sum, math.MaxInt32))
}

// held is the reason of a cluster in which everything is as it should be.
func (s *scene) held(one *row) string {
	for _, surge := range s.plan.Surges {
		if surge.By != "" && surge.Next[one.cluster.Name] > 0 {
			return v1alpha1.HeadroomPeakAhead
		}
	}
	return v1alpha1.HeadroomHeld
}

func (s *scene) judgePlaceholder(one *row, missing string) (reason, message string) {
	why := ""
	if s.plain.Strategy == v1alpha1.HeadroomAuto {
		why = one.result.bufferReason
	}
	waits := s.now.Sub(one.sight.memo.shortSince) < fillsWithin
	switch {
	case one.result.refused != "":
		return v1alpha1.HeadroomWriteFailed, one.result.refused
	case one.reserve.Short > 0 && *s.plain.Placeholder.WaitForNodes && waits:
		return v1alpha1.HeadroomFilling, missing + "; they wait for a node autoscaler"
	case one.reserve.Short > 0 && *s.plain.Placeholder.WaitForNodes:
		return v1alpha1.HeadroomShort, fmt.Sprintf("%s, and nothing has added nodes in %s: add some, lower spec.percent, or set spec.placeholder.waitForNodes: false", missing, fillsWithin)
	case one.reserve.Short > 0:
		return v1alpha1.HeadroomShort, missing + ": add nodes, or lower spec.percent"
	case one.result.ready < one.result.pods:
		return v1alpha1.HeadroomFilling, fmt.Sprintf("%d of %s hold their place", one.result.ready, counted(int(one.result.pods), "placeholder pod"))
	}
	return s.held(one), why
}

func (s *scene) judgeBuffer(one *row, missing string) (reason, message string) {
	switch {
	case one.result.buffer == bufferNone || one.result.buffer == bufferGivenUp:
		return v1alpha1.HeadroomBufferNotProvisioned, one.result.bufferReason + "; enable it there, or set strategy: Auto"
	case one.result.buffer == bufferWaiting:
		return v1alpha1.HeadroomFilling, one.result.bufferReason
	case one.reserve.Short > 0 && s.now.Sub(one.sight.memo.shortSince) < fillsWithin:
		return v1alpha1.HeadroomFilling, missing + "; the node autoscaler has accepted to add them"
	case one.reserve.Short > 0:
		return v1alpha1.HeadroomShort, fmt.Sprintf("%s, and the node autoscaler has not added them in %s", missing, fillsWithin)
	}
	return s.held(one), ""
}

func (s *scene) judgeGroups(one *row, missing string) (reason, message string) {
	g := one.result.grown
	if g.stranded > 0 {
		waits := counted(int(narrow(g.stranded)), "pod") + " of divided workloads wait for nodes"
		if one.reserve.Short > 0 {
			waits += ", and " + missing
		}
		missing = waits
	}
	switch {
	case g.failure != "":
		return v1alpha1.HeadroomNodeGroupFailed, g.failure
	case one.reserve.Short == 0 && g.stranded == 0:
		return s.held(one), ""
	case g.full:
		return v1alpha1.HeadroomNodeGroupsAtMaximum, missing + ", and no node group may grow by nodes that would take them: raise a maximum, add a group, or lower spec.percent"
	case g.coming > 0:
		return v1alpha1.HeadroomFilling, fmt.Sprintf("%s; nodes for %d are on their way", missing, g.coming)
	}
	return v1alpha1.HeadroomFilling, missing + "; a node group that did not grow is asked again soon"
}

// prices are those of an hour.
type prices struct {
	cpu, gibibyte float64
	currency      string
}

func pricesOf(c *v1alpha1.HeadroomCost) (*prices, string) {
	if c == nil {
		return nil, ""
	}
	p := &prices{currency: c.Currency}
	for _, each := range []struct {
		field, text string
		to          *float64
	}{{"cpuHour", c.CPUHour, &p.cpu}, {"memoryGiBHour", c.MemoryGiBHour, &p.gibibyte}} {
		if each.text == "" {
			continue
		}
		value, err := strconv.ParseFloat(each.text, 64)
		if err != nil || !(value >= 0 && value <= math.MaxFloat64) {
			return nil, fmt.Sprintf("spec.cost.%s: %q must be a decimal such as 0.031", each.field, each.text)
		}
		*each.to = value
	}
	return p, ""
}

const gibibyte = 1 << 30

// of is what amounts cost in an hour; "": no price is known.
func (p *prices) of(r fit.Resources) string {
	if p == nil {
		return ""
	}
	text := strconv.FormatFloat(p.cpu*float64(r["cpu"])/1000+p.gibibyte*float64(r["memory"])/gibibyte, 'f', 2, 64)
	if p.currency != "" {
		text += " " + p.currency
	}
	return text
}

// amounts are cpu and memory as Kubernetes writes them.
func amounts(r fit.Resources) v1alpha1.Amounts {
	return v1alpha1.Amounts{
		CPU: resource.NewMilliQuantity(r["cpu"], resource.DecimalSI).String(), Memory: resource.NewQuantity(r["memory"], resource.BinarySI).String(),
	}
}

// human are amounts for people: 12.5 cpu, 40Gi.
func human(r fit.Resources) string {
	cpu := strconv.FormatFloat(math.Round(float64(r["cpu"])/100)/10, 'f', -1, 64)
	memory := float64(r["memory"]) / gibibyte
	if memory < 1 {
		return fmt.Sprintf("%s cpu, %.0fMi", cpu, memory*1024)
	}
	return fmt.Sprintf("%s cpu, %sGi", cpu, strconv.FormatFloat(math.Round(memory*10)/10, 'f', -1, 64))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func total(by map[string]int64) int64 {
	var sum int64
	for _, n := range by {
		sum += min(n, math.MaxInt32)
	}
	return sum
}

func narrow(n int64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

func clip(text string) string {
	if len(text) <= mostMessage {
		return text
	}
	return text[:mostMessage] + "..."
}
