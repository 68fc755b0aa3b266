// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// One change is one event, whatever it changes; what is new of it later is told alone.
func TestOneEventForEachChange(t *testing.T) {
	sale := schedule.Active{Schedule: "sale", Window: "peak", Start: start, End: start.Add(time.Hour), Full: of(600), Zone: time.UTC}
	by, other := bounds.Source{Kind: bounds.KindSchedule, Name: "sale", Part: "peak"}, bounds.Source{Kind: bounds.KindOverride, Name: "kim"}
	base := bounds.Bounds{Min: 100, Max: 500}
	recorder := events.NewFakeRecorder(100)
	r := &reconciler{events: recorder, told: map[types.NamespacedName]map[string]string{}}
	s := &situation.Situation{HPA: &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "shop"}}}
	s.HPA.Spec.MinReplicas, s.HPA.Spec.MaxReplicas = &base.Min, base.Max
	const lower = "; to lower %s now: kubectl plimsoll override hpa/shop --min 100 --for 1h"
	for _, step := range []struct {
		phase      schedule.Phase
		to         bounds.Bounds
		floor, top bounds.Source
		wants      []string
	}{
		{schedule.RampUp, bounds.Bounds{Min: 200, Max: 800}, by, by,
			[]string{"BoundsRising minReplicas rises in steps to 600, so that they are Ready at 2026-11-10 16:00 UTC for ScaleSchedule sale/peak, with maxReplicas at 800; " +
				"the HPA's own 100..500 are kept as base"}},
		{schedule.RampUp, bounds.Bounds{Min: 300, Max: 800}, by, by, nil},
		{schedule.On, bounds.Bounds{Min: 600, Max: 800}, by, by,
			[]string{"BoundsHeld minReplicas held at 600 by ScaleSchedule sale/peak until 2026-11-10 17:00 UTC; the HPA's own 100 is kept as base" + fmt.Sprintf(lower, "it")}},
		{schedule.On, bounds.Bounds{Min: 600, Max: 900}, by, by,
			[]string{"MaxRaised maxReplicas held at 900 by ScaleSchedule sale/peak until 2026-11-10 17:00 UTC; the HPA's own 500 is kept as base"}},
		{schedule.On, bounds.Bounds{Min: 700, Max: 1000}, by, by,
			[]string{"BoundsHeld minReplicas held at 700 by ScaleSchedule sale/peak until 2026-11-10 17:00 UTC, maxReplicas at 1000; the HPA's own 100..500 are kept as base" +
				fmt.Sprintf(lower, "minReplicas")}},
		{schedule.On, bounds.Bounds{Min: 710, Max: 1100}, by, other,
			[]string{"BoundsHeld minReplicas held at 710 by ScaleSchedule sale/peak until 2026-11-10 17:00 UTC; the HPA's own 100 is kept as base" + fmt.Sprintf(lower, "it"),
				"MaxRaised maxReplicas held at 1100 by Override kim; the HPA's own 500 is kept as base"}},
	} {
		sale.Phase = step.phase
		out := &situation.Outcome{Adoption: bounds.Adoption{Base: base}, Schedule: schedule.Decision{Active: []schedule.Active{sale}}}
		out.Result = bounds.Result{Bounds: step.to, FloorBy: step.floor, MaxBy: step.top}
		out.Record.State.Applied = &step.to
		r.tell(s, afterWrite(s, out, done{bounds: true}))
		require.Len(t, recorder.Events, len(step.wants), "%+v", step)
		for _, want := range step.wants {
			require.Equal(t, "Normal "+want, <-recorder.Events)
		}
	}
}
