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
	"github.com/plimsoll/plimsoll/scaler/capacity"
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

// shape is that of the pods of a workload, on the nodes of one cluster.
type shape struct {
	fit.Shape
	all     int    // nodes of the cluster
	leftOut string // nodes that are not for them, with why
}

func shapeOn(s *capacity.Snapshot, pod *corev1.Pod) shape {
	on, refusals := s.Eligible(pod)
	out := shape{Shape: fit.Shape{Requests: capacity.Requests(&pod.Spec), Nodes: on}, all: s.Total, leftOut: counted(refusals)}
	if capacity.OnePerNode(pod) != nil {
		out.PerNode = 1
	}
	return out
}

// text says what was counted of one pod and which nodes were not.
func (s shape) text(pod *corev1.Pod) string {
	text := fmt.Sprintf("a pod requests %s; %d of %d nodes are for it", requestsText(s.Requests), len(s.Nodes), s.all)
	if s.leftOut != "" {
		text += " (not: " + s.leftOut + ")"
	}
	if rules := capacity.Uncounted(pod); len(rules) > 0 {
		text += "; not counted: " + strings.Join(rules, ", ")
	}
	return text
}

// moreNodes says what helps pods that have no place on the nodes.
func moreNodes(nodes []fit.Node, shape fit.Shape, short int64) string {
	var most int64
	alone := shape
	alone.Nodes = nil
	for _, i := range shape.Nodes {
		most = max(most, fit.Capacity([]fit.Node{empty(nodes[i])}, alone))
	}
	switch {
	case len(shape.Nodes) == 0:
		return "no node is for them; see the nodes that are left out, the pods' nodeSelector, affinity and tolerations"
	case most == 0:
		return "not even an empty node of those that are for them takes one; ask for less in the pod template, or add larger nodes"
	}
	return fmt.Sprintf("add %d more nodes like the largest there (an empty one takes %d of them), ask for less, or make room", (short+most-1)/most, most)
}
