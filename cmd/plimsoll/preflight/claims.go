// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// federation is how one target is divided, apart from the moment.
type federation struct {
	scale    *v1alpha1.FederatedScale
	rule     v1alpha1.Federation
	clusters []cluster // by name
}

// cluster is what one member has of a target, apart from the moment.
type cluster struct {
	portion
	member  *Member
	unknown string // why it is not known what fits there; "": it is
	shape   shape
	needs   crew // its pods there
	untried bool // none of its pods has been let into the namespace there, so that LimitRanges may refuse them
}

// divide finds the targets that are divided over members, and how.
func (c *checker) divide() error {
	for i := range c.Members {
		if in := c.Members[i].Inside; in != nil {
			c.snapshots[c.Members[i].Name] = capacity.New(in.Nodes, in.Pods)
		}
	}
	c.hub = c.hubAmongMembers()
	for _, t := range c.targets {
		ref := t.hpa.Spec.ScaleTargetRef
		scale := c.scaleOf(ref, t.hpa.Namespace)
		if scale == nil {
			continue
		}
		f, err := c.federate(t, scale)
		if err != nil {
			return err
		}
		c.federations[t] = f
	}
	if c.options.Lose == "" {
		return nil
	}
	if len(c.federations) == 0 {
		return fmt.Errorf("%s cannot be taken for lost: the event is for no workload that is divided over member clusters", c.options.Lose)
	}
	if c.member(c.options.Lose) == nil && len(c.Members) > 0 {
		var names []string
		for i := range c.Members {
			names = append(names, c.Members[i].Name)
		}
		return fmt.Errorf("there is no MemberCluster %s; there are: %v", c.options.Lose, names)
	}
	return nil
}

// hubAmongMembers is the name of the member that is the hub, which has the same nodes then; "" if none is.
func (w *World) hubAmongMembers() string {
	own := map[types.UID]bool{}
	for i := range w.Nodes {
		own[w.Nodes[i].UID] = w.Nodes[i].UID != ""
	}
	for i := range w.Members {
		if in := w.Members[i].Inside; in != nil && slices.ContainsFunc(in.Nodes, func(n corev1.Node) bool { return own[n.UID] }) {
			return w.Members[i].Name
		}
	}
	return ""
}

