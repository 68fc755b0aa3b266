// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// fieldManager is the field manager of what the hub writes in members.
const fieldManager = "plimsoll-hub"

// The labels and annotations of everything that is ours in a member.
const (
	reserveLabel       = "plimsoll.dev/reserve"  // the block's name; whatever has it is ours
	headroomLabel      = "plimsoll.dev/headroom" // the Headroom's name, as far as a label can hold it
	workloadAnnotation = "plimsoll.dev/workload" // namespace/name of the FederatedScale for which room is held
	hashAnnotation     = "plimsoll.dev/hash"     // of what was applied
	evictAnnotation    = "cluster-autoscaler.kubernetes.io/safe-to-evict"
)

// podRules are where a workload's pods may run.
type podRules struct {
	pod   *corev1.Pod
	alone []corev1.PodAffinityTerm // nil: a node takes several
}

// frame is what all pods of a Headroom's reserve in one cluster have in common.
type frame struct {
	headroom, hub string
	image         string
	priorityClass string
	selector      map[string]string // of nodes
	// tolerations are for the pods that fill up: those of others are their workloads'.
	tolerations []corev1.Toleration
	avoid       []string // names of nodes that do not count although pods may run there
}

// mostAvoided bounds the names of nodes in a pod's affinity.
const mostAvoided = 100

func (s *scene) frame(ctx context.Context, one *row) (frame, error) {
	f := frame{
		headroom: label(s.headroom.Name), hub: s.hub, image: s.plain.Placeholder.Image, priorityClass: s.plain.Placeholder.PriorityClassName,
		selector: s.headroom.Spec.NodeSelector,
	}
	keys := map[string]bool{}
	for _, key := range s.headroom.Spec.TolerateTaints {
		keys[key] = true
	}
	for _, n := range one.nodes {
		if n.Left() == reserve.Extended && len(f.avoid) < mostAvoided {
			f.avoid = append(f.avoid, n.Name)
		}
	}
	if len(f.selector) > 0 { // nodes that are named count whatever taints they have
		var nodes corev1.NodeList
		if err := one.sight.member.List(ctx, &nodes, client.MatchingLabels(f.selector), client.UnsafeDisableDeepCopy); err != nil {
			return frame{}, fmt.Errorf("list the nodes of member %s: %w", one.cluster.Name, err)
		}
		for i := range nodes.Items {
			for _, taint := range nodes.Items[i].Spec.Taints {
				keys[taint.Key] = keys[taint.Key] || !strings.HasPrefix(taint.Key, "node.kubernetes.io/")
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if keys[key] {
			f.tolerations = append(f.tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists})
		}
	}
	return f, nil
}

// label is a name as the value of a label.
func label(name string) string {
	const most = 63
	if len(name) <= most {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return fmt.Sprintf("%s-%08x", strings.TrimRight(name[:50], "-."), h.Sum32())
}

// template is that of a block's pods. rules is nil for those that fill up.
func (f frame) template(b block, rules *podRules) corev1.PodTemplateSpec {
	own := map[string]string{reserveLabel: b.name}
	t := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{reserveLabel: b.name, headroomLabel: f.headroom},
			Annotations: map[string]string{evictAnnotation: "true"},
		},
		Spec: corev1.PodSpec{
			PriorityClassName: f.priorityClass, TerminationGracePeriodSeconds: new(int64(0)),
			AutomountServiceAccountToken: new(false), EnableServiceLinks: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65535)), RunAsGroup: new(int64(65535)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "pause", Image: f.image, Resources: resources(b.Shape.Requests),
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
			NodeSelector: maps.Clone(f.selector), Tolerations: f.tolerations,
		},
	}
	affinity := &corev1.Affinity{}
	if rules != nil {
		affinity = rules.place(&t.Spec, own)
	}
	if len(extended(b.Shape.Requests)) == 0 {
		avoid(affinity, f.avoid)
	}
	if affinity.NodeAffinity != nil || affinity.PodAntiAffinity != nil {
		t.Spec.Affinity = affinity
	}
	return t
}

