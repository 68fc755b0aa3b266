// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func parse[T any](t testing.TB, text string) *T {
	t.Helper()
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object))
	return object
}

// What the requests for the caches came to, in the order in which informers make them.
func TestLookout(t *testing.T) {
	code := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	defer server.Close()
	l := newLookout()
	c := http.Client{Transport: lookoutTripper{l, http.DefaultTransport}}
	ask := func(path string, answer int) {
		code = answer
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		response, err := c.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	for _, other := range []string{"/api/v1/nodes/a", "/api/v1/namespaces/nodes", "/api/v1/namespaces/a/pods", "/readyz", "/apis/apps/v1", "/apis/autoscaling.x-k8s.io/v1/capacitybuffers"} {
		ask(other, http.StatusForbidden)
	}
	require.Empty(t, l.missing())
	require.Zero(t, l.brokenSince())

	ask("/api/v1/nodes?watch=true&sendInitialEvents=true", http.StatusForbidden)
	ask("/k8s/clusters/c-1/api/v1/nodes", http.StatusForbidden)
	ask("/api/v1/pods", http.StatusForbidden)
	ask("/api/v1/pods?watch=true", http.StatusForbidden)
	require.Equal(t, []string{"list and watch nodes, pods"}, l.missing())
	ask("/api/v1/pods?watch=true", http.StatusOK)
	ask("/apis/apps/v1/deployments", http.StatusForbidden)
	require.Equal(t, []string{"list deployments", "list and watch nodes"}, l.missing())
	require.NotZero(t, l.brokenSince())
	ask("/apis/apps/v1/deployments", http.StatusOK)
	require.Equal(t, []string{"list and watch nodes"}, l.missing())
	ask("/api/v1/nodes?watch=true", http.StatusOK)
	require.Empty(t, l.missing())
	require.NotZero(t, l.brokenSince(), "deployments are not watched yet")
	ask("/apis/apps/v1/deployments?watch=true", http.StatusOK)
	require.Zero(t, l.brokenSince())

	server.Close()
	_, err := c.Get(server.URL + "/api/v1/pods?watch=true") //nolint:bodyclose,noctx // there is no answer
	require.Error(t, err)
	require.NotZero(t, l.brokenSince())
	require.Empty(t, l.missing())
}

// A pod requests in the cache what it requests, and is Ready and waits as it does.
func TestTrim(t *testing.T) {
	amount := rapid.SampledFrom([]string{"", "cpu: 100m", "cpu: 1, memory: 1Gi", "memory: 77, nvidia.com/gpu: 1"})
	rapid.Check(t, func(r *rapid.T) {
		containers := func(name string, restart string) string {
			text := ""
			for i := range rapid.IntRange(0, 3).Draw(r, name) {
				text += fmt.Sprintf("{name: %s%d, resources: {requests: {%s}}%s},", name, i, amount.Draw(r, "requests"), restart)
			}
			return text
		}
		pod := parse[corev1.Pod](t, fmt.Sprintf(`{metadata: {namespace: a, name: b, labels: {app: shop}, annotations: {large: text}, managedFields: [{manager: a}]},
  spec: {nodeName: n1, priority: -10, containers: [%s], initContainers: [%s %s], overhead: {%s}},
  status: {phase: Running, conditions: [{type: Ready, status: "True"}, {type: Initialized, status: "True"}, {type: PodScheduled, status: "True"}]}}`,
			containers("c", ""), containers("i", ""), containers("s", ", restartPolicy: Always"), amount.Draw(r, "overhead")))
		trimmed, err := trimPod(pod)
		require.NoError(r, err)
		short := trimmed.(*corev1.Pod)
		require.Equal(r, capacity.Requests(&pod.Spec), capacity.Requests(&short.Spec))
		require.Equal(r, pod.Labels, short.Labels)
		require.Equal(r, "n1", short.Spec.NodeName)
		require.Empty(r, short.Annotations)
		require.Len(r, short.Status.Conditions, 2)
	})
	mark := toolscache.DeletedFinalStateUnknown{Key: "a"}
	for _, trim := range []toolscache.TransformFunc{trimPod, trimNode} {
		same, err := trim(mark)
		require.NoError(t, err)
		require.Equal(t, mark, same)
	}
	node := parse[corev1.Node](t, `{metadata: {name: n, labels: {a: b}, annotations: {large: text}}, spec: {unschedulable: true, taints: [{key: a, effect: NoSchedule}]},
  status: {allocatable: {cpu: 1}, images: [{sizeBytes: 1}], conditions: [{type: Ready, status: "True"}, {type: DiskPressure, status: "False"}]}}`)
	trimmed, err := trimNode(node)
	require.NoError(t, err)
	short := trimmed.(*corev1.Node)
	require.Equal(t, []any{node.Spec.Taints, true, node.Labels, node.Status.Allocatable}, []any{short.Spec.Taints, short.Spec.Unschedulable, short.Labels, short.Status.Allocatable})
	require.True(t, capacity.Ready(short))
	require.Empty(t, short.Status.Images)
	require.Empty(t, short.Annotations)
}

func node(uid string, ready corev1.ConditionStatus, age time.Duration) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid), CreationTimestamp: metav1.NewTime(noon.Add(-age))},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

