// SPDX-License-Identifier: Apache-2.0

package preflight_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/preflight"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/federation"
	fleet "github.com/plimsoll/plimsoll/scaler/members"
)

// continent is a hub that divides, and two members: berlin, of weight 2, has room for four pods of the shop, paris, of
// weight 1, for eight.
type continent struct {
	t       *testing.T
	hub     *clustertest.Cluster
	members map[string]*clustertest.Cluster
}

func newContinent(t *testing.T) *continent {
	c := &continent{t: t, hub: clustertest.Start(t, "--hpa-sync-period", "1s"), members: map[string]*clustertest.Cluster{}}
	c.hub.Create(t, "", `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	c.hub.Create(t, "", `{apiVersion: v1, kind: Namespace, metadata: {name: plimsoll-members}}`)
	mgr := clustertest.NewManager(t, c.hub.RESTConfig)
	connected := fleet.NewFleet(clustertest.Scheme(t))
	require.NoError(t, federation.Add(mgr, connected, federation.Options{Now: time.Now}))
	ctx, cancel := context.WithCancel(t.Context())
	for name, nodes := range map[string]int{"berlin": 1, "paris": 2} {
		m := clustertest.Start(t, "--nodes", fmt.Sprint(nodes), "--node-cpu", "4")
		c.members[name] = m
		m.Create(t, "", `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
		m.Create(t, "shop", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}},
			template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web, resources: {requests: {cpu: "1"}}}]}}}}`)
		c.enlist(name, m)
		require.NoError(t, connected.Connect(ctx, name, "", m.RESTConfig))
	}
	c.hub.Create(t, "shop", `{apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, metadata: {name: web}, spec: {replicas: 3, mode: Enforce, targetRef: {}, pendingTimeout: 1m}}`)
	c.hub.Create(t, "shop", `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {minReplicas: 3, maxReplicas: 30,
		scaleTargetRef: {apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, name: web},
		metrics: [{type: External, external: {metric: {name: users}, target: {type: AverageValue, averageValue: "100"}}}]}}`)
	ended := clustertest.Run(t, mgr)
	t.Cleanup(func() { ended(); cancel() })
	return c
}

// enlist makes a member of a cluster, with the account that manifests/member gives the hub there.
func (c *continent) enlist(name string, m *clustertest.Cluster) {
	objects, err := manifests.Render("member")
	require.NoError(c.t, err)
	for _, object := range objects {
		require.NoError(c.t, client.IgnoreAlreadyExists(m.Client.Create(c.t.Context(), object)))
	}
	account, request := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "plimsoll-hub", Name: "plimsoll-hub"}}, &authenticationv1.TokenRequest{}
	require.NoError(c.t, m.Client.SubResource("token").Create(c.t.Context(), account, request))
	config, err := clientcmd.LoadFromFile(m.Kubeconfig)
	require.NoError(c.t, err)
	require.NoError(c.t, clientcmdapi.FlattenConfig(config))
	for user := range config.AuthInfos {
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	text, err := clientcmd.Write(*config)
	require.NoError(c.t, err)
	require.NoError(c.t, c.hub.Client.Create(c.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "plimsoll-members", Name: name}, Data: map[string][]byte{"kubeconfig": text},
	}))
	weight := map[string]int{"berlin": 2, "paris": 1}[name]
	c.hub.Create(c.t, "", fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: MemberCluster, metadata: {name: %s}, spec: {weight: %d}}`, name, weight))
	c.judge(name, v1alpha1.MemberHealthy)
}

func (c *continent) judge(name string, state v1alpha1.MemberState) {
	member := &v1alpha1.MemberCluster{}
	require.NoError(c.t, c.hub.Client.Get(c.t.Context(), types.NamespacedName{Name: name}, member))
	since := metav1.NewTime(time.Now().Add(-time.Hour))
	changed := member.DeepCopy()
	changed.Status.State, changed.Status.Since, changed.Status.Health = state, &since, &v1alpha1.MemberHealth{Proven: true}
	require.NoError(c.t, c.hub.Client.Status().Patch(c.t.Context(), changed, client.MergeFrom(member)))
}

