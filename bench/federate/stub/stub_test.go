// SPDX-License-Identifier: Apache-2.0

package stub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/bench/federate/stub"
	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

// model is a small one.
func model() stub.Model {
	ready := func(kind corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue}
	}
	return stub.Model{
		Version: "v1.36.3",
		Discovery: map[string][]byte{
			"/api":  []byte(`{"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": [{"versions": [{"version": "v1"}]}]}`),
			"/apis": []byte(`{"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1"}]}]}`),
		},
		Node: &corev1.Node{Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourcePods: resource.MustParse("250")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}},
		Deployment: &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}}}}},
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pod-template-hash": "abc"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{ready(corev1.PodScheduled), ready(corev1.PodReady)}},
		},
	}
}

func start(t *testing.T, options stub.Options) (*stub.Cluster, *rest.Config) {
	options.Name, options.Model = "berlin", model()
	c, err := stub.Start(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	kubeconfig, err := c.Kubeconfig()
	require.NoError(t, err)
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	require.NoError(t, err)
	return c, config
}

var shop = types.NamespacedName{Namespace: "shop", Name: "web"}

// connect is the scaler's own connection, with its caches.
func connect(t *testing.T, config *rest.Config) *members.Member {
	fleet := members.NewFleet(clustertest.Scheme(t))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	require.NoError(t, fleet.Connect(ctx, "berlin", "", config))
	clustertest.Eventually(t, "the caches are filled", func() error {
		if fleet.Member("berlin") == nil {
			return fmt.Errorf("they are not")
		}
		return nil
	})
	return fleet.Member("berlin")
}

func deployment(key types.NamespacedName) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
}

func TestTheScalersOwnConnection(t *testing.T) {
	var scaled atomic.Int32
	c, config := start(t, stub.Options{Nodes: 2, PodDelay: 10 * time.Millisecond, Scaled: func(key types.NamespacedName, n int32, _ time.Time) {
		if key == shop {
			scaled.Store(n)
		}
	}})
	c.Deploy(shop)
	c.Deploy(types.NamespacedName{Namespace: "shop", Name: "other"})
	m := connect(t, config)

	has := func(replicas int32) {
		t.Helper()
		clustertest.Eventually(t, "pods and status follow", func() error {
			var d appsv1.Deployment
			var pods corev1.PodList
			if err := m.Get(t.Context(), shop, &d); err != nil {
				return err
			}
			if err := m.List(t.Context(), &pods, client.InNamespace("shop")); err != nil {
				return err
			}
			ready, s := 0, d.Status
			for i := range pods.Items {
				p := &pods.Items[i]
				require.Equal(t, "web-abc", p.OwnerReferences[0].Name)
				require.Equal(t, map[string]string{"app": "web", "pod-template-hash": "abc"}, p.Labels)
				if len(p.Status.Conditions) == 2 && p.Spec.NodeName != "" {
					ready++
				}
			}
			if ready != int(replicas) || len(pods.Items) != ready || s.ReadyReplicas != replicas || s.Replicas != replicas || *d.Spec.Replicas != replicas || s.ObservedGeneration != d.Generation {
				return fmt.Errorf("%d of %d pods are Ready, status %+v", ready, len(pods.Items), s)
			}
			return nil
		})
	}
	has(0)
	var nodes corev1.NodeList
	require.NoError(t, m.List(t.Context(), &nodes))
	require.Len(t, nodes.Items, 2)

	read := func() *autoscalingv1.Scale {
		scale := &autoscalingv1.Scale{}
		require.NoError(t, m.SubResource("scale").Get(t.Context(), deployment(shop), scale))
		return scale
	}
	write := func(scale *autoscalingv1.Scale, replicas int32) error {
		scale.Spec.Replicas = replicas
		return m.SubResource("scale").Update(t.Context(), deployment(shop), client.WithSubResourceBody(scale), client.FieldOwner("test"))
	}
	old := read()
	require.Zero(t, old.Spec.Replicas)
	require.Equal(t, "app=web", old.Status.Selector)
	first := read()
	require.NoError(t, write(first, 5))
	require.NotEqual(t, old.ResourceVersion, first.ResourceVersion)
	require.EqualValues(t, 5, scaled.Load())
	require.True(t, apierrors.IsConflict(write(old, 7)), "an old version is refused")
	has(5)
	require.NoError(t, write(read(), 2))
	has(2)
	same := read()
	require.NoError(t, write(read(), 2))
	require.Equal(t, same.ResourceVersion, read().ResourceVersion, "what is the same is no change")

	// Past the cache it is listed by name, as unstructured objects.
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
	require.NoError(t, m.List(t.Context(), list, client.InNamespace("shop"), client.MatchingFields{metav1.ObjectNameField: "web"}))
	require.Len(t, list.Items, 1)
	require.Equal(t, "Deployment", list.Items[0].GetKind())

	// A kind that it does not have is none, by its own discovery.
	err := m.List(t.Context(), &v1alpha1.MetricRuleList{})
	require.True(t, apimeta.IsNoMatchError(err), err)

	system := ask(t, config, http.MethodGet, "/api/v1/namespaces/kube-system", "")
	require.Equal(t, []any{http.StatusOK, "Namespace"}, []any{system.code, system.kind})

	require.Empty(t, c.Unserved())
	require.EqualValues(t, 6, c.Requests()["watch"], "one for each kind")
	replicas, ready, exists := c.Replicas(shop)
	require.Equal(t, []any{int32(2), int32(2), true}, []any{replicas, ready, exists})
	require.Error(t, m.Delete(t.Context(), deployment(shop)))
	require.Equal(t, []string{"DELETE /apis/apps/v1/namespaces/shop/deployments/web"}, c.Unserved())
}

