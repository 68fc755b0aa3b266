// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/headroom"
	"github.com/plimsoll/plimsoll/scaler/members"
)

const (
	nodes     = 4
	namespace = "shop"
	// within is how long anything may take.
	within = 10 * time.Minute
	poll   = 20 * time.Millisecond
)

// stage is one cluster that is hub and member, and in this process the controller of Headrooms.
type stage struct {
	options Options
	cluster *stack.Cluster
	client  client.WithWatch
	end     context.CancelFunc
	ended   chan error
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}

// nodeCPU is the cpu of one of the four nodes: together 25 % more than the replicas ask for, rounded up, so that a fifth of
// it is the reserve.
func (o Options) nodeCPU() int { return (o.Replicas*5 + 4*nodes - 1) / (4 * nodes) }

// nodeMemory is 2Gi for each cpu.
func (o Options) nodeMemory() string { return fmt.Sprintf("%dGi", 2*o.nodeCPU()) }

func newStage(ctx context.Context, o Options, dir string) (*stage, error) {
	s := &stage{options: o}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return s.startCluster(ctx, dir) }, s.makeObjects, s.startController,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

func (s *stage) stop() error {
	var errs []error
	if s.end != nil {
		s.end()
		errs = append(errs, <-s.ended)
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	return errors.Join(errs...)
}

func (s *stage) startCluster(ctx context.Context, dir string) error {
	ctrl.SetLogger(klog.Background())
	var err error
	s.cluster, err = stack.StartCluster(ctx, stack.ClusterOptions{
		Name: "bench", Dir: filepath.Join(dir, "cluster"), Nodes: nodes, Progress: s.options.Progress,
		Arguments: []string{
			"--node-cpu", fmt.Sprint(s.options.nodeCPU()), "--node-memory", s.options.nodeMemory(), "--pod-ready-delay", s.options.PodDelay.String(),
		},
	})
	if err != nil {
		return err
	}
	scheme := kruntime.NewScheme()
	for _, add := range []func(*kruntime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("making a client: %w", err)
		}
	}
	if s.client, err = client.NewWithWatch(s.cluster.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return nil
}

// makeObjects makes the workload and its FederatedScale. Nothing divides here: the status says what a division over one
// cluster would.
func (s *stage) makeObjects(ctx context.Context) error {
	for _, folder := range []string{"crd", "member"} {
		objects, err := manifests.Render(folder)
		if err != nil {
			return err
		}
		if err := s.cluster.Apply(ctx, objects...); err != nil {
			return err
		}
	}
	web := s.workload("web", int32(s.options.Replicas))
	scale := &v1alpha1.FederatedScale{ObjectMeta: web.ObjectMeta, Spec: v1alpha1.FederatedScaleSpec{Replicas: web.Spec.Replicas}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "here"}}, web, scale,
	} {
		if err := s.client.Create(ctx, object); err != nil {
			return fmt.Errorf("making a %T: %w", object, err)
		}
	}
	member := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "here"}}
	if err := s.client.Status().Patch(ctx, member, client.RawPatch(types.MergePatchType, []byte(`{"status": {"state": "Healthy"}}`))); err != nil {
		return fmt.Errorf("calling the member healthy: %w", err)
	}
	return s.divide(ctx, s.options.Replicas)
}

// workload has pods of one cpu.
func (s *stage) workload(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: new(int64(0)),
				Containers: []corev1.Container{{Name: "c", Image: "none", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")},
				}}},
			}},
		},
	}
}

func (s *stage) divide(ctx context.Context, replicas int) error {
	scale := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	patch := fmt.Sprintf(`{"status": {"divided": %[1]d, "clusters": [{"name": "here", "state": "Healthy", "replicas": %[1]d, "ready": %[1]d, "goal": %[1]d, "target": %[1]d, "weight": 1, "readyPercent": 100}]}}`, replicas)
	if err := s.client.Status().Patch(ctx, scale, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("dividing: %w", err)
	}
	return nil
}

func (s *stage) startController(ctx context.Context) error {
	mgr, err := manager.New(s.cluster.RESTConfig, manager.Options{
		Scheme: s.client.Scheme(), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return fmt.Errorf("making a manager: %w", err)
	}
	fleet := members.NewFleet(s.client.Scheme())
	if err := headroom.Add(mgr, fleet, headroom.Options{}); err != nil {
		return err
	}
	ctx, s.end = context.WithCancel(ctx)
	s.ended = make(chan error, 1)
	if err := fleet.Connect(ctx, "here", "", s.cluster.RESTConfig); err != nil {
		s.ended <- nil
		return err
	}
	go func() { s.ended <- mgr.Start(ctx) }()
	return nil
}

// until polls until a condition holds.
func (s *stage) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		is, err := holds(ctx)
		if err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// held says whether the Headroom says that its reserve is there.
func (s *stage) held(ctx context.Context) (bool, error) {
	h := &v1alpha1.Headroom{}
	if err := s.client.Get(ctx, types.NamespacedName{Name: "room"}, h); err != nil {
		return false, err
	}
	ready := meta.FindStatusCondition(h.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.HeadroomHeld && len(h.Status.Clusters) == 1 && int(h.Status.Clusters[0].Pods) >= s.options.surge(), nil
}

// unreserved says whether no placeholder pod is left.
func (s *stage) unreserved(ctx context.Context) (bool, error) {
	var pods corev1.PodList
	err := s.client.List(ctx, &pods, client.InNamespace(members.HeadroomNamespace))
	return len(pods.Items) == 0, err
}

// newNode makes one more node, as kwok keeps them.
func (s *stage) newNode(ctx context.Context, n int) error {
	list := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(fmt.Sprint(s.options.nodeCPU())), corev1.ResourceMemory: resource.MustParse(s.options.nodeMemory()),
		corev1.ResourcePods: resource.MustParse("250"),
	}
	name := fmt.Sprintf("new-%d", n)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}, Labels: map[string]string{corev1.LabelHostname: name}},
		Status:     corev1.NodeStatus{Capacity: list, Allocatable: list},
	}
	if err := s.client.Create(ctx, node); err != nil {
		return fmt.Errorf("making a node: %w", err)
	}
	return nil
}

// removeNewNodes ends the nodes that came for a surge. Pods that are left there go back to the others first, which are
// full again then.
func (s *stage) removeNewNodes(ctx context.Context) error {
	var list corev1.NodeList
	if err := s.client.List(ctx, &list); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	fresh := map[string]bool{}
	for i := range list.Items {
		n := &list.Items[i]
		if !strings.HasPrefix(n.Name, "new-") {
			continue
		}
		fresh[n.Name] = true
		if err := s.client.Patch(ctx, n, client.RawPatch(types.MergePatchType, []byte(`{"spec": {"unschedulable": true}}`))); err != nil {
			return fmt.Errorf("cordoning a node: %w", err)
		}
	}
	err := s.until(ctx, "the new nodes are empty", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := s.client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		left := 0
		for i := range pods.Items {
			if p := &pods.Items[i]; fresh[p.Spec.NodeName] {
				left++
				if err := s.client.Delete(ctx, p); client.IgnoreNotFound(err) != nil {
					return false, err
				}
			}
		}
		return left == 0, nil
	})
	if err != nil {
		return err
	}
	for name := range fresh {
		if err := s.client.Delete(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return fmt.Errorf("deleting a node: %w", err)
		}
	}
	return s.ready(ctx, "web", s.options.Replicas)
}