// place has the pods run where the workload's may: its topology spread is kept by the pods of the reserve among themselves.
func (r *podRules) place(spec *corev1.PodSpec, own map[string]string) *corev1.Affinity {
	from := r.pod.Spec
	if spec.NodeSelector == nil {
		spec.NodeSelector = map[string]string{}
	}
	maps.Copy(spec.NodeSelector, from.NodeSelector)
	spec.Tolerations = slices.Clone(from.Tolerations)
	for _, c := range from.TopologySpreadConstraints {
		c.LabelSelector, c.MatchLabelKeys = &metav1.LabelSelector{MatchLabels: own}, nil
		spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, c)
	}
	affinity := &corev1.Affinity{}
	if from.Affinity != nil {
		affinity.NodeAffinity = from.Affinity.NodeAffinity.DeepCopy()
	}
	if len(r.alone) > 0 {
		// A node takes one of them: neither beside one of the workload's pods nor beside each other.
		terms := []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: own}}}
		for _, term := range r.alone {
			if term.TopologyKey == corev1.LabelHostname && len(term.Namespaces) == 0 && term.NamespaceSelector == nil {
				term.Namespaces, term.MatchLabelKeys, term.MismatchLabelKeys = []string{r.pod.Namespace}, nil, nil
				terms = append(terms, term)
			}
		}
		affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}
	}
	return affinity
}

// avoid keeps pods away from nodes by name. Terms of node affinity are alternatives, so each gets the condition.
func avoid(a *corev1.Affinity, names []string) {
	if len(names) == 0 {
		return
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil || len(required.NodeSelectorTerms) == 0 {
		required = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		for _, name := range names {
			term.MatchFields = append(term.MatchFields, corev1.NodeSelectorRequirement{
				Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpNotIn, Values: []string{name},
			})
		}
	}
	a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = required
}

// extended are the names of extended resources, which have a domain, in amounts above 0.
func extended(requests fit.Resources) []string {
	var names []string
	for name, amount := range requests {
		if amount > 0 && strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return names
}

// resources are requests as Kubernetes writes them. Extended resources and huge pages need equal limits.
func resources(requests fit.Resources) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{Requests: corev1.ResourceList{}}
	for name, amount := range requests {
		q := resource.NewQuantity(amount, resource.BinarySI)
		if name == string(corev1.ResourceCPU) {
			q = resource.NewMilliQuantity(amount, resource.DecimalSI)
		}
		if amount <= 0 || name == string(corev1.ResourcePods) {
			continue
		}
		r.Requests[corev1.ResourceName(name)] = *q
		if strings.Contains(name, "/") || strings.HasPrefix(name, corev1.ResourceHugePagesPrefix) {
			if r.Limits == nil {
				r.Limits = corev1.ResourceList{}
			}
			r.Limits[corev1.ResourceName(name)] = *q
		}
	}
	return r
}

// deployment is a block as placeholder pods.
func (f frame) deployment(b block, rules *podRules) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: f.meta(b),
		Spec: appsv1.DeploymentSpec{
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{reserveLabel: b.name}},
			RevisionHistoryLimit: new(int32(0)),
			// Old pods are gone before new ones come: there may be no room beside them, and a node autoscaler adds nodes for a
			// pod that waits for a moment. The room is free meanwhile, which is what it is for.
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			// Pods that wait for room are no failure of the Deployment.
			ProgressDeadlineSeconds: new(int32(1<<31 - 1)),
			Template:                f.template(b, rules),
		},
	}
	d.Annotations[hashAnnotation] = hash(d.Spec)
	d.Spec.Replicas = new(narrow(b.count))
	return d
}

func (f frame) meta(b block) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: capacity.HeadroomNamespace, Name: b.name, Annotations: map[string]string{},
		Labels: map[string]string{reserveLabel: b.name, headroomLabel: f.headroom, hubLabel: f.hub},
	}
	if b.Workload != "" {
		m.Annotations[workloadAnnotation] = b.Workload
	}
	return m
}

// hash tells two versions of an object apart.
func hash(of any) string {
	encoded, err := json.Marshal(of)
	if err != nil {
		return "" // never equal to another
	}
	h := fnv.New64a()
	_, _ = h.Write(encoded) // a hash takes everything
	return fmt.Sprintf("%016x", h.Sum64())
}

// placeholders are our Deployments in a member, by name.
func (one *sight) placeholders(ctx context.Context) (map[string]*appsv1.Deployment, error) {
	all, err := one.deployments(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*appsv1.Deployment, len(all))
	for i := range all {
		if one.ours(&all[i]) {
			out[all[i].Name] = &all[i]
		}
	}
	return out, nil
}

// found is what is known of a block that is there already, as after a restart.
func (one *sight) found(ctx context.Context, name string, now time.Time) *kept {
	d := &appsv1.Deployment{}
	if err := one.member.Get(ctx, types.NamespacedName{Namespace: capacity.HeadroomNamespace, Name: name}, d); err != nil || d.Spec.Replicas == nil {
		return &kept{}
	}
	return &kept{requests: capacity.Requests(&d.Spec.Template.Spec), wants: []want{{now, int64(*d.Spec.Replicas)}}}
}