func TestProbesSeeWhatItIs(t *testing.T) {
	c, config := start(t, stub.Options{Nodes: 1})
	const patient = time.Minute
	look := func(config *rest.Config, within time.Duration) health.Cause {
		result, err := probe.Probe(t.Context(), config, within)
		require.NoError(t, err)
		return result.Cause
	}
	require.Equal(t, health.OK, look(config, patient))
	stranger := rest.CopyConfig(config)
	stranger.BearerToken = "wrong"
	require.Equal(t, health.Unauthorized, look(stranger, patient))
	_, other := start(t, stub.Options{Nodes: 1})
	other.Host = config.Host
	require.Equal(t, health.Untrusted, look(other, patient), "each has its own authority")
	c.Hold()
	require.Equal(t, health.Unreachable, look(config, time.Second))
	c.Release()
	require.Equal(t, health.OK, look(config, patient))
}

// A connection that was held up goes on where it was, and one that is made anew has everything.
func TestAfterAHangNothingIsMissing(t *testing.T) {
	c, config := start(t, stub.Options{Nodes: 1})
	m := connect(t, config)
	c.Hold()
	c.Deploy(shop)
	c.Release()
	for _, one := range []*members.Member{m, connect(t, config)} {
		clustertest.Eventually(t, "the Deployment is seen", func() error { return one.Get(t.Context(), shop, &appsv1.Deployment{}) })
	}
}

