// SPDX-License-Identifier: Apache-2.0

// Package preflight says before a planned event whether it fits: into the HPAs' maxReplicas, the namespaces' quotas, and
// what the nodes have left; of workloads that are divided over member clusters also there. Read, Load and LoadMembers collect
// what is known from files and from clusters; Examine is arithmetic on it.
package preflight

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/objects"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// World is what is known of the event and of the cluster that it is to fit into.
type World struct {
	Event     []v1alpha1.ScaleSchedule // of the files
	Schedules []v1alpha1.ScaleSchedule // of the cluster, without those that the files replace
	HPAs      []autoscalingv2.HorizontalPodAutoscaler
	Workloads []Workload
	Pods      []corev1.Pod
	Quotas    []corev1.ResourceQuota
	Limits    []corev1.LimitRange
	Nodes     []corev1.Node
	Scales    []v1alpha1.FederatedScale // that schedules or the HPAs of schedules name
	Members   []Member                  // the member clusters, by name
	// Paused says of namespaces of FederatedScales whether they are paused. What is not in it is not known, or not there.
	Paused map[string]bool
	// Leads are the measured times from a decision to Ready pods, by namespace/name of the HPA.
	Leads map[string]time.Duration
	// Unread says of a kind ("nodes") why it could not be read. Checks that need it are unknown.
	Unread map[string]string
}

// The kinds that World.Unread names.
const (
	unreadSchedules = "scaleschedules"
	unreadHPAs      = "horizontalpodautoscalers"
	unreadPods      = "pods"
	unreadQuotas    = "resourcequotas"
	unreadLimits    = "limitranges"
	unreadNodes     = "nodes"
	unreadScales    = "federatedscales"
	unreadMembers   = "memberclusters"
	unreadSecrets   = "secrets" // of the members' kubeconfigs
	// unreadNamespaces are those of FederatedScales: a paused one stops what is divided.
	unreadNamespaces = "namespaces"
)

// Workload is what an HPA scales.
type Workload struct {
	types.NamespacedName
	Kind        string
	Annotations map[string]string
	Replicas    int32                   // spec.replicas
	Template    *corev1.PodTemplateSpec // nil: it has none that is known
	Selector    *metav1.LabelSelector   // nil: unknown
	FromFile    bool                    // the template is what is to come, not what runs
}

// Read collects the objects of files. Schedules in them are the event. Its errors are mistakes in the files.
func Read(files []lint.File, namespace string, now time.Time) (*World, error) {
	if err := mistakes(files, now); err != nil {
		return nil, err
	}
	w := &World{Unread: map[string]string{}, Leads: map[string]time.Duration{}, Paused: map[string]bool{}}
	for _, file := range files {
		found, problems := objects.Read(file.Name, file.Text)
		if len(problems) > 0 {
			return nil, problems[0]
		}
		for _, object := range found {
			if err := w.add(object.Unstructured, namespace); err != nil {
				return nil, fmt.Errorf("%s: the %s %s cannot be read: %w", object.Place, object.GetKind(), object.GetName(), err)
			}
		}
	}
	if len(w.Event) == 0 {
		return nil, errors.New("the files have no ScaleSchedule: give the event's with -f")
	}
	return w, nil
}

// mistakes returns what lint calls errors.
func mistakes(files []lint.File, now time.Time) error {
	linter, err := lint.New()
	if err != nil {
		return err
	}
	var found []string
	for _, m := range linter.Check(files, now).Messages {
		if m.Severity == lint.Error {
			found = append(found, m.String())
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}

func (w *World) add(object *unstructured.Unstructured, namespace string) error {
	kind, content := object.GetKind(), object.UnstructuredContent()
	if object.GetNamespace() == "" && kind != "Node" {
		object.SetNamespace(namespace)
	}
	switch kind {
	case "ScaleSchedule":
		return into(content, &w.Event)
	case "HorizontalPodAutoscaler":
		return into(content, &w.HPAs)
	case "Pod":
		return into(content, &w.Pods)
	case "ResourceQuota":
		return into(content, &w.Quotas)
	case "LimitRange":
		return into(content, &w.Limits)
	case "Node":
		return into(content, &w.Nodes)
	case "Namespace":
		w.Paused[object.GetName()] = object.GetAnnotations()[record.PausedAnnotation] == "true"
		return nil
	case kindScale:
		if object.GroupVersionKind().Group == v1alpha1.GroupName {
			if err := into(content, &w.Scales); err != nil {
				return err
			}
			w.Workloads = append(w.Workloads, scaleWorkload(&w.Scales[len(w.Scales)-1]))
		}
		return nil
	}
	workload, err := workloadOf(object)
	if err != nil {
		return err
	}
	if workload.Template != nil {
		workload.FromFile = true
		w.Workloads = append(w.Workloads, workload)
	}
	return nil
}

func into[T any](content map[string]any, list *[]T) error {
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed); err != nil {
		return err
	}
	*list = append(*list, typed)
	return nil
}

// workloadOf reads what all workloads have in common: spec.template and spec.selector. An object without a template is
// no error.
func workloadOf(object *unstructured.Unstructured) (Workload, error) {
	out := Workload{
		Kind: object.GetKind(), NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()},
		Annotations: object.GetAnnotations(), Replicas: 1,
	}
	if n, found, err := unstructured.NestedInt64(object.Object, "spec", "replicas"); err == nil && found {
		out.Replicas = int32(min(max(n, 0), math.MaxInt32))
	}
	template, found, err := unstructured.NestedMap(object.Object, "spec", "template")
	if err != nil || !found {
		return out, nil //nolint:nilerr // a field of that name that means something else
	}
	out.Template = &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, out.Template); err != nil {
		return out, fmt.Errorf("spec.template: %w", err)
	}
	selector, found, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err == nil && found {
		out.Selector = &metav1.LabelSelector{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, out.Selector); err != nil {
			return out, fmt.Errorf("spec.selector: %w", err)
		}
	}
	return out, nil
}

// namespaces are those of the event.
func (w *World) namespaces() []string {
	var names []string
	for i := range w.Event {
		names = append(names, w.Event[i].Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (w *World) workload(namespace, kind, name string) *Workload {
	for i := range w.Workloads {
		if one := &w.Workloads[i]; one.Namespace == namespace && one.Kind == kind && one.Name == name {
			return one
		}
	}
	return nil
}