// apply writes an object on the server's side.
func (one *sight) apply(ctx context.Context, kind schema.GroupVersionKind, object any) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("write down a %s: %w", kind.Kind, err)
	}
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kind)
	err = one.member.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(fieldManager), client.ForceOwnership)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("apply %s %s/%s: %w; apply manifests/member there", kind.Kind, u.GetNamespace(), u.GetName(), err)
	case err != nil:
		return fmt.Errorf("apply %s %s/%s: %w", kind.Kind, u.GetNamespace(), u.GetName(), err)
	}
	return nil
}

var kindDeployment = appsv1.SchemeGroupVersion.WithKind("Deployment")

// yieldsWithin is how long placeholder pods may take to go before others come in their place.
const yieldsWithin = time.Minute

// hold writes the placeholders of a row that are not as they should be, and removes the others. More pods come last, and not
// before those that are to go are gone, so that no pod waits for room that is about to be there; until then it returns true.
// Pods of another size go before those of the new one come, as others may need what they had.
func (one *sight) hold(ctx context.Context, wanted []*appsv1.Deployment) (yields bool, err error) {
	there, err := one.placeholders(ctx)
	if err != nil {
		return false, err
	}
	var grow []*appsv1.Deployment
	stay := map[string]int32{} // how many pods may stay for now, by block
	for _, d := range wanted {
		old := there[d.Name]
		delete(there, d.Name)
		switch {
		case same(old, d):
			stay[d.Name] = *d.Spec.Replicas
		case replicas(old) < *d.Spec.Replicas && !resized(old, d):
			grow, stay[d.Name] = append(grow, d), replicas(old)
		default:
			now := d
			if resized(old, d) {
				grow, now = append(grow, d), d.DeepCopy()
				now.Spec.Replicas = new(int32(0))
			}
			stay[d.Name] = *now.Spec.Replicas
			if err := one.apply(ctx, kindDeployment, now); err != nil {
				return false, err
			}
		}
	}
	if err := one.remove(ctx, there); err != nil {
		return false, err
	}
	if len(grow) > 0 {
		if yields, err = one.leaving(ctx, stay); err != nil || yields && one.patient() {
			return yields, err
		}
	}
	one.memo.yields = time.Time{}
	for _, d := range grow {
		if err := one.apply(ctx, kindDeployment, d); err != nil {
			return false, err
		}
	}
	return false, nil
}

// patient says whether pods that are to go are waited for: not for ever, as they may be nobody's.
func (one *sight) patient() bool {
	if m := one.memo; m.yields.IsZero() || m.yields.After(one.now) {
		m.yields = one.now
	}
	return one.now.Sub(one.memo.yields) < yieldsWithin
}

// same says whether a Deployment is as it should be.
func same(old, d *appsv1.Deployment) bool {
	return old != nil && old.Annotations[hashAnnotation] == d.Annotations[hashAnnotation] && old.Labels[headroomLabel] == d.Labels[headroomLabel] &&
		old.Labels[hubLabel] == d.Labels[hubLabel] && replicas(old) == *d.Spec.Replicas && old.DeletionTimestamp.IsZero()
}

// replicas of a Deployment; 0: there is none.
func replicas(d *appsv1.Deployment) int32 {
	if d == nil || d.Spec.Replicas == nil {
		return 0
	}
	return *d.Spec.Replicas
}

// resized says whether a Deployment has pods that request something else than they should.
func resized(old, d *appsv1.Deployment) bool {
	return replicas(old) > 0 && !maps.Equal(capacity.Requests(&old.Spec.Template.Spec), capacity.Requests(&d.Spec.Template.Spec))
}

// leaving says whether there are more placeholder pods than may stay, by block: some have yet to go.
func (one *sight) leaving(ctx context.Context, stay map[string]int32) (bool, error) {
	var pods corev1.PodList
	if err := one.member.List(ctx, &pods, client.InNamespace(capacity.HeadroomNamespace), client.HasLabels{reserveLabel}, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list the placeholder pods of member %s: %w", one.member.Name(), err)
	}
	left := maps.Clone(stay)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName == "" || capacity.Ended(pod) {
			continue
		}
		if left[pod.Labels[reserveLabel]]--; left[pod.Labels[reserveLabel]] < 0 {
			return true, nil
		}
	}
	return false, nil
}

// remove deletes placeholders that nobody wants.
func (one *sight) remove(ctx context.Context, unwanted map[string]*appsv1.Deployment) error {
	for _, name := range slices.Sorted(maps.Keys(unwanted)) {
		d := unwanted[name]
		if !d.DeletionTimestamp.IsZero() {
			continue
		}
		err := one.member.Delete(ctx, d, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &d.UID})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Deployment %s/%s: %w", d.Namespace, name, err)
		}
	}
	return nil
}