// TestARealServerAnswersAlike asks both the same.
func TestARealServerAnswersAlike(t *testing.T) {
	cluster := clustertest.Start(t)
	require.NoError(t, cluster.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Namespace}}))
	labels := map[string]string{"app": shop.Name}
	real := deployment(shop)
	real.Spec = appsv1.DeploymentSpec{Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: model().Deployment.Spec.Template}
	real.Spec.Template.Labels = labels
	require.NoError(t, cluster.Client.Create(t.Context(), real))
	// Until its controller has said the last word, a watch of the real one has events of the controller's writes.
	clustertest.Eventually(t, "the real Deployment is complete", func() error {
		var d appsv1.Deployment
		if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(real), &d); err != nil {
			return err
		}
		reason := ""
		for _, condition := range d.Status.Conditions {
			if condition.Type == appsv1.DeploymentProgressing {
				reason = condition.Reason
			}
		}
		if reason != "NewReplicaSetAvailable" || d.Status.ObservedGeneration != d.Generation {
			return fmt.Errorf("its controller goes on: %+v", d.Status)
		}
		return nil
	})
	c, config := start(t, stub.Options{Nodes: 0})
	c.Deploy(shop)

	const deployments = "/apis/apps/v1/namespaces/shop/deployments"
	for _, test := range []struct{ name, method, path, body string }{
		{name: "readiness", path: "/readyz"},
		{name: "a list", path: "/apis/apps/v1/deployments"},
		{name: "a list by name", path: deployments + "?fieldSelector=metadata.name%3Dweb"},
		{name: "a list of another name", path: deployments + "?fieldSelector=metadata.name%3Dnone"},
		{name: "a list by label", path: deployments + "?labelSelector=app%3Dweb"},
		{name: "a list of a kind of which there is none", path: "/apis/autoscaling/v2/horizontalpodautoscalers"},
		{name: "a list by an unknown field", path: deployments + "?fieldSelector=spec.none%3D1"},
		{name: "a list by no selector", path: deployments + "?labelSelector=%3D%3D"},
		{name: "what there is, and that this is all", path: deployments + "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=120"},
		{name: "a watch whose time is over", path: "/apis/autoscaling/v2/horizontalpodautoscalers?watch=true&timeoutSeconds=1"},
		{name: "a scale", path: deployments + "/web/scale"},
		{name: "a scale of no Deployment", path: deployments + "/none/scale"},
		{name: "a scale that is written", method: http.MethodPut, path: deployments + "/web/scale", body: `"spec": {"replicas": 0}`},
		{name: "a scale of another version", method: http.MethodPut, path: deployments + "/web/scale", body: `"spec": {"replicas": 1}, "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"}`},
		{name: "a scale of another object", method: http.MethodPut, path: deployments + "/web/scale", body: `"spec": {"replicas": 1}, "metadata": {"name": "web", "namespace": "shop", "uid": "1"}`},
		{name: "a scale below nothing", method: http.MethodPut, path: deployments + "/web/scale", body: `"spec": {"replicas": -1}`},
		{name: "a scale that is none", method: http.MethodPut, path: deployments + "/web/scale", body: `"spec": 7`},
		{name: "a kind that nobody has", path: "/apis/apps/v1/nothings"},
		{name: "the namespace whose UID is the cluster's", path: "/api/v1/namespaces/kube-system"},
		{name: "a group that nobody has", path: "/apis/example.org/v1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, ask(t, cluster.RESTConfig, test.method, test.path, test.body), ask(t, config, test.method, test.path, test.body))
		})
	}
}

// answered is what two answers must have in common.
type answered struct {
	code         int
	contentType  string
	kind, reason string
	items        int
	events       []string // with their kinds
	spec         any
}

func ask(t *testing.T, config *rest.Config, method, path, body string) answered {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	if body != "" {
		body = `{"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web", "namespace": "shop"}, ` + body + `}`
	}
	request, err := http.NewRequestWithContext(t.Context(), method, config.Host+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := httpClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text := answer(t, response.Body)
	a := answered{code: response.StatusCode, contentType: response.Header.Get("Content-Type")}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		object := &unstructured.Unstructured{}
		if object.UnmarshalJSON(line) == nil {
			a.kind = object.GetKind()
			a.reason, _, _ = unstructured.NestedString(object.Object, "reason")
			a.spec, _, _ = unstructured.NestedFieldNoCopy(object.Object, "spec", "replicas")
		}
		list := &unstructured.UnstructuredList{}
		if list.UnmarshalJSON(line) == nil {
			a.items = len(list.Items)
			for _, one := range list.Items {
				require.Equal(t, "Deployment", one.GetKind())
			}
		}
		if event := eventIn(t, line); event != "" {
			a.events = append(a.events, event)
		}
	}
	return a
}

// answer reads a body, that of a watch until it has said what there is.
func answer(t *testing.T, body io.Reader) []byte {
	t.Helper()
	var text []byte
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadBytes('\n')
		text = append(text, line...)
		if errors.Is(err, io.EOF) || bytes.Contains(line, []byte(metav1.InitialEventsAnnotationKey)) {
			return text
		}
		require.NoError(t, err)
	}
}

// eventIn is the type of an event of a watch, with the kind of its object and the mark of a bookmark.
func eventIn(t *testing.T, line []byte) string {
	var event struct {
		Type   string
		Object struct {
			Kind, APIVersion, Reason string
			Metadata                 metav1.ObjectMeta
		}
	}
	if json.Unmarshal(line, &event) != nil || event.Type == "" {
		return ""
	}
	o := &event.Object
	require.NotEmpty(t, o.Kind)
	return fmt.Sprintln(event.Type, o.APIVersion, o.Kind, o.Metadata.Name, o.Reason, o.Metadata.Annotations[metav1.InitialEventsAnnotationKey])
}
