// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package e2e

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Two members whose sources say the same, one of them behind TLS and a token: the metric is twice what one says. A member
// that was declared failed counts as 0, and the value says so.
func TestMembersAreAddedUp(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.expose(t, ns, `users{namespace="$NS"} 21`)
	server := guarded(t, w.PrometheusURL, "open sesame")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Data: map[string][]byte{"token": []byte("wrong"), "ca.crt": ca}}
	secrets := w.cluster.CoreV1().Secrets("plimsoll-sources")
	_, err := secrets.Create(context.Background(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	w.apply(t, ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MemberCluster
metadata: {name: berlin}
spec: {metrics: {url: "`+w.PrometheusURL+`"}}
---
apiVersion: plimsoll.dev/v1alpha1
kind: MemberCluster
metadata: {name: paris}
spec: {metrics: {url: "`+server.URL+`", secretRef: {name: paris}}}
---
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: users, namespace: $NS}
spec: {query: sum(users), interval: 5s, members: Sum}
`)
	w.says(t, ns, "users", v1alpha1.ReasonSourceUnreachable, "does not accept the credentials")
	_, err = w.get(externalPath(ns, "users"))
	require.Error(t, err, "no sum without a member")

	secret.Data["token"] = []byte("open sesame")
	_, err = secrets.Update(context.Background(), secret, metav1.UpdateOptions{})
	require.NoError(t, err)
	w.eventuallyAnswers(t, ns, "users", `"value":"42"`)

	status := []byte(`{"status":{"state":"Failed"}}`)
	_, err = w.objects.Resource(v1alpha1.SchemeGroupVersion.WithResource("memberclusters")).
		Patch(context.Background(), "paris", types.MergePatchType, status, metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	w.eventuallyAnswers(t, ns, "users", `"metricLabels":{"plimsoll.dev/incomplete":"paris"}`)
	w.eventuallyAnswers(t, ns, "users", `"value":"21"`)
	w.says(t, ns, "users", v1alpha1.ReasonIncomplete, "without paris")

	stacktest.Eventually(t, "demands without a tenant's rule, which is nobody else's", func() error { // whichever adapter answers
		demands, err := w.get("/apis/query.plimsoll.dev/v1alpha1/memberdemands")
		for _, part := range []string{`{"name":"berlin"},"reason":"there is no ClusterMetricRule`, `{"name":"paris"},"reason":"it was declared Failed`} {
			err = wants(demands, err, part)
		}
		return err
	})
	w.addRome(t, ns)
}

// addRome adds a member whose source is its external metrics: those of another namespace of this very cluster, so that a real
// API server with a real adapter answers, to an account that may do nothing but list them.
func (w *world) addRome(t *testing.T, ns string) {
	t.Helper()
	there := w.newNamespace(t)
	w.expose(t, there, `users{namespace="$NS"} 9`)
	w.apply(t, there, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: users, namespace: $NS}
spec: {query: sum(users), interval: 5s}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: metrics, namespace: $NS}}
`)
	server := w.renamed(t, ns, there)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "rome"}, Data: map[string][]byte{"token": []byte(w.token(t, there, "metrics") + "\n"), "ca.crt": ca}}
	_, err := w.cluster.CoreV1().Secrets("plimsoll-sources").Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	w.apply(t, ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MemberCluster
metadata: {name: rome}
spec: {metrics: {externalMetrics: {server: "`+server.URL+`"}, secretRef: {name: rome}}}
`)
	w.says(t, ns, "users", v1alpha1.ReasonSourceUnreachable, "may not list users of external.metrics.k8s.io in namespace "+ns)
	w.apply(t, there, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: metrics, namespace: $NS}
rules: [{apiGroups: [external.metrics.k8s.io], resources: [users], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: metrics, namespace: $NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: metrics}
subjects: [{kind: ServiceAccount, name: metrics, namespace: $NS}]
`)
	w.eventuallyAnswers(t, ns, "users", `"value":"30"`)
	w.says(t, ns, "users", v1alpha1.ReasonIncomplete, "without paris")
}

// renamed serves the API server with one namespace under the name of another.
func (w *world) renamed(t *testing.T, name, namespace string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(w.RESTConfig.Host)
	require.NoError(t, err)
	trust, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: w.RESTConfig.CAData}})
	require.NoError(t, err)
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.URL.Path = strings.ReplaceAll(r.In.URL.Path, "/namespaces/"+name+"/", "/namespaces/"+namespace+"/")
		},
		Transport: &http.Transport{TLSClientConfig: trust},
	})
	t.Cleanup(server.Close)
	return server
}

func (w *world) eventuallyAnswers(t *testing.T, ns, metric, part string) {
	t.Helper()
	stacktest.Eventually(t, part, func() error {
		body, err := w.get(externalPath(ns, metric))
		return wants(body, err, part)
	})
}

// guarded serves what is at an address over TLS, to those who have a token.
func guarded(t *testing.T, address, token string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(address)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}