// A node that is new and has not been Ready yet is no sign of failure; one that was is.
func TestReadyShareOfNodes(t *testing.T) {
	var known wereReady
	look := func(nodes ...corev1.Node) health.Share {
		var share health.Share
		share, known = known.share(nodes, noon)
		return share
	}
	require.Equal(t, health.Share{At: noon}, look())
	require.Equal(t, health.Share{Ready: 1, Total: 2, At: noon}, look(
		node("a", corev1.ConditionTrue, 0), node("b", corev1.ConditionFalse, young), node("c", corev1.ConditionUnknown, young+1)))
	require.Equal(t, health.Share{Total: 1, At: noon}, look(node("a", corev1.ConditionUnknown, time.Minute)), "it was Ready")
	require.Equal(t, health.Share{Total: 1, At: noon}, look(node("a", corev1.ConditionUnknown, time.Minute)), "and that stays so")
	leaving := node("a", corev1.ConditionFalse, time.Hour)
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	require.Equal(t, health.Share{At: noon}, look(leaving))
	look()
	require.Empty(t, known, "those that are gone are forgotten")
}

// hubAndMember are a controller of which the hub has FederatedScales, and a member with workloads and pods.
func hubAndMember(t *testing.T, scales []string, in ...client.Object) (*fleetController, *Member) {
	t.Helper()
	hub := fake.NewClientBuilder().WithScheme(clustertest.Scheme(t))
	for _, text := range scales {
		hub = hub.WithObjects(parse[v1alpha1.FederatedScale](t, text))
	}
	member := fake.NewClientBuilder().WithScheme(clustertest.Scheme(t)).WithObjects(in...).Build()
	return &fleetController{client: hub.Build()}, &Member{name: "east", Client: member}
}

func deployment(t *testing.T, name string, replicas, ready int) client.Object {
	return parse[appsv1.Deployment](t, fmt.Sprintf(`{metadata: {namespace: web, name: %s}, spec: {selector: {matchLabels: {app: %s}}}, status: {replicas: %d, readyReplicas: %d}}`, name, name, replicas, ready))
}

// pod is not Ready since a time after it got its node, which it got at its creation.
func pod(t *testing.T, name, app string, age, since time.Duration, more string) client.Object {
	created := noon.Add(-age)
	return parse[corev1.Pod](t, fmt.Sprintf(`{metadata: {namespace: web, name: %s, labels: {app: %s}, creationTimestamp: %q}, status: {%s conditions: [
  {type: PodScheduled, status: "True", lastTransitionTime: %q}, {type: Ready, status: "False", lastTransitionTime: %q}]}}`,
		name, app, created.Format(time.RFC3339), more, created.Format(time.RFC3339), created.Add(since).Format(time.RFC3339)))
}

