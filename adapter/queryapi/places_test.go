// SPDX-License-Identifier: Apache-2.0

package queryapi

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

// slow is a source whose API answers when it is let go, however short the caller's own time-out is; one that has a place
// and shall not is let go after a minute.
type slow struct {
	source.Source
	entered chan struct{}
	letGo   chan struct{}
}

func (s *slow) API() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		s.entered <- struct{}{}
		select {
		case <-s.letGo:
		case <-time.After(time.Minute):
		}
	})
}

// However many slow queries one namespace sends, another namespace and the cluster's own callers find a place; and all
// together have no more than Parallel at the source.
func TestPlacesAreShared(t *testing.T) {
	s := &slow{entered: make(chan struct{}, 1), letGo: make(chan struct{})}
	h := New(source.NewFailover(s))
	var running sync.WaitGroup
	enters := func(namespace string) {
		running.Go(func() {
			code, text := sourcetest.Post(t, h.ServeNamespace(namespace), "/api/v1/query", url.Values{"query": {"up"}})
			if code != http.StatusOK {
				t.Errorf("namespace %q: %d %s", namespace, code, text)
			}
		})
		<-s.entered
	}
	full := func(namespace string) {
		code, text := sourcetest.Post(t, h.ServeNamespace(namespace), "/api/v1/query", url.Values{"query": {"up"}, "timeout": {"10ms"}})
		require.Equal(t, http.StatusServiceUnavailable, code, "namespace %q", namespace)
		require.Contains(t, text, "too many queries at once")
	}
	defer running.Wait()
	defer close(s.letGo)
	enters("shop")
	enters("shop")
	full("shop")
	enters("bank")
	full("bank") // the last place is for those who may read the whole cluster
	full("mill")
	enters("")
	full("")
	require.Len(t, h.places.namespaces, 2)

	for range Parallel {
		s.letGo <- struct{}{}
	}
	running.Wait()
	require.Empty(t, h.places.namespaces, "nothing is kept of namespaces that ask no more")
	for range Parallel {
		enters("")
	}
	full("shop")
}
