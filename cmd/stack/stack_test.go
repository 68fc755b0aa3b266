// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// start starts a stack that ends with the test and must then leave nothing.
func start(t *testing.T, options stack.Options) *stack.Stack {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	var progress bytes.Buffer
	options.Dir, options.Progress = t.TempDir(), &progress
	s, err := stack.Start(t.Context(), options)
	require.NoError(t, err, "%s", &progress)
	t.Cleanup(func() {
		require.NoError(t, s.Stop())
		require.NoDirExists(t, filepath.Join(s.Dir, "cluster"))
		requireNoProcess(t, s.Dir)
	})
	return s
}

// requireNoProcess fails if a process has the folder in its command line.
func requireNoProcess(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil {
			require.NotContains(t, string(content), dir+"/")
		}
	}
}

// The adapters' account is their own: it may do what the manifests say, and nothing else.
func TestInstalledWithItsOwnAccount(t *testing.T) {
	s := start(t, stack.Options{Adapters: -1})
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.Dir, "adapters", stack.Adapter+".kubeconfig"))
	require.NoError(t, err)
	account, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	review, err := account.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "system:serviceaccount:"+stack.Namespace+":"+stack.Adapter, review.Status.UserInfo.Username)

	rules, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	resource := schema.GroupVersionResource{Group: "plimsoll.dev", Version: "v1alpha1", Resource: "metricrules"}
	_, err = rules.Resource(resource).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	_, err = account.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	require.NoError(t, s.ApplyYAML(t.Context(), "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n"+
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: value}}\n"))
	require.ErrorContains(t, s.ApplyYAML(t.Context(), "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: none}}"), "apply ConfigMap a")
	require.NoError(t, s.Component(t.Context(), "restart", "kube-apiserver"))
	client, err := kubernetes.NewForConfig(s.RESTConfig)
	require.NoError(t, err)
	_, err = client.CoreV1().ConfigMaps("shop").Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.ErrorContains(t, s.StopAdapter("adapter-0"), "there is none")
}

// Replicas come and go while the API server keeps reaching one of them.
func TestReplicasComeAndGo(t *testing.T) {
	config := filepath.Join(t.TempDir(), "prometheus.yaml")
	require.NoError(t, os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600))
	options := stack.Options{Adapters: 2}
	options.PrometheusConfig = config
	s := start(t, options)
	client, err := kubernetes.NewForConfig(s.RESTConfig)
	require.NoError(t, err)
	served := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			// Available may be said of the time before, and taken back.
			if s.WaitAvailable(t.Context()) != nil {
				return false
			}
			_, err := client.Discovery().ServerResourcesForGroupVersion("external.metrics.k8s.io/v1beta1")
			return err == nil
		}, 4*time.Minute, 20*time.Millisecond)
	}
	served()
	require.NotEqual(t, s.AdapterAddress("adapter-0"), s.AdapterAddress("adapter-1"))
	require.ErrorContains(t, s.StartAdapter(t.Context(), "adapter-1"), "it runs already")

	require.NoError(t, s.StopAdapter("adapter-0"), "it ends in order")
	require.Zero(t, s.AdapterPID("adapter-0"))
	served()
	require.NoError(t, s.StartAdapter(t.Context(), "adapter-0"))
	require.NoError(t, s.KillAdapter("adapter-1"))
	served()
	require.ErrorContains(t, s.StartAdapter(t.Context(), "broken", "--no-such-flag"), "no-such-flag")
}

// leads says whether a scaler holds the Lease, by its own metrics.
func leads(t *testing.T, s *stack.Stack, name string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.ScalerAddress(name)+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return strings.Contains(string(body), `leader_election_master_status{name="plimsoll-scaler"} 1`)
}