func TestReadyShareOfPods(t *testing.T) {
	const shop = `{metadata: {namespace: web, name: shop}, spec: {targetRef: {}}}`
	for _, test := range []struct {
		name         string
		scales       []string
		in           []client.Object
		ready, total int64
	}{
		{"nothing is divided", nil, []client.Object{deployment(t, "shop", 3, 0)}, 0, 0},
		{"all Ready", []string{shop}, []client.Object{deployment(t, "shop", 3, 3), deployment(t, "other", 3, 0)}, 3, 3},
		{"in other clusters only", []string{`{metadata: {namespace: web, name: shop}, spec: {targetRef: {}, clusters: [{name: west}]}}`}, []client.Object{deployment(t, "shop", 3, 3)}, 0, 0},
		{"here too", []string{`{metadata: {namespace: web, name: s}, spec: {targetRef: {name: shop}, clusters: [{name: west}, {name: east}]}}`}, []client.Object{deployment(t, "shop", 3, 3)}, 3, 3},
		{"of another namespace", []string{`{metadata: {namespace: db, name: shop}, spec: {targetRef: {}}}`}, []client.Object{deployment(t, "shop", 3, 3)}, 0, 0},
		{"by an HPA", []string{`{metadata: {namespace: web, name: shop}, spec: {divide: Bounds, targetRef: {}}}`}, []client.Object{deployment(t, "front", 3, 3),
			parse[autoscalingv2.HorizontalPodAutoscaler](t, `{metadata: {namespace: web, name: shop}, spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: front}}}`)}, 3, 3},
		{"a StatefulSet", []string{`{metadata: {namespace: web, name: shop}, spec: {targetRef: {kind: StatefulSet}}}`},
			[]client.Object{parse[appsv1.StatefulSet](t, `{metadata: {namespace: web, name: shop}, status: {replicas: 2, readyReplicas: 2}}`)}, 2, 2},
		{"a surge is no failure", []string{shop}, []client.Object{deployment(t, "shop", 3, 0), pod(t, "a", "shop", time.Minute, startSlack, ""), pod(t, "b", "other", time.Hour, 0, "")}, 0, 0},
		{"what was Ready is", []string{shop}, []client.Object{deployment(t, "shop", 3, 0), pod(t, "a", "shop", time.Minute, startSlack+time.Second, "")}, 0, 1},
		{"and what has had its time", []string{shop}, []client.Object{deployment(t, "shop", 3, 0), pod(t, "a", "shop", young+time.Second, 0, "")}, 0, 1},
		{"what has ended is not", []string{shop}, []client.Object{deployment(t, "shop", 3, 0), pod(t, "a", "shop", time.Hour, 0, "phase: Failed, ")}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, m := hubAndMember(t, test.scales, test.in...)
			share, err := c.podsShare(t.Context(), m, noon)
			require.NoError(t, err)
			require.Equal(t, health.Share{Ready: test.ready, Total: test.total, At: noon}, share)
		})
	}
}

// What is kept comes back as it was.
func TestKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := func(name string) time.Time {
			if rapid.Bool().Draw(t, "no "+name) {
				return time.Time{}
			}
			return noon.Add(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, name)) * time.Second)
		}
		k := health.Kept{
			State: rapid.SampledFrom([]health.State{health.Healthy, health.Suspect, health.Failed}).Draw(t, "state"),
			Since: when("since"), Cause: rapid.SampledFrom(health.Causes()).Draw(t, "cause"), Proven: rapid.Bool().Draw(t, "proven"),
			Looked: when("looked"), Watched: when("watched"), Probed: when("probed"),
			Bad: rapid.Int32Range(0, 9).Draw(t, "bad"), Failures: rapid.Int32Range(0, 9).Draw(t, "failures"), FailingSince: when("failing"),
			Successes: rapid.Int32Range(0, 9).Draw(t, "successes"), GoodSince: when("good"), NodesLowSince: when("nodes"), PodsLowSince: when("pods"), Demand: when("demand"),
		}
		require.Equal(t, k, keptIn(&v1alpha1.MemberClusterStatus{State: v1alpha1.MemberState(k.State), Since: timeOf(k.Since), Health: healthOf(&k)}))
	})
	require.Zero(t, keptIn(&v1alpha1.MemberClusterStatus{}))
}

