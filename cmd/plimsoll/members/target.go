// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Target is what a FederatedScale divides, as one member has it.
type Target struct {
	types.NamespacedName        // of the workload
	Kind                 string // of the workload
	// HPA is the member's own, of which the minReplicas is divided (divide: Bounds); else nil.
	HPA      *autoscalingv2.HorizontalPodAutoscaler
	Replicas int32 // spec.replicas of the workload
	Template corev1.PodTemplateSpec
	Selector *metav1.LabelSelector
}

// ErrNotThere is in an error if a member has no object of the target's name.
var ErrNotThere = errors.New("it is not there")

// Read reads the target in a member. Of workloads other than Deployments and StatefulSets nothing is known, which is an
// error.
func Read(ctx context.Context, member client.Reader, namespace string, rule v1alpha1.Federation) (*Target, error) {
	t := &Target{Kind: rule.Target.Kind, NamespacedName: types.NamespacedName{Namespace: namespace, Name: rule.Target.Name}}
	if rule.Bounds {
		var hpas autoscalingv2.HorizontalPodAutoscalerList
		if err := one(ctx, member, t.Kind, t.NamespacedName, &hpas); err != nil {
			return nil, err
		}
		t.HPA = &hpas.Items[0]
		t.Kind, t.Name = t.HPA.Spec.ScaleTargetRef.Kind, t.HPA.Spec.ScaleTargetRef.Name
	}
	switch t.Kind {
	case "Deployment":
		var list appsv1.DeploymentList
		if err := one(ctx, member, t.Kind, t.NamespacedName, &list); err != nil {
			return nil, err
		}
		spec := &list.Items[0].Spec
		t.Template, t.Selector, t.Replicas = spec.Template, spec.Selector, orOne(spec.Replicas)
	case "StatefulSet":
		var list appsv1.StatefulSetList
		if err := one(ctx, member, t.Kind, t.NamespacedName, &list); err != nil {
			return nil, err
		}
		spec := &list.Items[0].Spec
		t.Template, t.Selector, t.Replicas = spec.Template, spec.Selector, orOne(spec.Replicas)
	default:
		return nil, fmt.Errorf("the pods of a %s are not known; those of Deployments and StatefulSets are", t.Kind)
	}
	return t, nil
}

// one reads an object as the only one of a list: the hub's account may list in a member, and not get.
func one(ctx context.Context, member client.Reader, kind string, key types.NamespacedName, list client.ObjectList) error {
	err := member.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name})
	if err == nil && meta.LenList(list) == 0 {
		return fmt.Errorf("there is no %s %s in namespace %s: %w", kind, key.Name, key.Namespace, ErrNotThere)
	}
	return err
}

func orOne(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

// Pod is a pod of the target, as its template makes it.
func (t *Target) Pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: t.Template.ObjectMeta, Spec: t.Template.Spec}
	pod.Namespace = t.Namespace
	return pod
}
