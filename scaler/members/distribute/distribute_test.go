// SPDX-License-Identifier: Apache-2.0

package distribute

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/members"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(klog.Background())
	os.Exit(m.Run())
}

type stage struct {
	t           *testing.T
	hub, member *clustertest.Cluster
}

// TestOnClusters has the label do what it says between a hub and a member, and the hub as a member of itself.
func TestOnClusters(t *testing.T) {
	s := &stage{t, clustertest.Start(t), clustertest.Start(t)}
	for _, namespace := range []string{members.DefaultNamespace, "shop", "hubonly"} {
		require.NoError(t, s.hub.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	}
	require.NoError(t, s.member.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))
	s.member.Create(t, "shop", `{apiVersion: plimsoll.dev/v1alpha1, kind: MetricRule, metadata: {name: theirs}, spec: {query: theirs}}`)
	mgr := clustertest.NewManager(t, s.hub.RESTConfig)
	fleet, err := members.Add(mgr, members.Options{})
	require.NoError(t, err)
	require.NoError(t, Add(mgr, fleet))
	clustertest.Run(t, mgr)
	s.join("east", s.guest())

	s.original("shop", "MetricRule", "online", `query: sum(online)`)
	s.original("shop", "ScaleSchedule", "day", `timeZone: UTC, targetRef: {name: shop}, windows: [{name: w, schedule: "0 19 * * *", duration: 1h, minReplicas: 2}]`)
	s.original("shop", "ScaleForecast", "shop", `targetRef: {name: shop}`)
	s.original("", "ClusterMetricRule", "orders", `query: sum by (namespace) (orders)`)
	s.hub.Create(t, "shop", `{apiVersion: plimsoll.dev/v1alpha1, kind: MetricRule, metadata: {name: mine}, spec: {query: mine}}`)
	s.awaits("east", v1alpha1.Distribution{Objects: 4, Applied: 4})
	for kind, want := range map[string]string{"MetricRule": "online", "ScaleSchedule": "day", "ScaleForecast": "shop", "ClusterMetricRule": "orders"} {
		copied := s.copies(kind)
		require.Len(t, copied, 1, "%s: what has no label stays in the hub", kind)
		require.Equal(t, want, copied[0].GetName())
		require.Equal(t, map[string]string{ByLabel: s.hubUID(), "app.kubernetes.io/managed-by": "plimsoll"}, copied[0].GetLabels())
		require.Empty(t, copied[0].GetAnnotations())
	}

	// What is there already and what cannot be there is named, and the rest goes on.
	s.original("shop", "MetricRule", "theirs", `query: ours`)
	s.original("hubonly", "MetricRule", "lonely", `query: lonely`)
	s.original("shop", "MetricRule", "sum", `query: sum(online), members: Sum`)
	s.awaits("east", v1alpha1.Distribution{Objects: 7, Applied: 4, Failed: []string{
		`MetricRule hubonly/lonely: namespaces "hubonly" not found`,
		"MetricRule shop/sum: members asks for the hub's members, which a member does not have; remove the label plimsoll.dev/distribute",
		"MetricRule shop/theirs: there is one that this hub did not make; rename the one or delete the other",
	}})
	theirs := &v1alpha1.MetricRule{}
	require.NoError(t, s.member.Client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "theirs"}, theirs))
	require.Equal(t, "theirs", theirs.Spec.Query)
	for _, name := range []string{"shop/theirs", "hubonly/lonely", "shop/sum"} {
		namespace, name, _ := strings.Cut(name, "/")
		require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.MetricRule{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
	}
	s.awaits("east", v1alpha1.Distribution{Objects: 4, Applied: 4})
	require.NoError(t, s.member.Client.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs), "what is not ours is not removed")

	// A member that is not Healthy is not touched; it gets what it missed.
	s.suspend("east", true)
	s.change("online", func(r *v1alpha1.MetricRule) { r.Spec.Query = "sum(shoppers)" })
	require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "orders"}}))
	s.join("hub", s.kubeconfig(s.hub)) // shows that the change has been looked at
	s.awaits("hub", v1alpha1.Distribution{Objects: 3, Applied: 3})
	require.Equal(t, "sum(online)", s.copies("MetricRule")[0].(*v1alpha1.MetricRule).Spec.Query)
	require.Len(t, s.copies("ClusterMetricRule"), 1)
	online := &v1alpha1.MetricRule{}
	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "online"}, online))
	require.NotContains(t, online.Labels, ByLabel, "the hub's own objects are no copies")
	s.suspend("east", false)
	s.awaits("east", v1alpha1.Distribution{Objects: 3, Applied: 3})
	s.asks(t, "sum(shoppers)")
	require.Empty(t, s.copies("ClusterMetricRule"))

	// What somebody changed in the member is as in the hub again; without the label it is removed.
	changed := s.copies("MetricRule")[0].(*v1alpha1.MetricRule)
	changed.Spec.Query = "changed"
	require.NoError(t, s.member.Client.Update(t.Context(), changed))
	require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.ScaleForecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}))
	s.awaits("east", v1alpha1.Distribution{Objects: 2, Applied: 2})
	s.asks(t, "sum(shoppers)")
	s.change("online", func(r *v1alpha1.MetricRule) { delete(r.Labels, Label) })
	s.awaits("east", v1alpha1.Distribution{Objects: 1, Applied: 1})
	require.Empty(t, s.copies("MetricRule"))
	require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "day"}}))
	clustertest.Eventually(t, "nothing is distributed", func() error {
		if d := s.get("east").Status.Distributed; d != nil || len(s.copies("ScaleSchedule")) > 0 {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	clustertest.Eventually(t, "it is Healthy", func() error {
		state := s.get("east").Status.State
		require.NotEmpty(t, state, "the rest of the status is others'")
		if state != v1alpha1.MemberHealthy {
			return fmt.Errorf("its state is %s", state)
		}
		return nil
	})
}

// asks waits for the query of the only copy of a MetricRule.
func (s *stage) asks(t *testing.T, query string) {
	t.Helper()
	clustertest.Eventually(t, "the query "+query, func() error {
		copies := s.copies("MetricRule")
		if len(copies) != 1 || copies[0].(*v1alpha1.MetricRule).Spec.Query != query {
			return fmt.Errorf("the copies are %v", copies)
		}
		return nil
	})
}

func (s *stage) kubeconfig(c *clustertest.Cluster) *clientcmdapi.Config {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	require.NoError(s.t, err)
	return config
}

// guest is the kubeconfig of the account that members have for the hub.
func (s *stage) guest() *clientcmdapi.Config {
	s.t.Helper()
	objects, err := manifests.Render("member")
	require.NoError(s.t, err)
	for _, object := range objects {
		require.NoError(s.t, s.member.Client.Create(s.t.Context(), object))
	}
	account, request := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "plimsoll-hub", Name: "plimsoll-hub"}}, &authenticationv1.TokenRequest{}
	require.NoError(s.t, s.member.Client.SubResource("token").Create(s.t.Context(), account, request))
	config := s.kubeconfig(s.member)
	for _, user := range config.AuthInfos {
		*user = clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	return config
}

// join makes a cluster a member.
func (s *stage) join(name string, config *clientcmdapi.Config) {
	s.t.Helper()
	text, err := clientcmd.Write(*config)
	require.NoError(s.t, err)
	require.NoError(s.t, s.hub.Client.Create(s.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: members.DefaultNamespace, Name: name}, Data: map[string][]byte{"kubeconfig": text},
	}))
	s.hub.Create(s.t, "", fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: MemberCluster, metadata: {name: %s},
  spec: {probe: {interval: 1s, timeout: 3s, successThreshold: 1, healthyAfter: 0s}}}`, name))
}

func (s *stage) original(namespace, kind, name, spec string) {
	s.t.Helper()
	s.hub.Create(s.t, namespace, fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: %s,
  metadata: {name: %s, labels: {plimsoll.dev/distribute: "true", app.kubernetes.io/instance: shop}, annotations: {a: b}}, spec: {%s}}`, kind, name, spec))
}

