// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Around observes what is around a workload without an HPA: its pods, the targets that its schedules wait for, what
// pauses it, and what its annotations say. standIn gives the workload's namespace, name and annotations, and names it in
// scaleTargetRef; schedules are those that name it.
func (o Observer) Around(ctx context.Context, standIn *autoscalingv2.HorizontalPodAutoscaler, schedules []v1alpha1.ScaleSchedule) (*Situation, error) {
	s := &Situation{HPA: standIn, Schedules: schedules, Replicas: standIn.Status.CurrentReplicas}
	var err error
	if s.Pods, err = o.pods(ctx, standIn); err != nil {
		return nil, err
	}
	s.readWith(record.ParseWorkload)
	if s.PausedBy, err = o.pausedBy(ctx, s); err != nil {
		return nil, err
	}
	s.compile(o.compiler())
	s.Ready, err = o.ready(ctx, s)
	return s, err
}

// SchedulesOf are the ScaleSchedules that mean an HPA, by name.
func (o Observer) SchedulesOf(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) ([]v1alpha1.ScaleSchedule, error) {
	return o.schedules(ctx, hpa)
}
