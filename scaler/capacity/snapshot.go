// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// Snapshot is what a cluster's nodes have and what its pods request at one moment. It does not change, and what its methods
// return must not be changed either.
type Snapshot struct {
	// Total number of nodes, and how many of them are Ready.
	Total, Ready int
	// Pods on nodes that have not ended, those of the reserve not counted; Reserve are those of the reserve.
	Pods, Reserve int
	// Waiting are the pods without a node, those of the reserve not counted; ReserveWaiting are those of the reserve.
	Waiting, ReserveWaiting int

	nodes []node // by name
	left  []fit.Node
	on    map[string][]occupant // by namespace
}

// node is one node.
type node struct {
	object *corev1.Node
	// size is what can be allocated, requested what the pods on it request without those of the reserve, reserve what those
	// request.
	size, requested, reserve fit.Resources
	pods, reservePods        int64
}

// occupant is a pod on a node.
type occupant struct {
	labels labels.Set
	node   int
}

// Take reads nodes and pods. A cache gives them without copying, so that this costs well under a second for 100,000 pods.
func Take(ctx context.Context, reader client.Reader) (*Snapshot, error) {
	var nodes corev1.NodeList
	if err := reader.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the pods: %w", err)
	}
	return New(nodes.Items, pods.Items), nil
}

// New makes a snapshot of all nodes and pods of a cluster.
func New(nodes []corev1.Node, pods []corev1.Pod) *Snapshot {
	s := &Snapshot{Total: len(nodes), on: map[string][]occupant{}}
	for i := range nodes {
		size := Amounts(nodes[i].Status.Allocatable)
		s.nodes = append(s.nodes, node{object: nodes[i].DeepCopy(), size: size, requested: fit.Resources{}, reserve: fit.Resources{}})
		if Ready(&nodes[i]) {
			s.Ready++
		}
	}
	slices.SortFunc(s.nodes, func(a, b node) int { return cmp.Compare(a.object.Name, b.object.Name) })
	index := make(map[string]int, len(s.nodes))
	for i := range s.nodes {
		index[s.nodes[i].object.Name] = i
	}
	for i := range pods {
		s.count(&pods[i], index)
	}
	for i := range s.nodes {
		n := &s.nodes[i]
		s.left = append(s.left, fit.Node{
			Size: n.size, Free: n.size.Add(n.requested.Times(-1)), Pods: n.size[string(corev1.ResourcePods)] - n.pods,
		})
	}
	return s
}

func (s *Snapshot) count(pod *corev1.Pod, index map[string]int) {
	if Ended(pod) {
		return
	}
	ofReserve := pod.Namespace == HeadroomNamespace
	on, known := index[pod.Spec.NodeName]
	switch {
	case known && ofReserve:
		s.Reserve++
		s.nodes[on].reservePods++
		book(s.nodes[on].reserve, &pod.Spec)
	case known:
		s.Pods++
		s.nodes[on].pods++
		book(s.nodes[on].requested, &pod.Spec)
		s.on[pod.Namespace] = append(s.on[pod.Namespace], occupant{labels: pod.Labels, node: on})
	case pod.Spec.NodeName != "": // on a node that is gone, or not seen yet
	case ofReserve:
		s.ReserveWaiting++
	default:
		s.Waiting++
	}
}

// Rules say which nodes count for headroom.
type Rules struct {
	// Selector names nodes by their labels: only these count, whatever taints and GPUs they have. Empty: all that have
	// neither.
	Selector map[string]string
	// TolerateTaints are keys of taints that do not leave a node out.
	TolerateTaints []string
}

// Nodes are all nodes, in the order of Fit's, as headroom sees them: each says whether it counts (Left).
func (s *Snapshot) Nodes(rules Rules) []reserve.Node {
	selector := labels.SelectorFromSet(rules.Selector)
	out := make([]reserve.Node, len(s.nodes))
	for i := range s.nodes {
		n := &s.nodes[i]
		named := selector.Matches(labels.Set(n.object.Labels))
		out[i] = reserve.Node{
			Name: n.object.Name, Allocatable: n.size, Requested: n.requested,
			Pods: n.size[string(corev1.ResourcePods)], Running: n.pods,
			Cordoned: n.object.Spec.Unschedulable, NotReady: !Ready(n.object),
			Named: named && !selector.Empty(), Unnamed: !named,
			Tainted: slices.ContainsFunc(n.object.Spec.Taints, func(t corev1.Taint) bool {
				return repels(&t) && !slices.Contains(rules.TolerateTaints, t.Key)
			}),
		}
	}
	return out
}

// Reserved is what the pods of the reserve on nodes request.
func (s *Snapshot) Reserved() fit.Resources {
	sum := fit.Resources{}
	for i := range s.nodes {
		sum = sum.Add(s.nodes[i].reserve)
	}
	return sum
}

// Objects are the nodes themselves, in the order of Left.
func (s *Snapshot) Objects() iter.Seq[*corev1.Node] {
	return func(yield func(*corev1.Node) bool) {
		for i := range s.nodes {
			if !yield(s.nodes[i].object) {
				return
			}
		}
	}
}

// Left is what every node has left, where the room that the reserve holds is free.
func (s *Snapshot) Left() []fit.Node { return s.left }

// Eligible are the nodes, by their index in Left, on which a pod may run, and why it may not run on the others, counted.
func (s *Snapshot) Eligible(pod *corev1.Pod) (on []int, refusals map[string]int) {
	on, refusals = []int{}, map[string]int{}
	taken := s.taken(pod)
	for i := range s.nodes {
		refusal := Refusal(pod, s.nodes[i].object)
		if refusal == "" && taken[i] {
			refusal = occupied
		}
		if refusal == "" {
			on = append(on, i)
		} else {
			refusals[refusal]++
		}
	}
	return on, refusals
}

const occupied = "with a pod that its anti-affinity keeps away from"

// taken are the nodes with a pod that the pod's OnePerNode selects.
func (s *Snapshot) taken(pod *corev1.Pod) map[int]bool {
	taken := map[int]bool{}
	if alone := OnePerNode(pod); alone != nil {
		for _, o := range s.on[pod.Namespace] {
			if alone.Matches(o.labels) {
				taken[o.node] = true
			}
		}
	}
	return taken
}

// Shape is that of a pod: what it requests, and on which nodes of Left it may run.
func (s *Snapshot) Shape(pod *corev1.Pod) fit.Shape {
	shape := fit.Shape{Requests: Requests(&pod.Spec)}
	shape.Nodes, _ = s.Eligible(pod)
	if OnePerNode(pod) != nil {
		shape.PerNode = 1
	}
	return shape
}

// Fit is what fit.Capacity and fit.Place take for pods of a template in a namespace.
func (s *Snapshot) Fit(namespace string, template *corev1.PodTemplateSpec) ([]fit.Node, fit.Shape) {
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace = namespace
	return s.left, s.Shape(pod)
}