// requireRights checks what the scalers' account may do, and above all what it may not.
func requireRights(t *testing.T, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	account, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	for _, test := range []struct {
		group, resource, sub, namespace, name string
		may, mayNot                           []string
	}{
		{"autoscaling", "horizontalpodautoscalers", "", "shop", "", []string{"list", "watch", "patch"}, []string{"create", "update", "delete"}},
		{"autoscaling", "horizontalpodautoscalers", "status", "shop", "", nil, []string{"patch", "update"}},
		{"plimsoll.dev", "scaleschedules", "", "shop", "", []string{"list", "watch"}, []string{"patch", "update", "create", "delete"}},
		{"plimsoll.dev", "scaleforecasts", "status", "shop", "", []string{"patch"}, []string{"update"}},
		{"apps", "deployments", "", "shop", "", []string{"get", "list", "patch"}, []string{"create", "update", "delete"}},
		{"apps", "statefulsets", "scale", "shop", "", []string{"get", "update"}, []string{"delete"}},
		{"", "pods", "", "shop", "", []string{"list", "watch"}, []string{"create", "delete", "patch"}},
		{"", "secrets", "", "", "", nil, []string{"get", "list", "watch"}},
		{"", "configmaps", "", stack.Namespace, "", nil, []string{"get", "list", "create"}},
		{"coordination.k8s.io", "leases", "", stack.Namespace, stack.Scaler, []string{"get", "update"}, []string{"delete"}},
		{"coordination.k8s.io", "leases", "", stack.Namespace, "another", nil, []string{"get", "update", "delete"}},
		{"coordination.k8s.io", "leases", "", "kube-system", "", nil, []string{"create", "get", "update"}},
		{"query.plimsoll.dev", "sources", "proxy", "shop", "", []string{"create"}, []string{"delete"}},
		{"query.plimsoll.dev", "memberdemands", "", "", "", []string{"list"}, []string{"get", "watch", "create", "delete"}},
	} {
		for may, verbs := range map[bool][]string{true: test.may, false: test.mayNot} {
			for _, verb := range verbs {
				attributes := &authorizationv1.ResourceAttributes{
					Group: test.group, Resource: test.resource, Subresource: test.sub, Namespace: test.namespace, Name: test.name, Verb: verb,
				}
				review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}
				review, err := account.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
				require.NoError(t, err)
				require.Equal(t, may, review.Status.Allowed, "%s %s/%s %s", verb, test.resource, test.sub, test.name)
			}
		}
	}
}

const metricsReader = `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: prometheus, namespace: default}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: metrics-reader}, rules: [{nonResourceURLs: [/metrics], verbs: [get]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: metrics-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: metrics-reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: default}]
`

// requireSecureMetrics: as it runs in a pod, a scaler shows its metrics to those who may get the path /metrics.
func requireSecureMetrics(t *testing.T, s *stack.Stack) {
	t.Helper()
	require.NoError(t, s.ApplyYAML(t.Context(), metricsReader))
	require.NoError(t, s.StartScaler(t.Context(), "secure", "--metrics-secure=true"))
	client, err := kubernetes.NewForConfig(s.RESTConfig)
	require.NoError(t, err)
	scraper := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it made its certificate itself
	}}
	get := func(token string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.ScalerAddress("secure")+"/metrics", nil)
		require.NoError(t, err)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := scraper.Do(request)
		if err != nil {
			return 0 // it is still making its certificate
		}
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	token := func(account string) string {
		answer, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		require.NoError(t, err)
		return answer.Status.Token
	}
	require.Eventually(t, func() bool { return get("") != 0 }, 4*time.Minute, 50*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, get(""))
	require.Equal(t, http.StatusForbidden, get(token("default")))
	prometheus := token("prometheus")
	require.Eventually(t, func() bool { return get(prometheus) == http.StatusOK }, 4*time.Minute, 50*time.Millisecond, "once its role is known")
	require.NoError(t, s.StopScaler("secure"))
}

// Two scalers run with their own account's rights; one leads, the other takes over when it goes, and one that ends by
// itself comes back.
func TestScalersTakeOver(t *testing.T) {
	s := start(t, stack.Options{Adapters: -1, Scalers: 2})
	requireRights(t, filepath.Join(s.Dir, "scalers", stack.Scaler+".kubeconfig"))
	requireMetadataOnly(t, s, filepath.Join(s.Dir, "scalers", stack.Scaler+".kubeconfig"))
	const limit, step = 4 * time.Minute, 50 * time.Millisecond
	require.Eventually(t, func() bool { return leads(t, s, "scaler-0") || leads(t, s, "scaler-1") }, limit, step)
	leader, standby := "scaler-0", "scaler-1"
	if leads(t, s, standby) {
		leader, standby = standby, leader
	}
	require.False(t, leads(t, s, standby))

	require.NoError(t, s.StopScaler(leader), "it ends in order")
	require.Zero(t, s.ScalerPID(leader))
	require.Eventually(t, func() bool { return leads(t, s, standby) }, limit, step)

	before := s.ScalerPID(standby)
	require.NoError(t, s.SignalScaler(standby, syscall.SIGKILL))
	require.Eventually(t, func() bool { return s.ScalerPID(standby) != before && leads(t, s, standby) }, limit, step)

	for _, name := range []string{leader, standby} {
		log, err := os.ReadFile(filepath.Join(s.Dir, "scalers", name+".log"))
		require.NoError(t, err)
		require.NotContains(t, string(log), "forbidden")
	}
	requireSecureMetrics(t, s)
	require.NoError(t, s.KillScaler(standby))
	require.ErrorContains(t, s.StopScaler(standby), "there is none")
	require.ErrorContains(t, s.StartScaler(t.Context(), "broken", "--no-such-flag"), "no-such-flag")
}