// Every cause has a reason of its own, of the closed set; only what asks for somebody is False.
func TestReasons(t *testing.T) {
	for _, cause := range health.Causes() {
		reason := reasonOf(&health.Verdict{Cause: cause, Kept: health.Kept{Proven: true}})
		require.Contains(t, v1alpha1.MemberReasons(), reason, cause)
		require.Equal(t, cause.Fails() || cause.Alarms(), statusOf(reason) == metav1.ConditionFalse, cause)
	}
	require.Equal(t, v1alpha1.MemberStarting, reasonOf(&health.Verdict{Cause: health.Settling}))
	for i, want := range []metav1.ConditionStatus{"True", "True", "True", "Unknown", "Unknown", "Unknown", "Unknown", "False"} {
		require.Equal(t, want, statusOf(v1alpha1.MemberReasons()[i]), v1alpha1.MemberReasons()[i])
	}
	p := &prober{}
	for _, test := range []struct {
		name    string
		fields  string
		verdict health.Verdict
		doubt   health.Doubt
		reason  string
		message string
	}{
		{"well", "", health.Verdict{State: health.Healthy, Cause: health.OK, Message: "it is well"}, health.Doubt{}, v1alpha1.MemberAnswers, "it is well"},
		{"a clock", "", health.Verdict{State: health.Healthy, Cause: health.OK, Message: "it is well", Warning: "its clock"}, health.Doubt{}, v1alpha1.MemberClockSkew, "it is well; its clock"},
		{"drained", "drain: true", health.Verdict{State: health.Healthy, Cause: health.OK, Message: "it is well", Warning: "its clock"}, health.Doubt{},
			v1alpha1.MemberDraining, "it is well; its clock; spec.drain is true, so its replicas move to the other clusters"},
		{"drained and gone", "drain: true", health.Verdict{State: health.Failed, Cause: health.Unreachable, Message: "it is gone"}, health.Doubt{},
			v1alpha1.MemberUnreachable, "it is gone; spec.drain is true, so its replicas move to the other clusters"},
		{"in doubt", "", health.Verdict{State: health.Failed, Cause: health.Unreachable, Message: "it is gone"}, health.Doubt{Suspect: true, Message: "all are gone"},
			v1alpha1.MemberHubSuspect, "all are gone; of this one: it is gone"},
		{"a second name in doubt", "", health.Verdict{State: health.Suspect, Cause: health.Duplicate, Message: "it is east"}, health.Doubt{Suspect: true, Message: "all are gone"},
			v1alpha1.MemberDuplicateCluster, "it is east"},
		{"suspended in doubt", "", health.Verdict{State: health.Suspect, Cause: health.Suspended, Message: "it is suspended"}, health.Doubt{Suspect: true, Message: "all are gone"},
			v1alpha1.MemberSuspended, "it is suspended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			reason, message := p.reason(&task{member: parse[v1alpha1.MemberCluster](t, "{spec: {"+test.fields+"}}")}, &test.verdict, test.doubt)
			require.Equal(t, []string{test.reason, test.message}, []string{reason, message})
		})
	}
}

// That it is not known which cluster a member is is said, and changes nothing.
func TestUnidentified(t *testing.T) {
	p, well := &prober{known: known{Identity: probe.Identity{Refused: true}}}, &health.Verdict{State: health.Healthy, Cause: health.OK, Message: "it is well"}
	reason, message := p.reason(&task{member: &v1alpha1.MemberCluster{}}, well, health.Doubt{})
	require.Equal(t, []string{v1alpha1.MemberAnswers, "it is well; " + unidentified}, []string{reason, message})
	p.known.ID = "1"
	_, message = p.reason(&task{member: &v1alpha1.MemberCluster{}}, well, health.Doubt{})
	require.Equal(t, "it is well; "+undecided, message)
	twin := &health.Verdict{State: health.Suspect, Cause: health.Duplicate, Message: "it is east"}
	_, message = p.reason(&task{member: &v1alpha1.MemberCluster{}}, twin, health.Doubt{})
	require.Equal(t, "it is east; "+undecided, message, "what ends that")
}

