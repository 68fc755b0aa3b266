// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// scaleOf is a FederatedScale that asks for a number of replicas, and has so many targets and as many found in its clusters.
func scaleOf(t *testing.T, mode v1alpha1.ActMode, asked int32, rows ...v1alpha1.FederatedClusterStatus) *workload {
	f := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	f.Spec.Mode, f.Spec.Replicas = mode, &asked
	f.Status.Divided, f.Status.Clusters = asked, rows
	rule, err := f.Compile()
	require.NoError(t, err)
	one := &workload{name: "shop/web", scale: f, rule: rule, acts: acts(f, rule, nil), in: map[string]*presence{}}
	for _, row := range rows {
		one.in[row.Name] = &presence{kind: "Deployment", name: "web", replicas: int64(row.Replicas)}
	}
	return one
}

func rowOf(name string, found, target int32) v1alpha1.FederatedClusterStatus {
	return v1alpha1.FederatedClusterStatus{Name: name, Replicas: found, Target: target}
}

// Who may write a FederatedScale buys no reserve by asking: what counts is there, or is being written to a cluster.
func TestSize(t *testing.T) {
	const million = 1_000_000
	absurd := []v1alpha1.FederatedClusterStatus{rowOf("east", 3, million/2), rowOf("west", 4, million/2)}
	for _, test := range []struct {
		name string
		of   *workload
		want int64
	}{
		{"only observed", scaleOf(t, v1alpha1.ModeObserve, million, absurd...), 7},
		{"by default too", scaleOf(t, "", million, absurd...), 7},
		{"a surge that is written", scaleOf(t, v1alpha1.ModeEnforce, 20, rowOf("east", 3, 10), rowOf("west", 4, 10)), 20},
		{"fewer, not acted on yet", scaleOf(t, v1alpha1.ModeEnforce, 4, rowOf("east", 3, 3), rowOf("west", 4, 4)), 7},
		{"moving", scaleOf(t, v1alpha1.ModeEnforce, 12, rowOf("east", 6, 6), rowOf("west", 4, 8)), 12},
		{"no cluster takes the rest", scaleOf(t, v1alpha1.ModeEnforce, million, rowOf("east", 3, 5), rowOf("west", 4, 6)), 11},
		{"to zero", scaleOf(t, v1alpha1.ModeEnforce, 0, rowOf("east", 0, 0)), 0},
		{"nothing there to be scaled", func() *workload {
			one := scaleOf(t, v1alpha1.ModeEnforce, million, absurd...)
			one.in["east"].missing = true
			one.in["west"].missing = true
			return one
		}(), 0},
		{"a failed cluster whose replicas have moved", func() *workload {
			one := scaleOf(t, v1alpha1.ModeEnforce, 8, rowOf("east", 4, 4), rowOf("west", 8, 8))
			one.in["east"].moved = true
			return one
		}(), 8},
		{"a cluster that refuses the write", func() *workload {
			one := scaleOf(t, v1alpha1.ModeEnforce, million, rowOf("east", 3, million), rowOf("west", 4, 5))
			one.scale.Status.Notes = []v1alpha1.FederatedNote{{Cluster: "east", Reason: v1alpha1.FederatedWriteFailed}}
			return one
		}(), 8},
	} {
		require.Equal(t, test.want, test.of.size(), test.name)
	}
}

func TestWhoActs(t *testing.T) {
	for _, test := range []struct {
		name   string
		want   bool
		change func(f *v1alpha1.FederatedScale)
	}{
		{"enforced", true, func(*v1alpha1.FederatedScale) {}},
		{"observing", false, func(f *v1alpha1.FederatedScale) { f.Spec.Mode = v1alpha1.ModeObserve }},
		{"paused", false, func(f *v1alpha1.FederatedScale) { f.Annotations = map[string]string{"plimsoll.dev/paused": "true"} }},
		{"not really paused", true, func(f *v1alpha1.FederatedScale) { f.Annotations = map[string]string{"plimsoll.dev/paused": "no"} }},
		{"its namespace is paused", false, func(f *v1alpha1.FederatedScale) { f.Namespace = "quiet" }},
		{"an older one has its target", false, func(f *v1alpha1.FederatedScale) {
			f.Status.Notes = []v1alpha1.FederatedNote{{Reason: v1alpha1.FederatedTargetTaken}}
		}},
		{"another note", true, func(f *v1alpha1.FederatedScale) {
			f.Status.Notes = []v1alpha1.FederatedNote{{Reason: v1alpha1.FederatedCapped}}
		}},
	} {
		f := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
		f.Spec.Mode = v1alpha1.ModeEnforce
		test.change(f)
		rule, err := f.Compile()
		require.NoError(t, err)
		require.Equal(t, test.want, acts(f, rule, map[string]bool{"quiet": true}), test.name)
	}
}

// The pods of a workload count once, however many FederatedScales speak of it.
func TestSingle(t *testing.T) {
	of := func(name string, mode v1alpha1.ActMode, age int, clusters ...string) *workload {
		var rows []v1alpha1.FederatedClusterStatus
		for _, c := range clusters {
			rows = append(rows, rowOf(c, 1, 1))
		}
		one := scaleOf(t, mode, 1, rows...)
		one.name, one.scale.Name, one.scale.CreationTimestamp = "shop/"+name, name, metav1.NewTime(noon.Add(-time.Duration(age)*time.Hour))
		return one
	}
	names := func(all ...*workload) []string {
		var out []string
		for _, one := range single(all) {
			out = append(out, one.name)
		}
		return out
	}
	const observe, enforce = v1alpha1.ModeObserve, v1alpha1.ModeEnforce
	require.Equal(t, []string{"shop/old"}, names(of("new", observe, 1, "east"), of("old", observe, 9, "east"), of("mid", observe, 5, "east")))
	require.Equal(t, []string{"shop/new"}, names(of("old", observe, 9, "east"), of("new", enforce, 1, "east", "west")), "the one that acts")
	require.Equal(t, []string{"shop/old"}, names(of("new", enforce, 1, "east"), of("old", enforce, 9, "east")))
	require.Equal(t, []string{"shop/a", "shop/b"}, names(of("b", enforce, 9, "west"), of("a", enforce, 1, "east")), "each in a cluster of its own")
	other, elsewhere := of("other", observe, 1, "east"), of("elsewhere", observe, 1, "east")
	other.in["east"].name, elsewhere.scale.Namespace = "api", "live"
	require.Len(t, names(of("old", observe, 9, "east"), other, elsewhere), 3, "another workload, and another namespace")
	unseen := of("unseen", observe, 1, "east")
	unseen.in["east"] = &presence{replicas: 1}
	unseen.rule.Target.Name = "web"
	require.Equal(t, []string{"shop/old"}, names(unseen, func() *workload {
		one := of("old", observe, 9, "east")
		one.in["east"], one.rule.Target.Name = &presence{replicas: 1}, "web"
		return one
	}()), "by what is named, where it is not seen")
}

func TestTakeOut(t *testing.T) {
	of := func(namespace, app string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: map[string]string{"app": app}}}
	}
	waiting := map[string][]*corev1.Pod{"shop": {of("shop", "web"), of("shop", "api"), of("shop", "web")}}
	require.Equal(t, int64(2), takeOut(waiting, of("shop", "web")))
	require.Zero(t, takeOut(waiting, of("shop", "web")), "another workload of the same labels")
	require.Zero(t, takeOut(waiting, of("live", "api")))
	require.Equal(t, int64(1), takeOut(waiting, of("shop", "api")))
}
