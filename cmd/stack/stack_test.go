// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"bytes"
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
			_, err := client.Discovery().ServerResourcesForGroupVersion("external.metrics.k8s.io/v1beta1")
			return err == nil
		}, 30*time.Second, 20*time.Millisecond)
	}
	served()
	require.NotEqual(t, s.AdapterAddress("adapter-0"), s.AdapterAddress("adapter-1"))
	require.ErrorContains(t, s.StartAdapter(t.Context(), "adapter-1"), "it runs already")

	require.NoError(t, s.StopAdapter("adapter-0"), "it ends in order")
	require.Zero(t, s.AdapterPID("adapter-0"))
	require.NoError(t, s.WaitAvailable(t.Context()))
	served()
	require.NoError(t, s.StartAdapter(t.Context(), "adapter-0"))
	require.NoError(t, s.KillAdapter("adapter-1"))
	require.NoError(t, s.WaitAvailable(t.Context()))
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

// Two scalers run with their own account's rights; one leads, the other takes over when it goes, and one that ends by
// itself comes back.
func TestScalersTakeOver(t *testing.T) {
	s := start(t, stack.Options{Adapters: -1, Scalers: 2})
	require.FileExists(t, filepath.Join(s.Dir, "scalers", stack.Scaler+".kubeconfig"))
	const limit, step = time.Minute, 50 * time.Millisecond
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
	require.NoError(t, s.KillScaler(standby))
	require.ErrorContains(t, s.StopScaler(standby), "there is none")
	require.ErrorContains(t, s.StartScaler(t.Context(), "broken", "--no-such-flag"), "no-such-flag")
}