func TestForPeople(t *testing.T) {
	for want, r := range map[string]fit.Resources{
		"0 cpu, 0Gi":        {},
		"12.5 cpu, 40Gi":    {"cpu": 12599, "memory": 40<<30 + 1},
		"0.9 cpu, 0.9Gi":    {"cpu": 999, "memory": 1<<30 - 1},
		"1000 cpu, 1.5Ti":   {"cpu": 1_000_000, "memory": 3 << 39},
		"31 cpu, 1023.9Gi":  {"cpu": 31000, "memory": 1<<40 - 1},
		"0.5 cpu, 100000Ti": {"cpu": 500, "memory": 100_000 << 40},
	} {
		require.Equal(t, want, forPeople(r))
	}
}

// Probes of several members come apart; what is due at a moment does not.
func TestJitter(t *testing.T) {
	require.Equal(t, noon.Add(2*time.Second), jittered(noon.Add(2*time.Second), noon, 10*time.Second))
	seen := map[time.Time]bool{}
	for range 1000 {
		next := jittered(noon.Add(10*time.Second), noon, 10*time.Second)
		require.WithinRange(t, next, noon.Add(9*time.Second), noon.Add(11*time.Second))
		seen[next] = true
	}
	require.Greater(t, len(seen), 900)
}

func TestMetrics(t *testing.T) {
	m := newMetrics()
	require.NoError(t, prometheus.NewPedanticRegistry().Register(m))
	m.probed("east", time.Second, health.OK)
	m.probed("east", time.Second, health.Unreachable)
	m.show("east", &v1alpha1.MemberClusterStatus{State: v1alpha1.MemberSuspect, LastAnswerTime: timeOf(noon)}, nil)
	require.Equal(t, 7, testutil.CollectAndCount(m), "3 states, an answer, a histogram, a failure, and the hub")
	m.show("east", &v1alpha1.MemberClusterStatus{State: v1alpha1.MemberSuspect}, capacity.New([]corev1.Node{node("a", corev1.ConditionTrue, 0)}, nil))
	require.Equal(t, 10, testutil.CollectAndCount(m), "and what its nodes have")
	m.show("east", &v1alpha1.MemberClusterStatus{State: v1alpha1.MemberSuspect, Nodes: &v1alpha1.MemberNodes{}}, nil)
	require.Equal(t, 10, testutil.CollectAndCount(m), "what was seen last")
	m.show("east", &v1alpha1.MemberClusterStatus{State: v1alpha1.MemberSuspect}, nil)
	require.Equal(t, 6, testutil.CollectAndCount(m), "not what another MemberCluster has")
	require.Equal(t, 1.0, testutil.ToFloat64(m.failures.WithLabelValues("east", "Unreachable")))
	m.doubt(true)
	require.Equal(t, 1.0, testutil.ToFloat64(m.suspect))
	m.forget("east")
	require.Equal(t, 1, testutil.CollectAndCount(m))
}

// A member that takes connections and says nothing has no caches and delays nobody, and nothing of it stays.
func TestSilentMember(t *testing.T) {
	before := goleak.IgnoreCurrent()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	taken := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	f := NewFleet(clustertest.Scheme(t))
	f.OnConnect(func(ctx context.Context, m *Member) error {
		_, err := m.Cache().GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
		return err
	})
	config := &rest.Config{Host: "https://" + listener.Addr().String(), BearerToken: "a"}
	require.NoError(t, f.Connect(t.Context(), "silent", "1", config))
	_ = (<-taken).Close() // it is really being asked
	require.Nil(t, f.Member("silent"))
	first := f.connection("silent")
	require.NoError(t, f.Connect(t.Context(), "silent", "1", config))
	require.Same(t, first, f.connection("silent"))
	require.NoError(t, f.Connect(t.Context(), "silent", "2", config))
	require.NotSame(t, first, f.connection("silent"))
	require.True(t, first.ended())
	f.Disconnect("silent")
	require.Nil(t, f.connection("silent"))
	f.Disconnect("silent")
	require.ErrorContains(t, f.Connect(t.Context(), "silent", "3", &rest.Config{Host: "https://a", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("x")}}), "cannot connect to member silent")
	require.NoError(t, listener.Close())
	for len(taken) > 0 {
		_ = (<-taken).Close()
	}
	clustertest.Eventually(t, "its goroutines end", func() error { return goleak.Find(before) }) // reflectors sleep between attempts
}