// federate finds the clusters of a FederatedScale as the scaler does: those that it names, or all that ever were Healthy.
func (c *checker) federate(t *target, scale *v1alpha1.FederatedScale) (*federation, error) {
	f := &federation{scale: scale}
	var err error
	if f.rule, err = scale.Compile(); err != nil {
		return nil, fmt.Errorf("the FederatedScale %s/%s is not valid: %w", scale.Namespace, scale.Name, err)
	}
	var names []string
	for name := range f.rule.Clusters {
		names = append(names, name)
	}
	for i := range c.Members {
		if f.rule.Clusters == nil {
			names = append(names, c.Members[i].Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		member := c.member(name)
		if why := absent(member, rowOf(scale, name)); why != "" {
			if len(c.Members) == 0 {
				continue // nothing is known of any
			}
			c.note("%s gets nothing of %s/%s: %s", name, scale.Namespace, scale.Name, why)
			continue
		}
		f.clusters = append(f.clusters, c.clusterOf(t, f, member))
	}
	return f, nil
}

func (c *checker) note(format string, a ...any) {
	c.out.Notes = append(c.out.Notes, fmt.Sprintf(format, a...))
}

func rowOf(scale *v1alpha1.FederatedScale, name string) v1alpha1.FederatedClusterStatus {
	for _, row := range scale.Status.Clusters {
		if row.Name == name {
			return row
		}
	}
	return v1alpha1.FederatedClusterStatus{}
}

// absent says why a member has no part in the division; "" if it has.
func absent(m *Member, row v1alpha1.FederatedClusterStatus) string {
	switch {
	case m == nil:
		return "there is no MemberCluster of that name"
	case row.Written == nil && m.Status.State != v1alpha1.MemberHealthy && (m.Status.Health == nil || !m.Status.Health.Proven):
		return "it never was Healthy"
	}
	return ""
}

// clusterOf is what a member has of a target, with the limits of its share there.
func (c *checker) clusterOf(t *target, f *federation, m *Member) cluster {
	row, limits := rowOf(f.scale, m.Name), f.rule.Clusters[m.Name]
	out := cluster{member: m, unknown: m.Unknown}
	out.limits = divide.Cluster{Name: m.Name, Weight: row.Weight, Min: 1}
	if limits.MinReplicas != nil {
		out.limits.Min = int64(*limits.MinReplicas)
	}
	if f.rule.Bounds {
		out.limits.Min = max(out.limits.Min, 1)
	}
	if limits.MaxReplicas != nil {
		out.limits.Max = new(int64(*limits.MaxReplicas))
	}
	if m.Unknown == "" {
		c.inside(t, f, &out)
	}
	if m.Spec.Weight != nil {
		out.limits.Weight = int64(*m.Spec.Weight)
	}
	never := f.rule.Options.Failover == divide.Never
	switch {
	case m.Spec.Drain:
		out.none()
		c.note("%s gets nothing of %s, because it is being drained", m.Name, t.name())
	case m.Name == c.options.Lose:
		out.lost, out.stays = true, never
	case m.Status.State == v1alpha1.MemberFailed && never:
		out.lost, out.stays = true, true
		out.limits.Max = new(int64(row.Replicas))
	case m.Status.State != v1alpha1.MemberFailed && out.unknown != "":
		out.has, out.bound = int64(row.Replicas), int64(row.Replicas)
	}
	return out
}

// has are the replicas that there are now.
func (f *federation) has() (all int64) {
	for i := range f.clusters {
		all += f.clusters[i].has
	}
	return all
}

// none: the member gets nothing.
func (one *cluster) none() { one.limits.Min, one.limits.Max = 0, new(int64(0)) }

// inside fills in what the member itself says.
func (c *checker) inside(t *target, f *federation, one *cluster) {
	key, in := f.scale.Namespace+"/"+f.scale.Name, one.member.Inside
	found, err := in.Targets[key], in.NoTarget[key]
	switch {
	case errors.Is(err, members.ErrNotThere):
		one.none()
		c.note("%s gets nothing of %s: %v", one.member.Name, t.name(), err)
	case err != nil:
		one.unknown = err.Error()
	}
	if found == nil {
		return
	}
	workload := &Workload{
		NamespacedName: found.NamespacedName, Kind: found.Kind, Replicas: found.Replicas, Template: &found.Template, Selector: found.Selector,
	}
	pods := in.podsOf(workload)
	one.has, one.bound = pods.all, pods.bound
	one.needs = crew{target: t, workload: workload, pod: in.podOf(workload, pods)}
	one.pod, one.untried = one.needs.pod, pods.newest == nil
	if _, unread := in.NoLimits[found.Namespace]; unread && one.untried {
		c.note("the LimitRanges of namespace %s in %s may not be listed: a pod of %s is taken as its template says", found.Namespace, one.member.Name, t.name())
	}
	one.shape = shapeOn(c.snapshots[one.member.Name], one.pod)
	one.portion.shape = one.shape.Shape
	if found.HPA != nil {
		if most := int64(found.HPA.Spec.MaxReplicas); one.limits.Max == nil || most < *one.limits.Max {
			one.limits.Max = &most
		}
	} else if owner := in.owner(found.Namespace, found.Kind, found.Name); owner != "" {
		one.limits.Min, one.limits.Max = int64(found.Replicas), new(int64(found.Replicas))
		c.add(Check{Check: "target", For: t.name(), Member: one.member.Name, State: Short,
			ToDo: fmt.Sprintf("in %s the HPA %s scales the %s %s, so its replicas are not divided there: remove that HPA, or use divide: Bounds", one.member.Name, owner, found.Kind, found.Name)})
	}
	if one.limits.Weight == 0 {
		quota := in.allowance().more(one.pod)
		one.limits.Weight = divide.Capacity{Nodes: c.snapshots[one.member.Name].Left(), Shape: one.shape.Shape, Own: one.bound, Quota: &quota}.Weight()
	}
}

// claimAt is the claim of a target at one moment, and the sites that claims share.
func (f *federation) claimAt(one crew, sites map[string]*site) *claim {
	out := &claim{name: one.target.name(), salt: f.scale.Namespace + "/" + f.scale.Name, replicas: int64(one.step.want)}
	if f.rule.Bounds {
		out.replicas = max(out.replicas, 1)
	}
	for i := range f.clusters {
		p := f.clusters[i].portion
		if p.pod != nil && !p.lost {
			p.site = sites[p.limits.Name]
		}
		out.portions = append(out.portions, &p)
	}
	return out
}

// sites are the members that are known, as they are at a moment without what is divided: in the hub, which may be a member,
// the other workloads come first.
func (c *checker) sites(m moment) map[string]*site {
	all := map[string]*site{}
	for i := range c.Members {
		one := &c.Members[i]
		if one.Inside == nil {
			continue
		}
		s := &site{nodes: slices.Clone(c.snapshots[one.Name].Left()), allowance: one.Inside.allowance()}
		if one.Name == c.hub {
			c.undivided(s, c.snapshots[one.Name], m.crews)
		}
		all[one.Name] = s
	}
	return all
}

// undivided books the pods of workloads that are not divided.
func (*checker) undivided(s *site, snapshot *capacity.Snapshot, crews []crew) {
	portions, demands := make([]*portion, len(crews)), make([]fit.Demand, len(crews))
	for i, one := range crews {
		portions[i] = &portion{site: s, pod: one.pod, shape: shapeOn(snapshot, one.pod).Shape}
		demands[i] = fit.Demand{Shape: portions[i].shape, Count: one.place}
		s.allowance.take(one.pod, one.create)
	}
	for i, placed := range fit.Place(s.nodes, demands, fit.Spread) {
		s.take(portions[i], placed)
	}
}

// restChecks say why nothing is written to the members for now, whatever fits there. For a target that the event does not
// name it is only said.
func (c *checker) restChecks(t *target, f *federation) []Check {
	state, all := Warning, []Check(nil)
	if t.event {
		state = Short
		if why, unread := c.Unread[unreadNamespaces]; unread {
			all = append(all, Check{Check: "target", For: t.name(), State: Unknown, ToDo: fmt.Sprintf(
				"whether namespace %s is paused is not known (%s); try: kubectl auth can-i get namespaces", f.scale.Namespace, why)})
		}
	}
	if why := f.rests(c.Paused[f.scale.Namespace]); why != "" {
		all = append(all, Check{Check: "target", For: t.name(), State: state, ToDo: why})
	}
	return all
}

// rests says why nothing is written to the members for now; "" if it is.
func (f *federation) rests(namespacePaused bool) string {
	name := f.scale.Namespace + "/" + f.scale.Name
	switch {
	case f.scale.Annotations[record.PausedAnnotation] == "true":
		return fmt.Sprintf("the FederatedScale %s is paused, so that nothing is written to the members: remove the annotation %s before the event", name, record.PausedAnnotation)
	case !f.rule.Enforce:
		return fmt.Sprintf("the FederatedScale %s only observes, so that nothing is written to the members: set mode: Enforce before the event", name)
	case namespacePaused:
		return fmt.Sprintf("namespace %s is paused, so that nothing is written to the members: remove its annotation %s before the event", f.scale.Namespace, record.PausedAnnotation)
	}
	if why := takenBy(&f.scale.Status); why != "" {
		return fmt.Sprintf("the FederatedScale %s may not write: %s", name, strings.TrimSuffix(why, "."))
	}
	return ""
}

// takenBy is what the hub says if another FederatedScale has the target; "" if none has. The condition names only the most
// urgent of the notes.
func takenBy(status *v1alpha1.FederatedScaleStatus) string {
	for _, n := range status.Notes {
		if n.Reason == v1alpha1.FederatedTargetTaken && n.Cluster == "" {
			return n.Message
		}
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Reason == v1alpha1.FederatedTargetTaken {
		return ready.Message
	}
	return ""
}
