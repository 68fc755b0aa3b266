// SPDX-License-Identifier: Apache-2.0

package members

import (
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// sums are of the nodes that count for headroom where nothing else is said.
type sums struct {
	base      reserve.Base
	requested fit.Resources
}

func sum(snapshot *capacity.Snapshot) sums {
	nodes := snapshot.Nodes(capacity.Rules{})
	out := sums{base: reserve.BaseOf(nodes), requested: fit.Resources{}}
	for i := range nodes {
		if nodes[i].Left() == "" {
			out.requested = out.requested.Add(nodes[i].Requested)
		}
	}
	return out
}

const (
	cpu    = string(corev1.ResourceCPU)
	memory = string(corev1.ResourceMemory)
)

func amounts(r fit.Resources) *v1alpha1.Amounts {
	return &v1alpha1.Amounts{
		CPU:    resource.NewMilliQuantity(r[cpu], resource.DecimalSI).String(),
		Memory: resource.NewQuantity(r[memory], resource.BinarySI).String(),
	}
}

// forPeople writes cpu and memory to a tenth: "12.5 cpu, 40Gi".
func forPeople(r fit.Resources) string {
	unit, name := float64(1<<30), "Gi"
	if r[memory] >= 1<<40 {
		unit, name = 1<<40, "Ti"
	}
	return tenths(float64(r[cpu])/1000) + " cpu, " + tenths(float64(r[memory])/unit) + name
}

// tenths rounds down: what is free is never more than is said.
func tenths(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", math.Floor(x*10)/10), ".0")
}

func clamp(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) } //nolint:gosec // it fits