func (s *stage) change(name string, change func(*v1alpha1.MetricRule)) {
	s.t.Helper()
	rule := &v1alpha1.MetricRule{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, rule))
	change(rule)
	require.NoError(s.t, s.hub.Client.Update(s.t.Context(), rule))
}

func (s *stage) suspend(name string, suspend bool) {
	s.t.Helper()
	clustertest.Eventually(s.t, "suspend "+name, func() error {
		found := s.get(name)
		found.Spec.Suspend = suspend
		return s.hub.Client.Update(s.t.Context(), found)
	})
	clustertest.Eventually(s.t, name+" is judged", func() error {
		if state := s.get(name).Status.State; (state == v1alpha1.MemberHealthy) == suspend {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
}

func (s *stage) get(name string) *v1alpha1.MemberCluster {
	found := &v1alpha1.MemberCluster{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: name}, found))
	return found
}

func (s *stage) awaits(name string, want v1alpha1.Distribution) {
	s.t.Helper()
	clustertest.Eventually(s.t, fmt.Sprintf("%s has %+v", name, want), func() error {
		if d := s.get(name).Status.Distributed; d == nil || fmt.Sprint(*d) != fmt.Sprint(want) {
			return fmt.Errorf("it has %+v", d)
		}
		return nil
	})
}

// copies are the objects of a kind in the member that carry the hub's label.
func (s *stage) copies(kind string) []client.Object {
	s.t.Helper()
	for _, k := range kinds() {
		if k.name != kind {
			continue
		}
		list := k.list()
		require.NoError(s.t, s.member.Client.List(s.t.Context(), list, client.MatchingLabels{ByLabel: s.hubUID()}))
		items, err := meta.ExtractList(list)
		require.NoError(s.t, err)
		all := make([]client.Object, len(items))
		for i := range items {
			all[i] = items[i].(client.Object)
		}
		return all
	}
	return nil
}

func (s *stage) hubUID() string {
	namespace := &corev1.Namespace{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: "kube-system"}, namespace))
	return string(namespace.UID)
}

