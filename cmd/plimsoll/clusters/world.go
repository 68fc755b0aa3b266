// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/members/kubeconfig"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
)

// DefaultSecrets is the namespace with the kubeconfigs of the members.
const DefaultSecrets = "plimsoll-members"

// World is the hub with what the members have.
type World struct {
	Hub      *Hub
	members  map[string]*inside
	groups   map[string]*newnodes.Groups // of the members whose node groups are known; see AskGroups
	Unknown  map[string]string           // members that could not be asked, and why
	Problems []string                    // what else keeps a number from being exact
}

// inside is a member that answers.
type inside struct {
	snapshot *capacity.Snapshot
	// podOf gives a workload's pod there, as its template makes it.
	podOf func(ctx context.Context, namespace string, rule v1alpha1.Federation) (*corev1.Pod, error)
}

// Ask reads what the members have, with the kubeconfigs that the scaler uses, each within a time of its own. Members that
// are not Healthy are not asked.
func Ask(ctx context.Context, hub client.Client, h *Hub, secrets string, timeout time.Duration) *World {
	w := &World{Hub: h, members: map[string]*inside{}, Unknown: map[string]string{}}
	type answer struct {
		name   string
		inside *inside
		err    error
	}
	answers := make(chan answer)
	asked := 0
	for i := range h.Members {
		m := &h.Members[i]
		if m.Status.State != v1alpha1.MemberHealthy {
			w.Unknown[m.Name] = "it is " + or(string(m.Status.State), "not judged yet")
			continue
		}
		asked++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			one, err := look(ctx, hub, m, secrets)
			answers <- answer{m.Name, one, err}
		}()
	}
	for range asked {
		if a := <-answers; a.err != nil {
			w.Unknown[a.name] = a.err.Error()
		} else {
			w.members[a.name] = a.inside
		}
	}
	return w
}

func look(ctx context.Context, hub client.Client, m *v1alpha1.MemberCluster, namespace string) (*inside, error) {
	secret, key, err := secretOf(ctx, hub, m, namespace)
	if err != nil {
		return nil, err
	}
	config, err := kubeconfig.Parse(secret, key)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "plimsoll"
	c, err := client.New(config, client.Options{Scheme: hub.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	snapshot, err := capacity.Take(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("it does not say what it has: %w", err)
	}
	return &inside{snapshot: snapshot, podOf: templates{c}.podOf}, nil
}

func secretOf(ctx context.Context, hub client.Client, m *v1alpha1.MemberCluster, namespace string) (*corev1.Secret, string, error) {
	names, key := []string{m.Name, m.Name + "-kubeconfig"}, ""
	if ref := m.Spec.KubeconfigSecretRef; ref != nil {
		names, key = []string{ref.Name}, ref.Key
	}
	for _, name := range names {
		secret := &corev1.Secret{}
		err := hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
		if err == nil {
			return secret, key, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, "", fmt.Errorf("its kubeconfig cannot be read, which simulating needs: %w", err)
		}
	}
	return nil, "", fmt.Errorf("namespace %s has no Secret %s with its kubeconfig", namespace, names[0])
}

// inPolicysWords are the members and the workloads as policy/reserve takes them. A member that is not known has no nodes.
func (w *World) inPolicysWords(ctx context.Context) ([]reserve.Cluster, []reserve.Workload) {
	var clusters []reserve.Cluster
	for i := range w.Hub.Members {
		m := &w.Hub.Members[i]
		if m.Status.State == v1alpha1.MemberFailed {
			continue
		}
		one := reserve.Cluster{Name: m.Name}
		if known := w.members[m.Name]; known != nil {
			one.Nodes = known.snapshot.Nodes(capacity.Rules{})
			one.New = w.expandable(m.Name)
		}
		clusters = append(clusters, one)
	}
	var workloads []reserve.Workload
	for i := range w.Hub.Scales {
		if one, ok := w.workload(ctx, &w.Hub.Scales[i]); ok {
			workloads = append(workloads, one)
		}
	}
	return clusters, workloads
}

func (w *World) workload(ctx context.Context, s *v1alpha1.FederatedScale) (reserve.Workload, bool) {
	name := s.Namespace + "/" + s.Name
	rule, err := s.Compile()
	if err != nil || len(s.Status.Clusters) == 0 {
		w.Problems = append(w.Problems, name+" is left out: it is not divided yet")
		return reserve.Workload{}, false
	}
	out := reserve.Workload{Name: name, In: map[string]reserve.Presence{}, Stays: rule.Options.Failover == divide.Never}
	for _, status := range s.Status.Clusters {
		out.Replicas += int64(status.Replicas)
		c := divide.Cluster{Name: status.Name, Weight: status.Weight, Min: 1}
		if limits := rule.Clusters[status.Name]; limits.MinReplicas != nil {
			c.Min = int64(*limits.MinReplicas)
		}
		if limits := rule.Clusters[status.Name]; limits.MaxReplicas != nil {
			c.Max = new(int64(*limits.MaxReplicas))
		}
		if status.State == v1alpha1.MemberFailed || status.Away {
			c.Min, c.Max = 0, new(int64(0))
		}
		out.Clusters = append(out.Clusters, c)
		if status.State == v1alpha1.MemberFailed {
			continue
		}
		in := reserve.Presence{Replicas: int64(status.Replicas), New: []int{}}
		in.Shape = fit.Shape{Requests: fit.Resources{}, Nodes: []int{}} // nothing fits where it is not known what is there
		if known := w.members[status.Name]; known != nil {
			pod, err := known.podOf(ctx, s.Namespace, rule)
			if err != nil {
				w.Problems = append(w.Problems, fmt.Sprintf("%s in %s: %s", name, status.Name, err))
			} else {
				in.Shape, in.New = known.snapshot.Shape(pod), w.newNodes(status.Name, pod)
			}
		}
		out.In[status.Name] = in
	}
	return out, true
}

// templates reads the pod templates of a member's workloads.
type templates struct{ client.Reader }

// one reads an object as the only one of a list: the hub's account may list in a member, and not get.
func (m templates) one(ctx context.Context, key types.NamespacedName, list client.ObjectList) error {
	err := m.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name})
	if err == nil && meta.LenList(list) == 0 {
		return fmt.Errorf("there is no %s there in namespace %s", key.Name, key.Namespace)
	}
	return err
}

func (m templates) podOf(ctx context.Context, namespace string, rule v1alpha1.Federation) (*corev1.Pod, error) {
	kind, key := rule.Target.Kind, types.NamespacedName{Namespace: namespace, Name: rule.Target.Name}
	if rule.Bounds {
		var hpas autoscalingv2.HorizontalPodAutoscalerList
		if err := m.one(ctx, key, &hpas); err != nil {
			return nil, err
		}
		kind, key.Name = hpas.Items[0].Spec.ScaleTargetRef.Kind, hpas.Items[0].Spec.ScaleTargetRef.Name
	}
	var template corev1.PodTemplateSpec
	switch kind {
	case "Deployment":
		var list appsv1.DeploymentList
		if err := m.one(ctx, key, &list); err != nil {
			return nil, err
		}
		template = list.Items[0].Spec.Template
	case "StatefulSet":
		var list appsv1.StatefulSetList
		if err := m.one(ctx, key, &list); err != nil {
			return nil, err
		}
		template = list.Items[0].Spec.Template
	default:
		return nil, fmt.Errorf("the pods of a %s are not known; those of Deployments and StatefulSets are", kind)
	}
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace = namespace
	return pod, nil
}
