// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// empty is a node without pods.
func empty(n fit.Node) fit.Node {
	return fit.Node{Size: n.Size, Free: n.Size, Pods: n.Size[string(corev1.ResourcePods)]}
}

// counted lists reasons with their numbers, the most frequent first: "2 cordoned, 1 not Ready".
func counted(refusals map[string]int) string {
	var parts []string
	for _, reason := range slices.SortedFunc(maps.Keys(refusals), func(a, b string) int {
		return cmp.Or(cmp.Compare(refusals[b], refusals[a]), cmp.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", refusals[reason], reason))
	}
	return strings.Join(parts, ", ")
}
