// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// asked is the shop of twoClusters, with an HPA and a schedule.
func asked() ([]autoscalingv2.HorizontalPodAutoscaler, []v1alpha1.ScaleSchedule) {
	hpa := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "users"}}
	hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = new(int32(3)), 90
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "plimsoll.dev/v1alpha1", Kind: "FederatedScale", Name: "shop"}
	other := *hpa.DeepCopy()
	other.Name, other.Spec.ScaleTargetRef.Kind = "other", "Deployment"
	sale := v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "sale"}}
	sale.Spec.TargetRef = &v1alpha1.TargetReference{Kind: "FederatedScale", Name: "shop"}
	byLabel := v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "by-label"}}
	return []autoscalingv2.HorizontalPodAutoscaler{hpa, other}, []v1alpha1.ScaleSchedule{sale, byLabel}
}

func TestExplain(t *testing.T) {
	f := &twoClusters().Scales[0]
	f.Status.Divided = 8
	hpas, schedules := asked()
	e := explain(f, hpas, schedules, now)
	require.Equal(t, []string{"HorizontalPodAutoscaler users, 3 to 90 (plimsoll explain hpa/users -n live)", "ScaleSchedule sale"}, e.AskedBy)
	require.Equal(t, "Deployment shop", e.Target)
	require.InDelta(t, 5.33, e.Clusters[0].Quota, 0.01)
	require.Equal(t, "its weight", e.Clusters[0].Why)
	text := ExplanationText(e, View{Now: now, Width: 120})
	for _, part := range []string{"federatedscale/shop in live: 8 replicas of Deployment shop asked for, 8 divided over 2 clusters, 7 Ready.", "WaitingForReady: paris is on its way", "berlin    Healthy   2        5.3"} {
		require.Contains(t, text, part)
	}
	require.Contains(t, ExplanationText(explain(f, nil, nil, now), View{Width: 120}), "no HPA and no ScaleSchedule of the hub names it")
}

// Every reason for which a goal is not what the weights give.
func TestExplainWhy(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *v1alpha1.FederatedScale, berlin *v1alpha1.FederatedClusterStatus)
		want   string
	}{
		{"an HPA", func(f *v1alpha1.FederatedScale, _ *v1alpha1.FederatedClusterStatus) {
			f.Status.Notes = []v1alpha1.FederatedNote{{Cluster: "berlin", Reason: v1alpha1.FederatedOwnedByHPA, Message: "so"}}
		}, "left as it is: OwnedByHPA"},
		{"failed", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) {
			b.State, b.Away = v1alpha1.MemberFailed, true
		}, "it has failed"},
		{"on its way back", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) { b.Away, b.Stage = true, 2 }, "in steps: 2 of its share"},
		{"silent", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) { b.State = v1alpha1.MemberSuspect }, "it is Suspect, so it keeps"},
		{"capped", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) {
			b.Goal, b.Cap = 3, &v1alpha1.FederatedCap{Replicas: 3, Until: metav1.NewTime(now.Add(time.Minute))}
		}, "no more than 3 until 20:01 UTC"},
		{"its own maximum", func(f *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) {
			b.Goal, f.Spec.Clusters = 3, []v1alpha1.FederatedCluster{{Name: "berlin", MaxReplicas: new(int32(3))}, {Name: "paris"}}
		}, "its maxReplicas is 3"},
		{"a quota", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) { b.Goal = 2 }, "by weight it would be 5; a quota"},
		{"others' part", func(_ *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) { b.Goal = 7 }, "by weight it would be 5; it has what others cannot take"},
		{"its minimum", func(f *v1alpha1.FederatedScale, b *v1alpha1.FederatedClusterStatus) {
			b.Goal, b.Weight, f.Status.Divided = 1, 0, 8
		}, "no more than its minimum"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &twoClusters().Scales[0]
			f.Status.Divided = 8
			test.change(f, &f.Status.Clusters[0])
			require.Contains(t, explain(f, nil, nil, now).Clusters[0].Why, test.want)
		})
	}
}
