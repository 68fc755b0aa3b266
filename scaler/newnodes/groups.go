// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
)

// Groups are a member's node groups as they were at one moment. They do not change.
type Groups struct {
	At   time.Time          // when the server said so
	List []nodegroups.Group // by ID
	// Pending are the nodes of each that are on their way, Stuck those that have been for too long.
	Pending, Stuck []int
	// Nodes are a new node of each group, in the order of List; one on which nothing runs where it is not known.
	Nodes *capacity.Snapshot
}

func newGroups(list []nodegroups.Group, at time.Time) *Groups {
	nodes := make([]corev1.Node, len(list))
	for i := range list {
		nodes[i] = templateNode(&list[i])
	}
	return &Groups{At: at, List: list, Nodes: capacity.New(nodes, nil)}
}

// templateNode is a new node of a group; without a template one on which nothing runs.
func templateNode(g *nodegroups.Group) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: g.ID}}
	if !known(g) {
		return n
	}
	n.Labels, n.Spec.Taints = g.Template.Labels, g.Template.Taints
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(g.Template.Node.Pods, resource.DecimalSI)}
	for name, amount := range g.Template.Node.Free {
		q := resource.NewQuantity(amount, resource.BinarySI)
		if name == string(corev1.ResourceCPU) {
			q = resource.NewMilliQuantity(amount, resource.DecimalSI)
		}
		n.Status.Allocatable[corev1.ResourceName(name)] = *q
	}
	return n
}

// known says whether it is known what a new node of a group would be, and how many there are.
func known(g *nodegroups.Group) bool { return g.Template != nil && g.Err == nil }

// MayAdd is how many nodes the group of an index may still add, those on their way counted; none where it is not known
// what they would be, and none while its machines do not become nodes.
func (g *Groups) MayAdd(i int) int {
	if !known(&g.List[i]) || g.Stuck[i] > 0 {
		return 0
	}
	return max(g.List[i].Max-g.List[i].Target, 0) + g.Pending[i]
}

// mostEach is how many new nodes of one group count where each is looked at by itself.
const mostEach = 200

func (g *Groups) each(i int) int { return min(g.MayAdd(i), mostEach) }

// Expandable are the nodes that the groups may still add, one by one: 200 of a group at most.
func (g *Groups) Expandable() []fit.Node {
	var out []fit.Node
	for i, left := range g.Nodes.Left() {
		for range g.each(i) {
			out = append(out, left)
		}
	}
	return out
}

// On are those of Expandable on which a pod may run, by their index; none is empty, not nil.
func (g *Groups) On(pod *corev1.Pod) []int {
	out := []int{}
	eligible, _ := g.Nodes.Eligible(pod)
	may := make([]bool, len(g.List))
	for _, i := range eligible {
		may[i] = true
	}
	first := 0
	for i := range g.List {
		count := g.each(i)
		if may[i] {
			for n := range count {
				out = append(out, first+n)
			}
		}
		first += count
	}
	return out
}
