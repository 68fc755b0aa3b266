// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/install"
	"github.com/plimsoll/plimsoll/cmd/stack"
)

// interrupted does something that waits, and gives it up as a person does who has seen enough: when the API server has said
// some words about an object whose path begins with path, and is asked for it again.
func interrupted(t *testing.T, cluster *stack.Cluster, path, words string, act func(context.Context, *install.Cluster) error) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config := rest.CopyConfig(cluster.RESTConfig)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &reader{next: next, path: path, words: []byte(words), enough: cancel}
	})
	return doWith(ctx, t, config, act)
}

// reader reads what is said about objects.
type reader struct {
	next   http.RoundTripper
	path   string
	words  []byte
	said   sync.Map // by path
	enough func()
}

// RoundTrip passes a request on.
func (r *reader) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet || !strings.HasPrefix(request.URL.Path, r.path) {
		return r.next.RoundTrip(request)
	}
	if _, said := r.said.Load(request.URL.Path); said {
		r.enough()
		return nil, context.Canceled
	}
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if bytes.Contains(body, r.words) {
		r.said.Store(request.URL.Path, true)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return response, nil
}
