// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// apiServer answers lists and watches of metadata as an API server without watch-list does.
type apiServer struct {
	mu     sync.Mutex
	items  map[string][]metav1.PartialObjectMetadata // by path
	status map[string]int                            // by path: refuse with it
	events chan metav1.WatchEvent
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	status, items := a.status[r.URL.Path], a.items[r.URL.Path]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case status != 0 || r.URL.Query().Get("sendInitialEvents") == "true":
		if status == 0 {
			status = http.StatusUnprocessableEntity
		}
		reason := map[int]metav1.StatusReason{403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound, 422: metav1.StatusReasonInvalid}[status]
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(status), Reason: reason, Message: "refused"})
	case r.URL.Query().Get("watch") == "true":
		a.watch(w, r)
	default:
		json.NewEncoder(w).Encode(metav1.PartialObjectMetadataList{
			TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: "meta.k8s.io/v1"},
			ListMeta: metav1.ListMeta{ResourceVersion: "5"}, Items: items,
		})
	}
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	for {
		select {
		case e := <-a.events:
			json.NewEncoder(w).Encode(e)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func item(namespace, name, app string) metav1.PartialObjectMetadata {
	return metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}, ResourceVersion: "6"},
	}
}

func start(t *testing.T, a *apiServer, o Options) *Objects {
	a.events = make(chan metav1.WatchEvent)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client, err := metadata.NewForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	o.Client = client
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	x, err := Start(ctx, o)
	require.NoError(t, err)
	return x
}

func names(t *testing.T, x *Objects, resource schema.GroupVersionResource, namespace, raw string) []string {
	s, err := x.Selector(raw)
	require.NoError(t, err)
	out, err := x.AppendNames(t.Context(), nil, In{resource, namespace}, s)
	require.NoError(t, err)
	return out
}

var services = schema.GroupVersionResource{Version: "v1", Resource: "services"}

func TestPodsFollowTheAPIServer(t *testing.T) {
	a := &apiServer{items: map[string][]metav1.PartialObjectMetadata{"/api/v1/pods": {item("shop", "b", "x"), item("shop", "a", "x"), item("bank", "c", "x")}}}
	x := start(t, a, Options{Wait: time.Minute})
	require.Equal(t, []string{"a", "b"}, names(t, x, Pods, "shop", "app=x"))
	require.True(t, x.HasSynced())
	require.NoError(t, x.Unready())
	require.Equal(t, 3, x.Len())

	send := func(kind string, o metav1.PartialObjectMetadata) {
		raw, err := json.Marshal(o)
		require.NoError(t, err)
		a.events <- metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: raw}}
	}
	send("ADDED", item("shop", "aa", "x"))
	send("MODIFIED", item("shop", "b", "y"))
	send("DELETED", item("bank", "c", "x"))
	require.Eventually(t, func() bool { return x.Len() == 3 && len(names(t, x, Pods, "bank", "")) == 0 }, time.Minute, time.Millisecond)
	require.Equal(t, []string{"a", "aa"}, names(t, x, Pods, "shop", "app=x"))
	require.Equal(t, []string{"b"}, names(t, x, Pods, "shop", "app=y"))
}

func TestOtherResourcesAreWatchedWhenAskedFor(t *testing.T) {
	a := &apiServer{items: map[string][]metav1.PartialObjectMetadata{"/api/v1/services": {item("shop", "front", "x")}}}
	x := start(t, a, Options{Wait: time.Minute, Unused: time.Hour})
	require.Empty(t, x.watchers)
	require.Equal(t, []string{"front"}, names(t, x, services, "shop", "app in (x,y)"))
	require.Len(t, x.watchers, 1)
	x.stopUnused(time.Now().Add(59 * time.Minute))
	require.Len(t, x.watchers, 1)
	x.stopUnused(time.Now().Add(61 * time.Minute))
	require.Empty(t, x.watchers)
	require.Equal(t, []string{"front"}, names(t, x, services, "shop", ""), "asked again, watched again")
}

func TestErrorsSayWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   string
	}{
		"no permission":    {http.StatusForbidden, `the adapter needs the verbs list and watch on resource "services" of API group ""`},
		"no such resource": {http.StatusNotFound, `the cluster does not serve services in version "v1"`},
		"server failure":   {http.StatusInternalServerError, "the list of services cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			x := start(t, &apiServer{status: map[string]int{"/api/v1/services": c.status}}, Options{Wait: 300 * time.Millisecond})
			s, err := x.Selector("")
			require.NoError(t, err)
			read := func() error {
				_, err := x.AppendNames(t.Context(), nil, In{services, "shop"}, s)
				return err
			}
			// The server's answer may come later than a read waits. It is remembered.
			require.Eventually(t, func() bool {
				err := read()
				return err == nil || !strings.Contains(err.Error(), "still being read")
			}, time.Minute, time.Millisecond)
			err = read()
			require.ErrorIs(t, err, ErrNotReady)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestUnreadyNamesTheCause(t *testing.T) {
	x := start(t, &apiServer{status: map[string]int{"/api/v1/pods": http.StatusForbidden}}, Options{})
	require.Eventually(t, func() bool { return strings.Contains(x.Unready().Error(), `resource "pods"`) }, time.Minute, time.Millisecond)
	require.False(t, x.HasSynced())
}

func TestSelectorErrors(t *testing.T) {
	x := start(t, &apiServer{}, Options{})
	_, err := x.Selector("app in (")
	require.ErrorContains(t, err, `label selector "app in ("`)
	a, err := x.Selector("app=x")
	require.NoError(t, err)
	b, err := x.Selector("app=x")
	require.NoError(t, err)
	require.Same(t, a, b)
}
