// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// roomOf is what the nodes have left: allocatable without what the pods on them request.
func (w *World) roomOf() []fit.Node {
	index, out := map[string]int{}, make([]fit.Node, len(w.Nodes))
	for i := range w.Nodes {
		index[w.Nodes[i].Name] = i
		size := plain(w.Nodes[i].Status.Allocatable)
		out[i] = fit.Node{Size: size, Free: size.Add(nil), Pods: size[string(corev1.ResourcePods)]}
	}
	for i := range w.Pods {
		pod := &w.Pods[i]
		if on, known := index[pod.Spec.NodeName]; known && counts(pod) {
			out[on].Free = out[on].Free.Add(amounts(&pod.Spec, requestsOf).Times(-1))
			out[on].Pods--
		}
	}
	return out
}

// empty is a node without pods.
func empty(n fit.Node) fit.Node {
	return fit.Node{Size: n.Size, Free: n.Size, Pods: n.Size[string(corev1.ResourcePods)]}
}

// eligible are the nodes on which a pod may run, and why it may not run on the others, counted: "1 cordoned".
func (w *World) eligible(pod *corev1.Pod) (on []int, left string) {
	on = []int{}
	why := map[string]int{}
	taken := map[string]bool{}
	if alone := onePerNode(pod); alone != nil {
		taken = w.occupied(pod.Namespace, alone)
	}
	for i := range w.Nodes {
		reason := refusal(pod, &w.Nodes[i])
		if reason == "" && taken[w.Nodes[i].Name] {
			reason = "with a pod that its anti-affinity keeps away from"
		}
		if reason == "" {
			on = append(on, i)
		} else {
			why[reason]++
		}
	}
	var parts []string
	for _, reason := range slices.SortedFunc(maps.Keys(why), func(a, b string) int { return cmp.Or(cmp.Compare(why[b], why[a]), cmp.Compare(a, b)) }) {
		parts = append(parts, fmt.Sprintf("%d %s", why[reason], reason))
	}
	return on, strings.Join(parts, ", ")
}

// refusal says why a pod cannot come to a node, "" if it can as far as the node's state and the pod's rules go.
func refusal(pod *corev1.Pod, node *corev1.Node) string {
	if node.Spec.Unschedulable {
		return "cordoned"
	}
	if !ready(node) {
		return "not Ready"
	}
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(pod, taint) {
			return "with the taint " + taint.ToString() + ", which the pods do not tolerate"
		}
	}
	for name, value := range pod.Spec.NodeSelector {
		if node.Labels[name] != value {
			return "outside the pods' nodeSelector"
		}
	}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		if !slices.ContainsFunc(terms, func(t corev1.NodeSelectorTerm) bool { return matches(t, node) }) {
			return "outside the pods' required node affinity"
		}
	}
	return ""
}

func ready(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func tolerates(pod *corev1.Pod, taint *corev1.Taint) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
		return t.ToleratesTaint(klog.Logger{}, taint, false)
	})
}

// matches says whether a node satisfies all of a term. A term that asks for nothing, or for what cannot be read, matches
// no node, as in Kubernetes.
func matches(term corev1.NodeSelectorTerm, node *corev1.Node) bool {
	if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
		return false
	}
	return satisfies(term.MatchExpressions, node.Labels) && satisfies(term.MatchFields, labels.Set{metav1.ObjectNameField: node.Name})
}

var operators = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn,
	corev1.NodeSelectorOpExists: selection.Exists, corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
}

func satisfies(requirements []corev1.NodeSelectorRequirement, set labels.Set) bool {
	for _, r := range requirements {
		requirement, err := labels.NewRequirement(r.Key, operators[r.Operator], r.Values)
		if err != nil || !requirement.Matches(set) {
			return false
		}
	}
	return true
}

// onePerNode is the selector of a required anti-affinity to other pods on the same node that the pod itself satisfies, so
// that a node takes one of its kind; nil without one.
func onePerNode(pod *corev1.Pod) labels.Selector {
	for _, term := range antiAffinity(pod) {
		if term.TopologyKey != corev1.LabelHostname || len(term.Namespaces) > 0 || term.NamespaceSelector != nil {
			continue
		}
		if selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector); err == nil && selector.Matches(labels.Set(pod.Labels)) {
			return selector
		}
	}
	return nil
}

func antiAffinity(pod *corev1.Pod) []corev1.PodAffinityTerm {
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		return a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

// occupied are the nodes on which a pod is that the selector selects.
func (w *World) occupied(namespace string, by labels.Selector) map[string]bool {
	nodes := map[string]bool{}
	for i := range w.Pods {
		if p := &w.Pods[i]; p.Namespace == namespace && counts(p) && by.Matches(labels.Set(p.Labels)) {
			nodes[p.Spec.NodeName] = true
		}
	}
	return nodes
}

// uncounted are a pod's rules that are not part of the arithmetic.
func uncounted(pod *corev1.Pod) []string {
	var all []string
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.DoNotSchedule {
			all = append(all, "topology spread over "+c.TopologyKey)
		}
	}
	for _, term := range antiAffinity(pod) {
		if term.TopologyKey != corev1.LabelHostname || onePerNode(pod) == nil {
			all = append(all, "anti-affinity by "+term.TopologyKey)
		}
	}
	if a := pod.Spec.Affinity; a != nil && a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
		all = append(all, "affinity to other pods")
	}
	if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil }) {
		all = append(all, "where its volumes can be")
	}
	return all
}
