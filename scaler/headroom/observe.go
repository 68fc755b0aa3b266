// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/members"
)

// world is everything that one look saw.
type world struct {
	now       time.Time
	hub       string                    // this hub's identity
	clusters  []*v1alpha1.MemberCluster // by name
	members   map[string]*sight         // those that are Healthy and connected, by name
	workloads []*workload               // by namespace and name
	scenes    []*scene                  // one for each Headroom, the oldest first
}

// sight is a member that can be looked into.
type sight struct {
	member   *members.Member
	snapshot *capacity.Snapshot
	memo     *memo
	now      time.Time
	hub      string                                // this hub's identity
	heir     bool                                  // what has no hub's label there is this hub's
	groups   *groups                               // nil: it has none
	buffers  map[string]*unstructured.Unstructured // of all hubs, by name; nil: nobody has asked yet
}

// scene is one Headroom with what it concerns, and what was decided for it.
type scene struct {
	*world
	headroom *v1alpha1.Headroom
	plain    v1alpha1.Reservation
	rules    capacity.Rules
	cost     *prices
	invalid  string // what is wrong with the spec
	// taken are clusters of the spec that another Headroom has, and whose they are.
	taken map[string]string

	rows []*row // its clusters, by name
	plan reserve.Plan
}

// row is one cluster of a Headroom.
type row struct {
	cluster *v1alpha1.MemberCluster
	sight   *sight                   // nil: it is not known what is there
	nodes   []reserve.Node           // of the sight, as the Headroom's rules see them
	before  v1alpha1.HeadroomCluster // what the status said last; zero: nothing
	reserve *reserve.Reserve         // nil: not decided
	shapes  map[string]*podRules     // of the workloads' pods there, by workload

	strategy v1alpha1.HeadroomStrategy
	blocks   []block // what is kept, settled
	result   result
}

// acts says whether a Headroom's decision is to be written.
func (s *scene) acts() bool {
	return s.invalid == "" && s.plain.Enforce && !paused(s.headroom)
}

func (r *reconciler) observe(ctx context.Context) (*world, error) {
	w := &world{now: r.options.Now(), members: map[string]*sight{}}
	var err error
	if w.hub, err = members.HubIdentity(ctx, r.client); err != nil {
		return nil, err
	}
	var headrooms v1alpha1.HeadroomList
	if err := r.client.List(ctx, &headrooms); err != nil {
		return nil, fmt.Errorf("cannot list the Headrooms: %w", err)
	}
	var clusters v1alpha1.MemberClusterList
	if err := r.client.List(ctx, &clusters); err != nil {
		return nil, fmt.Errorf("cannot list the MemberClusters: %w", err)
	}
	for i := range clusters.Items {
		if c := &clusters.Items[i]; c.DeletionTimestamp.IsZero() {
			w.clusters = append(w.clusters, c)
		}
	}
	slices.SortFunc(w.clusters, func(a, b *v1alpha1.MemberCluster) int { return cmp.Compare(a.Name, b.Name) })
	for _, c := range w.clusters {
		r.look(ctx, w, c)
	}
	r.readAllGroups(ctx, w)
	if err := r.workloads(ctx, w); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(headrooms.Items, func(h v1alpha1.Headroom) bool { return !h.DeletionTimestamp.IsZero() })
	slices.SortFunc(list, func(a, b v1alpha1.Headroom) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	owners := map[string]string{}
	for i := range list {
		w.scenes = append(w.scenes, w.scene(&list[i], owners))
	}
	w.inherit()
	return w, nil
}

// look looks into a member that is Healthy. One that is not is left as it is, whatever its caches show.
func (r *reconciler) look(ctx context.Context, w *world, c *v1alpha1.MemberCluster) {
	member := r.fleet.Member(c.Name)
	if c.Status.State != v1alpha1.MemberHealthy || c.Spec.Suspend || member == nil {
		return
	}
	snapshot, err := member.Snapshot(ctx)
	if err != nil {
		return // its row says that it is not known
	}
	memo := r.memos[c.Name]
	if memo == nil {
		memo = newMemo()
		r.memos[c.Name] = memo
	}
	w.members[c.Name] = &sight{member: member, snapshot: snapshot, memo: memo, now: w.now, hub: w.hub}
}

// scene gathers the clusters of a Headroom. owners are the Headrooms that clusters already belong to.
func (w *world) scene(h *v1alpha1.Headroom, owners map[string]string) *scene {
	s := &scene{world: w, headroom: h, taken: map[string]string{}}
	plain, err := h.Compile()
	if err != nil {
		s.invalid = err.Error()
	}
	s.plain = plain
	s.rules = capacity.Rules{Selector: h.Spec.NodeSelector, TolerateTaints: h.Spec.TolerateTaints}
	if s.invalid == "" {
		s.cost, s.invalid = pricesOf(h.Spec.Cost)
	}
	for _, c := range w.clusters {
		if len(h.Spec.Clusters) > 0 && !slices.Contains(h.Spec.Clusters, c.Name) {
			continue
		}
		if owner := owners[c.Name]; owner != "" {
			s.taken[c.Name] = owner
			continue
		}
		owners[c.Name] = h.Name
		one := &row{cluster: c, sight: w.members[c.Name]}
		for i := range h.Status.Clusters {
			if h.Status.Clusters[i].Name == c.Name {
				one.before = h.Status.Clusters[i]
			}
		}
		if one.sight != nil {
			one.nodes = one.sight.snapshot.Nodes(s.rules)
			if g := one.sight.groups; g != nil {
				g.judge(s.rules)
			}
		}
		s.rows = append(s.rows, one)
	}
	return s
}

// decide asks policy what each cluster keeps.
func (s *scene) decide(ctx context.Context) {
	if s.invalid != "" {
		return
	}
	clusters, workloads := s.clusters(), s.surging()
	plan, err := reserve.Decide(clusters, workloads, s.plain.Options, s.now)
	if err != nil {
		s.invalid = err.Error()
		return
	}
	s.plan = plan
	for i := range plan.Reserves {
		if one := s.row(plan.Reserves[i].Cluster); one != nil && one.sight != nil {
			one.reserve = &plan.Reserves[i]
			one.blocks = s.settle(ctx, one)
		}
	}
}

func (s *scene) row(name string) *row {
	for _, one := range s.rows {
		if one.cluster.Name == name {
			return one
		}
	}
	return nil
}

// clusters are the Headroom's in policy's words. One that is not known has no nodes; one that has failed is left out: what
// it has is lost already.
func (s *scene) clusters() []reserve.Cluster {
	var out []reserve.Cluster
	for _, one := range s.rows {
		if one.cluster.Status.State == v1alpha1.MemberFailed {
			continue
		}
		c := reserve.Cluster{Name: one.cluster.Name, Quota: s.quotas(one.cluster.Name)}
		if one.sight != nil {
			c.Nodes = one.nodes
			if g := one.sight.groups; g != nil {
				c.New = g.expandable()
			}
		}
		out = append(out, c)
	}
	return out
}

// quotas are what the quotas of all workloads' namespaces have left in a cluster.
func (s *scene) quotas(cluster string) fit.Resources {
	left := fit.Resources{}
	for _, w := range s.workloads {
		if p := w.in[cluster]; p != nil {
			maps.Copy(left, p.left)
		}
	}
	return left
}

// list reads from the hub's cache without copying; what is read must not be changed.
func (r *reconciler) list(ctx context.Context, list client.ObjectList, what string) error {
	if err := r.client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list the %s: %w", what, err)
	}
	return nil
}
