// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/klog/v2"
)

// Refusal says why a pod cannot come to a node, in words that follow a number of nodes ("2 cordoned"); "" if it can, as far
// as the node's state and the pod's rules go.
func Refusal(pod *corev1.Pod, node *corev1.Node) string {
	if node.Spec.Unschedulable {
		return "cordoned"
	}
	if !Ready(node) {
		return "not Ready"
	}
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if repels(taint) && !tolerates(pod, taint) {
			return "with the taint " + taint.ToString() + ", which the pods do not tolerate"
		}
	}
	for name, value := range pod.Spec.NodeSelector {
		if there, has := node.Labels[name]; !has || there != value {
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

// Ready says whether a node says so.
func Ready(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// repels: pods that do not tolerate the taint do not come to the node.
func repels(taint *corev1.Taint) bool { return taint.Effect != corev1.TaintEffectPreferNoSchedule }

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

// OnePerNode is the selector of a required anti-affinity to other pods on the same node that the pod itself satisfies, so
// that a node takes one of its kind; nil without one.
func OnePerNode(pod *corev1.Pod) labels.Selector {
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

// Uncounted are a pod's rules of placement that are not part of the arithmetic.
func Uncounted(pod *corev1.Pod) []string {
	var all []string
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.DoNotSchedule {
			all = append(all, "topology spread over "+c.TopologyKey)
		}
	}
	for _, term := range antiAffinity(pod) {
		if term.TopologyKey != corev1.LabelHostname || OnePerNode(pod) == nil {
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
