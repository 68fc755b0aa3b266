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
	"k8s.io/apimachinery/pkg/util/intstr"
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
	headroom      string
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
		headroom: label(s.headroom.Name), image: s.plain.Placeholder.Image, priorityClass: s.plain.Placeholder.PriorityClassName,
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
	quarter := intstr.FromString("25%")
	none := intstr.FromInt32(0)
	d := &appsv1.Deployment{
		ObjectMeta: f.meta(b),
		Spec: appsv1.DeploymentSpec{
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{reserveLabel: b.name}},
			RevisionHistoryLimit: new(int32(0)),
			// New pods in the place of old ones, some at a time: there may be no room beside them.
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &quarter, MaxSurge: &none},
			},
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
		Namespace: capacity.HeadroomNamespace, Name: b.name, Labels: map[string]string{reserveLabel: b.name, headroomLabel: f.headroom},
		Annotations: map[string]string{},
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
	var list appsv1.DeploymentList
	if err := one.member.List(ctx, &list, client.InNamespace(capacity.HeadroomNamespace), client.HasLabels{reserveLabel}); err != nil {
		return nil, fmt.Errorf("list the placeholders of member %s: %w", one.member.Name(), err)
	}
	out := make(map[string]*appsv1.Deployment, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = &list.Items[i]
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

// hold writes the placeholders of a row that are not as they should be, and removes the others.
func (one *sight) hold(ctx context.Context, wanted []*appsv1.Deployment) error {
	there, err := one.placeholders(ctx)
	if err != nil {
		return err
	}
	for _, d := range wanted {
		old := there[d.Name]
		delete(there, d.Name)
		if old != nil && old.Annotations[hashAnnotation] == d.Annotations[hashAnnotation] && old.Labels[headroomLabel] == d.Labels[headroomLabel] &&
			old.Spec.Replicas != nil && *old.Spec.Replicas == *d.Spec.Replicas && old.DeletionTimestamp.IsZero() {
			continue
		}
		if err := one.apply(ctx, kindDeployment, d); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !there[name].DeletionTimestamp.IsZero() {
			continue
		}
		err := one.member.Delete(ctx, there[name], client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &there[name].UID})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Deployment %s/%s: %w", there[name].Namespace, name, err)
		}
	}
	return nil
}