// What a member answers about one object is that object's; anything else is the member's.
func TestRefused(t *testing.T) {
	resource := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "metricrules"}
	one := thing{name: name{"MetricRule", types.NamespacedName{Namespace: "a", Name: "b"}}}
	for _, test := range []struct {
		err  error
		mine bool
	}{
		{apierrors.NewForbidden(resource, "b", errors.New("no")), true},
		{apierrors.NewInvalid(schema.GroupKind{}, "b", nil), true},
		{apierrors.NewTimeoutError("late", 1), false},
		{apierrors.NewInternalError(errors.New("etcd")), false},
		{apierrors.NewTooManyRequests("busy", 1), false},
		{fmt.Errorf("get: %w", http.ErrHandlerTimeout), false},
	} {
		d := &round{}
		require.Equal(t, test.mine, d.refused(one, test.err) == nil, test.err)
		require.Equal(t, test.mine, len(d.failed) == 1, test.err)
	}
	d := &round{}
	require.NoError(t, d.refusedAll([]thing{one}, &meta.NoKindMatchError{}))
	require.Equal(t, []string{"MetricRule a/b: the member does not know the kind; apply manifests/crd there"}, d.failed)
	require.Error(t, d.refusedAll([]thing{one}, errors.New("reset")))
}

func TestStatus(t *testing.T) {
	require.Nil(t, newRound(nil, "", nil).status(nil))
	d := newRound(nil, "", make([]thing, 20))
	for i := range 12 {
		d.failed = append(d.failed, fmt.Sprint(i))
	}
	got := d.status(errors.New("reset"))
	require.Len(t, got.Failed, maxFailed)
	require.Equal(t, []string{"reset", "and 4 more"}, []string{got.Failed[0], got.Failed[9]})
	require.EqualValues(t, 20, got.Objects)
	require.Len(t, d.failed, 12)
}

// Only a member that is Healthy is looked at at all.
func TestOnlyHealthyMembers(t *testing.T) {
	for state, looks := range map[v1alpha1.MemberState]bool{"": false, v1alpha1.MemberSuspect: false, v1alpha1.MemberFailed: false, v1alpha1.MemberHealthy: true} {
		for _, suspend := range []bool{false, true} {
			scheme := clustertest.Scheme(t)
			cluster := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "east"}, Spec: v1alpha1.MemberClusterSpec{Suspend: suspend}, Status: v1alpha1.MemberClusterStatus{State: state}}
			r := &reconciler{client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(cluster).Build(), fleet: members.NewFleet(scheme)}
			result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "east"}})
			require.NoError(t, err)
			require.Equal(t, looks && !suspend, result.RequeueAfter > 0, "%s, suspended %t: it would wait for a connection", state, suspend)
		}
	}
}