// ask does what the command does: the event is in a file only.
func (c *continent) ask(t *testing.T, config *rest.Config, floor int, lose string) preflight.Result {
	hub, err := target.Connect(config, "shop")
	require.NoError(t, err)
	world, err := preflight.Read([]lint.File{{Name: "event.yaml", Text: []byte(sale(fmt.Sprintf("minReplicas: %d, rampUp: 30m", floor)))}}, "shop", now)
	require.NoError(t, err)
	require.NoError(t, world.Load(t.Context(), hub.Client))
	require.NoError(t, world.LoadMembers(t.Context(), hub.Client, members.Options{Secrets: members.DefaultSecrets, Timeout: 2 * time.Minute}))
	r, err := preflight.Examine(world, preflight.Options{Now: now, For: 24 * time.Hour, Lose: lose})
	require.NoError(t, err)
	return r
}

// runs waits until the members have numbers of the shop's pods on nodes, and no others.
func (c *continent) runs(t *testing.T, want map[string]int) {
	clustertest.Eventually(t, fmt.Sprint("replicas ", want), func() error {
		for name, m := range c.members {
			var d appsv1.Deployment
			if err := m.Client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}, &d); err != nil {
				return err
			}
			if got := int(d.Status.ReadyReplicas); got != want[name] || int(*d.Spec.Replicas) != want[name] {
				return fmt.Errorf("%s has %d Ready of %d, not %d", name, got, *d.Spec.Replicas, want[name])
			}
		}
		return nil
	})
}

