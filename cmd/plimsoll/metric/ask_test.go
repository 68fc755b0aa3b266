// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// ask puts the question to a server that answers it with the handler.
func ask(t *testing.T, handler http.HandlerFunc) (string, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	m, err := Ask(t.Context(), client.RESTClient(), Question{Namespace: "shop", Metric: "online_users", Resource: "pods", Object: "shop-a"})
	if err != nil {
		return "", err
	}
	return m.Metric, nil
}

func TestAsk(t *testing.T) {
	got, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/metrics/online_users/explain" ||
			r.FormValue("name") != "shop-a" || r.FormValue("resource") != "pods" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(working())
	})
	require.NoError(t, err)
	require.Equal(t, "online_users", got)
}

func TestAskErrors(t *testing.T) {
	status := func(code int, reason metav1.StatusReason, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
				Code: int32(code), Reason: reason, Message: message,
			})
		}
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    []string
	}{
		"forbidden": {status(403, metav1.StatusReasonForbidden, `metrics "online_users" is forbidden`),
			[]string{"you may not explain metrics in namespace shop", "kubectl auth can-i"}},
		"unauthorized": {status(401, metav1.StatusReasonUnauthorized, "Unauthorized"), []string{"credentials of the kubeconfig"}},
		"no such metric": {status(404, metav1.StatusReasonNotFound, "no rule defines metric online_users; near matches: online-users"),
			[]string{"near matches: online-users", "kubectl get metricrules -n shop"}},
		"no such group": {http.NotFound, []string{"Plimsoll's adapter is not installed", "kubectl describe apiservice"}},
		"adapter down": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "service unavailable", 503) },
			[]string{"the adapter of Plimsoll does not answer", "plimsoll-system"}},
		"adapter fails": {status(500, metav1.StatusReasonInternalError, "boom"), []string{"shop/online_users cannot be explained", "boom"}},
		"not JSON":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, []string{"same version"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, tc.handler)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestNames(t *testing.T) {
	names := Names(func(groupVersion string) (*metav1.APIResourceList, error) {
		if groupVersion == "external.metrics.k8s.io/v1beta1" {
			return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "orders_waiting"}}}, nil
		}
		return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "pods/online_users"}, {Name: "namespaces/online_users"}}}, nil
	})
	require.Equal(t, []string{"online_users", "orders_waiting"}, names)
	require.Empty(t, Names(func(string) (*metav1.APIResourceList, error) { return nil, http.ErrServerClosed }))
}
