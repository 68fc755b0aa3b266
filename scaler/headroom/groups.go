// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
)

const (
	// groupsFor is how long what a server said of its groups counts as new while nobody waits for nodes: a question often
	// costs it calls to a cloud. groupsSoon is the same while nodes are needed.
	groupsFor  = time.Minute
	groupsSoon = 10 * time.Second
	// registerWithin is how long a machine may take to become a Ready node before it counts as failed.
	registerWithin = 15 * time.Minute
	// mostNew is how many nodes a group may still add count in what fits after a loss.
	mostNew = 200
)

// groups are a member's node groups.
type groups struct {
	client *nodegroups.Client
	list   []nodegroups.Group // by ID
	// pending are the nodes of each that are on their way, stuck those that have been for too long.
	pending, stuck []int
	err            error // why they are not known

	// What new nodes of them would be: nodes are in the order of list.
	nodes *capacity.Snapshot
	left  []reserve.Left
}

// groupMemo is what is remembered of a member's node groups.
type groupMemo struct {
	address string
	client  *nodegroups.Client
	list    []nodegroups.Group
	err     error
	asked   time.Time
	waiting map[string]waiting
	resting map[string]time.Time // until when a group is left alone after an attempt that failed
	short   bool                 // the last look found that nodes are needed
	began   time.Time            // since when there is this memory
}

// waiting is since when a number of a group's nodes has been on its way.
type waiting struct {
	nodes int
	since time.Time
}

func (m *groupMemo) close() {
	if m.client != nil {
		_ = m.client.Close() // nothing can be done about it
	}
	*m = groupMemo{}
}

// readAllGroups asks the servers of all members, beside each other.
func (r *reconciler) readAllGroups(ctx context.Context, w *world) {
	var group errgroup.Group
	group.SetLimit(r.options.Concurrency)
	for _, c := range w.clusters {
		sight := w.members[c.Name]
		if sight == nil {
			continue
		}
		if c.Spec.NodeGroups == nil {
			sight.memo.groups.close()
			continue
		}
		group.Go(func() error {
			sight.groups = r.readGroups(ctx, c, sight)
			return nil
		})
	}
	_ = group.Wait() // errors are in the groups
}

func (r *reconciler) readGroups(ctx context.Context, c *v1alpha1.MemberCluster, sight *sight) *groups {
	m := &sight.memo.groups
	if err := r.dial(ctx, c, m); err != nil {
		return &groups{err: err}
	}
	fresh := groupsFor
	if m.short || m.err != nil {
		fresh = groupsSoon
	}
	if age := sight.now.Sub(m.asked); m.asked.IsZero() || age < 0 || age >= fresh {
		m.list, m.err = m.client.Groups(ctx)
		m.asked = sight.now
		slices.SortFunc(m.list, func(a, b nodegroups.Group) int { return cmp.Compare(a.ID, b.ID) })
	}
	g := &groups{client: m.client, list: m.list, err: m.err}
	if g.err == nil {
		g.err = g.await(ctx, sight)
	}
	return g
}

// dial makes the client of a server, or gives it new credentials.
func (r *reconciler) dial(ctx context.Context, c *v1alpha1.MemberCluster, m *groupMemo) error {
	var tls nodegroups.TLS
	if ref := c.Spec.NodeGroups.SecretRef; ref != nil {
		secret := &corev1.Secret{}
		if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.options.Namespace, Name: ref.Name}, secret); err != nil {
			return fmt.Errorf("the credentials of its node group server cannot be read from Secret %s/%s: %w", r.options.Namespace, ref.Name, err)
		}
		tls = nodegroups.TLS{CA: secret.Data["ca.crt"], Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]}
	}
	if m.client != nil && m.address == c.Spec.NodeGroups.Address {
		return m.client.Rotate(tls)
	}
	m.close()
	fresh, err := nodegroups.Dial(nodegroups.Options{Address: c.Spec.NodeGroups.Address, TLS: tls})
	if err != nil {
		return err
	}
	*m = groupMemo{address: c.Spec.NodeGroups.Address, client: fresh, waiting: map[string]waiting{}, resting: map[string]time.Time{}, began: r.options.Now()}
	return nil
}

// await finds out how many nodes are on their way. A node that has registered and is not Ready yet still is.
func (g *groups) await(ctx context.Context, sight *sight) error {
	var nodes corev1.NodeList
	if err := sight.member.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the nodes of member %s: %w", sight.member.Name(), err)
	}
	there := map[string]bool{}
	for i := range nodes.Items {
		n := &nodes.Items[i]
		if capacity.Ready(n) || sight.now.Sub(n.CreationTimestamp.Time) >= registerWithin {
			there[n.Spec.ProviderID] = true
		}
	}
	m := &sight.memo.groups
	for _, one := range g.list {
		pending := one.Pending(func(id string) bool { return there[id] })
		if one.Err != nil {
			pending = 0
		}
		was, known := m.waiting[one.ID]
		if !known || pending != was.nodes {
			was = waiting{pending, sight.now} // some came, or more were asked for
			m.waiting[one.ID] = was
		}
		stuck := 0
		if pending > 0 && sight.now.Sub(was.since) >= registerWithin {
			pending, stuck = 0, pending
		}
		g.pending, g.stuck = append(g.pending, pending), append(g.stuck, stuck)
	}
	return nil
}

// judge finds out what new nodes would be good for.
func (g *groups) judge(rules capacity.Rules) {
	if g.err != nil {
		return
	}
	nodes := make([]corev1.Node, len(g.list))
	for i := range g.list {
		nodes[i] = templateNode(&g.list[i])
	}
	g.nodes = capacity.New(nodes, nil)
	g.left = nil
	for _, n := range g.nodes.Nodes(rules) {
		g.left = append(g.left, n.Left())
	}
}

// templateNode is a new node of a group; without a template one on which nothing runs.
func templateNode(g *nodegroups.Group) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: g.ID}}
	if g.Template == nil || g.Err != nil {
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

// mayAdd is how many nodes a group may still add, those on their way counted.
func (g *groups) mayAdd(i int) int {
	if g.left[i] == reserve.NotReady || g.stuck[i] > 0 {
		return 0
	}
	return min(max(g.list[i].Max-g.list[i].Target, 0)+g.pending[i], mostNew)
}

// expandable are the nodes that the groups may still add.
func (g *groups) expandable() []fit.Node {
	if g.err != nil {
		return nil
	}
	var out []fit.Node
	for i, left := range g.nodes.Left() {
		for range g.mayAdd(i) {
			out = append(out, left)
		}
	}
	return out
}

// newNodes are those of expandable on which a pod may run, by their index.
func (g *groups) newNodes(pod *corev1.Pod) []int {
	out := []int{}
	if g.err != nil {
		return out
	}
	on, _ := g.nodes.Eligible(pod)
	first := 0
	for i := range g.list {
		count := g.mayAdd(i)
		if slices.Contains(on, i) {
			for n := range count {
				out = append(out, first+n)
			}
		}
		first += count
	}
	return out
}