// What is said of an event is what the hub, and the members' schedulers, then do.
func TestRealMembers(t *testing.T) {
	c := newContinent(t)
	c.runs(t, map[string]int{"berlin": 2, "paris": 1})
	admin := c.hub.RESTConfig
	t.Run("it fits", func(t *testing.T) {
		r := c.ask(t, admin, 6, "")
		require.Equal(t, []string{"maxReplicas shop/web 6/30 ok", "share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok"}, states(r))
		require.Equal(t, preflight.OK, r.Verdict)
	})
	t.Run("it does not fit anywhere", func(t *testing.T) {
		r := c.ask(t, admin, 13, "")
		require.Equal(t, []string{"share shop/web in berlin 9/4 short", "share shop/web in paris 4/4 ok", "members shop/web 13/12 short"}, states(r)[1:])
		require.Equal(t, preflight.Short, r.Verdict)
	})
	t.Run("a member is lost", func(t *testing.T) {
		require.Equal(t, []string{"share shop/web in berlin 6/4 short", "members shop/web 6/4 short"}, states(c.ask(t, admin, 6, "paris"))[1:])
		require.Equal(t, []string{"share shop/web in paris 6/6 ok", "members shop/web 6/6 ok"}, states(c.ask(t, admin, 6, "berlin"))[1:])
	})
	t.Run("a quota", func(t *testing.T) {
		c.members["paris"].Create(t, "shop", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: "2"}}}`)
		clustertest.Eventually(t, "the quota counts", func() error {
			var q corev1.ResourceQuota
			if err := c.members["paris"].Client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "few"}, &q); err != nil || len(q.Status.Used) == 0 {
				return fmt.Errorf("the quota has not been counted: %w", err)
			}
			return nil
		})
		r := c.ask(t, admin, 9, "")
		require.Equal(t, []string{"share shop/web in berlin 6/4 short", "share shop/web in paris 3/2 short", "members shop/web 9/6 short"}, states(r)[1:])
		require.Contains(t, r.Checks[2].ToDo, "for lack of quota: raise pods of ResourceQuota shop/few by 1, from 2 to at least 3")
		require.NoError(t, c.members["paris"].Client.Delete(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "few"}}))
	})
	t.Run("members that do not say what they have", func(t *testing.T) {
		c.judge("paris", v1alpha1.MemberSuspect)
		r := c.ask(t, admin, 6, "")
		require.Equal(t, []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/1 unknown", "members shop/web 6/5 unknown"}, states(r)[1:])
		require.Equal(t, preflight.Unknown, r.Verdict)
		require.Contains(t, r.Checks[2].ToDo, "it is Suspect")
		c.judge("paris", v1alpha1.MemberHealthy)
		secret := &corev1.Secret{}
		require.NoError(t, c.hub.Client.Get(t.Context(), types.NamespacedName{Namespace: "plimsoll-members", Name: "paris"}, secret))
		require.NoError(t, c.hub.Client.Delete(t.Context(), secret.DeepCopy()))
		require.Contains(t, c.ask(t, admin, 6, "").Checks[2].ToDo, "namespace plimsoll-members has no Secret paris with its kubeconfig")
		secret.ResourceVersion, secret.UID = "", ""
		require.NoError(t, c.hub.Client.Create(t.Context(), secret))
	})
	t.Run("who may not read the kubeconfigs", func(t *testing.T) {
		for _, manifest := range []string{
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: looks}, rules: [{apiGroups: ["", autoscaling, plimsoll.dev],
				resources: [pods, nodes, namespaces, resourcequotas, limitranges, horizontalpodautoscalers, scaleschedules, federatedscales, memberclusters], verbs: [get, list]}]}`,
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: looks}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looks},
				subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]}`,
		} {
			c.hub.Create(t, "", manifest)
		}
		config := rest.CopyConfig(admin)
		config.Impersonate = rest.ImpersonationConfig{UserName: "ann"}
		ann, err := client.New(config, client.Options{Scheme: clustertest.Scheme(t)})
		require.NoError(t, err)
		clustertest.Eventually(t, "an API server that knows the new role", func() error {
			return ann.List(t.Context(), &v1alpha1.FederatedScaleList{}, client.InNamespace("shop"))
		})
		r := c.ask(t, config, 6, "")
		require.Equal(t, []string{"members all / unknown", "share shop/web in berlin 4/2 unknown", "share shop/web in paris 2/1 unknown", "members shop/web 6/3 unknown"}, states(r)[1:])
		require.Contains(t, r.Checks[1].ToDo, "the right to get secrets in namespace plimsoll-members")
	})
	t.Run("the hub's namespace is paused", func(t *testing.T) {
		pause := func(value string) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"plimsoll.dev/paused":`+value+`}}}`))
			require.NoError(t, c.hub.Client.Patch(t.Context(), namespace, patch))
		}
		pause(`"true"`)
		r := c.ask(t, admin, 6, "")
		require.Equal(t, []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"}, states(r)[1:])
		require.Equal(t, preflight.Short, r.Verdict)
		pause("null")
		require.Equal(t, preflight.OK, c.ask(t, admin, 6, "").Verdict)
	})
	t.Run("it is moved, as the hub then does", func(t *testing.T) {
		r := c.ask(t, admin, 9, "")
		require.Equal(t, []string{"share shop/web in berlin 6/4 warning", "share shop/web in paris 3/3 ok", "members shop/web 9/9 warning"}, states(r)[1:])
		require.Equal(t, preflight.OK, r.Verdict)
		require.Contains(t, r.Checks[3].ToDo, "2 of 9 replicas would be moved after their pods have waited for 1m0s (pendingTimeout) (paris takes 2)")
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
		require.NoError(t, c.hub.Client.Patch(t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"minReplicas":9}}`))))
		moved := map[string]int{}
		for _, one := range r.Divisions[0].Clusters {
			moved[one.Member] = int(one.Fits + one.Takes)
		}
		require.Equal(t, map[string]int{"berlin": 4, "paris": 5}, moved)
		c.runs(t, moved)
	})
}
