// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestOrdersWaitWhilePodsAreShort(t *testing.T) {
	s := New(Options{Day: Day{Quiet: 1000}, Capacity: 100})
	s.Step(0, []string{"a"})
	s.Step(10*time.Second, []string{"a"})
	require.Equal(t, 180, s.State().Waiting, "900 users too many, 0.02 orders a second, 10 s")
	s.Step(20*time.Second, make([]string, 20))
	require.Zero(t, s.State().Waiting)
	require.Equal(t, 1000, s.State().Users)
}

func TestRunFollowsTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := New(Options{Day: Day{Length: time.Minute, Quiet: 10, Peak: 1000}})
		start := time.Now()
		go Run(ctx, func() time.Duration { return time.Since(start) }, Branch{s, func() []string { return []string{"a"} }})
		time.Sleep(29*time.Second + 400*time.Millisecond) // the fake clock's
		synctest.Wait()
		require.Equal(t, map[string]int{"a": s.options.Day.Users(29 * time.Second)}, s.State().PerPod)
		cancel()
	})
}

func get(ctx context.Context, t *testing.T, e *Exporter) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Address()+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestExporter(t *testing.T) {
	s := New(Options{Namespace: "shop", Day: Day{Quiet: 31}, Capacity: 10})
	e, err := Serve(s)
	require.NoError(t, err)
	s.Step(0, []string{"shop-a", "shop-b"})
	s.Step(5*time.Second, []string{"shop-a", "shop-b"})
	want := `# HELP online_users Users with a session on the pod.
# TYPE online_users gauge
online_users{namespace="shop",pod="shop-a"} 16
online_users{namespace="shop",pod="shop-b"} 15
# HELP orders_waiting Orders in the queue.
# TYPE orders_waiting gauge
orders_waiting{namespace="shop"} 2
`
	body, err := get(t.Context(), t, e)
	require.NoError(t, err)
	require.Equal(t, want, body)

	s.Step(6*time.Second, nil)
	_, err = get(t.Context(), t, e)
	require.NoError(t, err)
	told := e.Scrapes() // the second one told of no pod
	require.Len(t, told, 1)
	require.Equal(t, 31, told[0].Users)

	require.NoError(t, e.Close())
	_, err = get(t.Context(), t, e)
	require.ErrorContains(t, err, "refused")
}

// ready is the status of a pod that runs, by its condition Ready.
func ready(status corev1.ConditionStatus) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status}}}
}

// A pod's start is from when it was first seen until it first served, whatever becomes of it.
func TestStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		p := &Pods{starts: map[types.UID]*Start{}}
		of := func(uid types.UID, status corev1.PodStatus) *corev1.Pod {
			return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}, Status: status}
		}
		p.saw(of("a", corev1.PodStatus{Phase: corev1.PodPending}))
		time.Sleep(7 * time.Second) // the fake clock's
		p.saw(of("a", ready(corev1.ConditionTrue)))
		p.saw(of("b", corev1.PodStatus{Phase: corev1.PodPending}))
		time.Sleep(time.Second)
		p.saw(of("a", ready(corev1.ConditionFalse)))
		p.saw(of("a", ready(corev1.ConditionTrue)))
		p.saw("not a pod")
		require.Equal(t, []Start{{begin, begin.Add(7 * time.Second)}, {Seen: begin.Add(7 * time.Second)}}, p.Starts())
	})
}

func TestServing(t *testing.T) {
	now := metav1.Now()
	for name, tc := range map[string]struct {
		pod  corev1.Pod
		want bool
	}{
		"ready":       {corev1.Pod{Status: ready(corev1.ConditionTrue)}, true},
		"not ready":   {corev1.Pod{Status: ready(corev1.ConditionFalse)}, false},
		"pending":     {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending}}, false},
		"terminating": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: ready(corev1.ConditionTrue)}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, serving(&tc.pod)) })
	}
}
