// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

func TestIdentify(t *testing.T) {
	ca := newAuthority(t)
	for name, test := range map[string]struct {
		status int
		body   string
		want   probe.Identity
		err    string // "": none
	}{
		"a cluster":        {200, `{"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "8cbd-1"}}`, probe.Identity{ID: "8cbd-1"}, ""},
		"no right":         {403, `{"kind": "Status"}`, probe.Identity{Refused: true}, ""},
		"no credential":    {401, "", probe.Identity{}, "answers 401 to the question which cluster it is"},
		"not there":        {404, `{"kind": "Namespace", "metadata": {"uid": "a"}}`, probe.Identity{}, "answers 404"},
		"out of order":     {500, "", probe.Identity{}, "answers 500"},
		"something else":   {200, "<html>", probe.Identity{}, "its answer is no Namespace with a UID"},
		"another kind":     {200, `{"kind": "Pod", "metadata": {"uid": "a"}}`, probe.Identity{}, "its answer is no Namespace with a UID"},
		"no UID":           {200, `{"kind": "Namespace"}`, probe.Identity{}, "its answer is no Namespace with a UID"},
		"markup as a UID":  {200, `{"kind": "Namespace", "metadata": {"uid": "<b>"}}`, probe.Identity{}, "its answer is no Namespace with a UID"},
		"a very long UID":  {200, `{"kind": "Namespace", "metadata": {"uid": "` + strings.Repeat("a", 65) + `"}}`, probe.Identity{}, "its answer is no Namespace with a UID"},
		"an endless thing": {200, `{"kind": "` + strings.Repeat("a", 1<<20), probe.Identity{}, "its answer is no Namespace with a UID"},
	} {
		t.Run(name, func(t *testing.T) {
			var path, authorization string
			server := serve(t, ca.issue(nil), func(w http.ResponseWriter, r *http.Request) {
				path, authorization = r.URL.Path, r.Header.Get("Authorization")
				answering(test.status, test.body)(w, r)
			}, nil)
			identity, err := probe.Identify(t.Context(), configFor(server.URL+"/k8s/clusters/c-1", ca), long)
			require.Equal(t, test.want, identity)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
				require.NotContains(t, err.Error(), "canary")
			}
			require.Equal(t, []string{"/k8s/clusters/c-1/api/v1/namespaces/kube-system", "Bearer canary"}, []string{path, authorization})
		})
	}
	_, err := probe.Identify(t.Context(), nil, 0)
	require.ErrorContains(t, err, "there is no kubeconfig to probe with")
	silent := serve(t, ca.issue(nil), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
	_, err = probe.Identify(t.Context(), configFor(silent.URL, ca), brief)
	require.ErrorContains(t, err, "does not say which cluster it is")
}
