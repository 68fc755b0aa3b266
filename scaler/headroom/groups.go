// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
)

const (
	// groupsFor is how long what a server said of its groups counts as new while nobody waits for nodes: a question often
	// costs it calls to a cloud. groupsSoon is the same while nodes are needed or on their way.
	groupsFor  = time.Minute
	groupsSoon = 10 * time.Second
	// ungrownFor is for how long after an attempt to grow that failed a group offers no nodes to the divisions.
	ungrownFor = 10 * time.Minute
)

// groups are a member's node groups.
type groups struct {
	*newnodes.Groups
	err  error          // why they are not known
	left []reserve.Left // of a new node of each, by the Headroom's rules
}

// groupMemo is what is remembered of a member's node groups.
type groupMemo struct {
	server  *newnodes.Server     // nil: none is known
	resting map[string]time.Time // until when a group is left alone after an attempt that failed
	failed  map[string]time.Time // when the last attempt to grow a group failed that has not grown since
	short   bool                 // the last look found that nodes are needed
	began   time.Time            // since when there is this memory
}

func (m *groupMemo) close() {
	if m.server != nil {
		m.server.Close()
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
	if err := r.dial(ctx, c.Spec.NodeGroups, m); err != nil {
		return &groups{err: err}
	}
	fresh := groupsFor
	if m.short || m.server.Failing() || m.server.Awaits(sight.now) {
		fresh = groupsSoon
	}
	read, err := m.server.Read(ctx, sight.snapshot, fresh, sight.now)
	return &groups{Groups: read, err: err}
}

// dial makes the client of a server, or gives it new credentials.
func (r *reconciler) dial(ctx context.Context, spec *v1alpha1.MemberNodeGroups, m *groupMemo) error {
	secrets := newnodes.Secrets{Reader: r.client, Namespace: r.options.Namespace}
	if m.server != nil && m.server.Is(spec) {
		return m.server.Renew(ctx, secrets, spec)
	}
	m.close()
	server, err := newnodes.Dial(ctx, secrets, spec)
	if err != nil {
		return err
	}
	*m = groupMemo{server: server, resting: map[string]time.Time{}, failed: map[string]time.Time{}, began: r.options.Now()}
	return nil
}

// judge finds out what new nodes would be good for.
func (g *groups) judge(rules capacity.Rules) {
	if g.err != nil {
		return
	}
	g.left = nil
	for _, n := range g.Nodes.Nodes(rules) {
		g.left = append(g.left, n.Left())
	}
}

// expandable are the nodes that the groups may still add.
func (g *groups) expandable() []fit.Node {
	if g.err != nil {
		return nil
	}
	return g.Expandable()
}

// on are those of expandable on which a pod may run, by their index.
func (g *groups) on(pod *corev1.Pod) []int {
	if g.err != nil {
		return []int{}
	}
	return g.On(pod)
}

// offer tells the divisions what new nodes each member may have. They count only where they are really added when pods
// wait for them: where an enforced Headroom keeps its reserve by node groups. What is not known just now is not told: for a
// while, what was told last counts.
func (r *reconciler) offer(w *world) {
	for name, sight := range w.members {
		if sight.groups == nil {
			continue
		}
		offer := newnodes.Nothing(w.now) // unless a Headroom has the cluster
		for _, s := range w.scenes {
			if one := s.row(name); one != nil {
				offer = s.offer(one)
			}
		}
		if offer != nil {
			r.fleet.Offer(name, offer)
		}
	}
}

// offer is what a cluster offers; nil: it is not known.
func (s *scene) offer(one *row) *newnodes.Offer {
	g, memo := one.sight.groups, &one.sight.memo.groups
	switch {
	case s.acts() && (one.strategy == "" || one.result.err != nil): // whether it grows is open
		return nil
	case !s.acts() || one.strategy != v1alpha1.HeadroomNodeGroups:
		return newnodes.Nothing(s.now)
	case g.err != nil:
		return nil
	}
	return g.Offer(s.rules, func(i int) bool {
		failed, has := memo.failed[g.List[i].ID]
		return has && s.now.Sub(failed) < ungrownFor
	})
}
