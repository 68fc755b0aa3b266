// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The bounds of every HPA, and those that its window asks for.
const (
	baseMin, baseMax     = 2, 100
	windowMin, windowMax = 20, 200
)

const (
	perNamespace = 100
	writers      = 16 // that set the stage up
	scaler       = "scaler-0"
	owner        = "owner" // the HPAs' field manager
)

// stage is the cluster, its objects and the scaler.
type stage struct {
	options Options
	dir     string
	stack   *stack.Stack
	client  client.WithWatch
	raw     kubernetes.Interface
	begin   time.Time // of all windows
	end     time.Time
	seen    *seen
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}

// newStage sets everything up; on an error it has ended what it started.
func newStage(ctx context.Context, o Options) (*stage, error) {
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	s := &stage{options: o, dir: dir}
	for _, step := range []func(context.Context) error{s.startStack, s.makeObjects, s.startWatching, s.startScaler} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

func (s *stage) stop() error {
	var err error
	if s.stack != nil {
		err = s.stack.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *stage) startStack(ctx context.Context) error {
	var err error
	s.stack, err = stack.Start(ctx, stack.Options{
		ClusterOptions: stack.ClusterOptions{
			Name: "bench", Dir: filepath.Join(s.dir, "stack"), Nodes: 1, Progress: s.options.Progress,
			Arguments: []string{"--component-arg=kube-controller-manager=--controllers=*,-horizontal-pod-autoscaler-controller"},
		},
		Adapters: -1,
	})
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("making a client: %w", err)
		}
	}
	if s.client, err = client.NewWithWatch(s.stack.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if s.raw, err = kubernetes.NewForConfig(s.stack.RESTConfig); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return nil
}

// each does something for every HPA's number, several at once.
func (s *stage) each(ctx context.Context, what string, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	var done atomic.Int64
	for i := range s.options.HPAs {
		group.Go(func() error {
			if n := done.Add(1); n%1000 == 0 {
				s.say("%s: %d of %d", what, n, s.options.HPAs)
			}
			return do(ctx, i)
		})
	}
	return group.Wait()
}

func namespaceOf(i int) string { return fmt.Sprintf("bench-%d", i/perNamespace) }
func nameOf(i int) string      { return fmt.Sprintf("app-%d", i) }

// makeObjects makes HPAs, and schedules whose windows all begin at the same second, some time after the scaler has
// learned them. The workloads are not there: the scaler does not need them, and nobody else looks.
func (s *stage) makeObjects(ctx context.Context) error {
	for i := 0; i < s.options.HPAs; i += perNamespace {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}
		if err := s.client.Create(ctx, namespace); err != nil {
			return fmt.Errorf("making a namespace: %w", err)
		}
	}
	from := time.Now()
	if err := s.each(ctx, "HPAs", s.makeHPA); err != nil {
		return fmt.Errorf("making HPAs: %w", err)
	}
	// Making schedules and reading them takes the scaler about four times as long as making the HPAs; then it shall rest.
	// On an idle machine that is less than 5 ms for each.
	const perHPA = 7 * time.Millisecond
	learning := max(time.Duration(s.options.HPAs)*perHPA, 6*time.Since(from))
	s.begin = time.Now().Add(learning + rest + time.Minute).Truncate(time.Second)
	s.end = s.begin.Add(windowLength + 2*learning)
	make := func(ctx context.Context, i int) error { return s.client.Create(ctx, s.schedule(i)) }
	if err := s.each(ctx, "ScaleSchedules", make); err != nil {
		return fmt.Errorf("making ScaleSchedules: %w", err)
	}
	return nil
}

// windowLength leaves time to settle and to rest between the two changes, besides what many of them take.
const windowLength = 2 * time.Minute

func (s *stage) makeHPA(ctx context.Context, i int) error {
	if !s.options.Apply {
		return s.client.Create(ctx, hpa(i), client.FieldOwner(owner))
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hpa(i))
	if err != nil {
		return err
	}
	delete(object, "status")
	file := &unstructured.Unstructured{Object: object}
	file.SetGroupVersionKind(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"))
	return s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(file), client.FieldOwner(owner))
}

func hpa(i int) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(i), Name: nameOf(i)},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: nameOf(i)},
			MinReplicas:    ptr.To[int32](baseMin), MaxReplicas: baseMax,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name:   corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](60)},
				},
			}},
		},
	}
}

func (s *stage) schedule(i int) *v1alpha1.ScaleSchedule {
	return &v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(i), Name: nameOf(i)},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Kind: v1alpha1.DefaultTargetKind, Name: nameOf(i)},
			TimeZone:  "Asia/Shanghai",
			Windows: []v1alpha1.ScheduleWindow{{
				Name: "sale", Start: s.begin.UTC().Format(time.RFC3339), End: s.end.UTC().Format(time.RFC3339),
				MinReplicas: ptr.To[int32](windowMin), MaxReplicas: ptr.To[int32](windowMax),
				RampDown: &metav1.Duration{Duration: time.Second},
			}},
		},
	}
}

func (s *stage) startScaler(ctx context.Context) error {
	s.say("starting the scaler")
	return s.stack.StartScaler(ctx, scaler)
}
