// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

func TestQueryGroup(t *testing.T) {
	f := shop(t).start(t)
	const base = "/apis/query.plimsoll.dev/v1alpha1"
	for path, want := range map[string]string{
		"/namespaces/shop/sources/default/proxy/api/v1/query?query=up&time=5": `proxy ns="shop" GET /api/v1/query?query=up&time=5`,
		"/sources/default/proxy/api/v1/query":                                 `proxy ns="" GET /api/v1/query`,
		"/sources/default/proxy":                                              `proxy ns="" GET /`,
		"/namespaces/shop/metrics/online_users/explain?resource=pods&name=x":  "explain shop online_users resource=pods&name=x",
	} {
		got := f.get(t, base+path)
		require.Equal(t, http.StatusOK, got.status, path)
		require.Equal(t, want, got.body)
	}
	asked := f.asked()
	for _, a := range asked {
		require.Equal(t, "get", a.ResourceAttributes.Verb)
		require.Contains(t, []string{"sources/proxy", "metrics/explain"}, a.ResourceAttributes.Resource+"/"+a.ResourceAttributes.Subresource)
	}
	send := func(method, path string) reply {
		r, err := http.NewRequest(method, f.url+base+path, strings.NewReader("query=up"))
		require.NoError(t, err)
		return f.do(t, as(r, hpaAccount))
	}
	require.Equal(t, `proxy ns="shop" POST /api/v1/query`, send(http.MethodPost, "/namespaces/shop/sources/default/proxy/api/v1/query").body)
	last := f.asked()[len(f.asked())-1].ResourceAttributes
	require.Equal(t, "create sources/proxy", last.Verb+" "+last.Resource+"/"+last.Subresource)
	require.Equal(t, http.StatusMethodNotAllowed, send(http.MethodPut, "/sources/default/proxy/api/v1/query").status)
	require.Equal(t, http.StatusMethodNotAllowed, send(http.MethodGet, "/watch/sources/default/proxy/api/v1/query").status)
	require.Equal(t, http.StatusNotFound, f.get(t, base+"/namespaces/shop/metrics/online_users").status)
	require.Equal(t, http.StatusNotFound, f.get(t, base+"/metrics/online_users/explain").status)
}

// Only who may list all of them gets the list: a right to some, or in a namespace, is none.
func TestMemberDemands(t *testing.T) {
	f := shop(t).start(t)
	const base = "/apis/query.plimsoll.dev/v1alpha1"
	got := f.get(t, base+"/memberdemands")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "demands", got.body)
	asked := f.asked()
	require.Equal(t, &authorizationv1.ResourceAttributes{Verb: "list", Group: "query.plimsoll.dev", Version: "v1alpha1", Resource: "memberdemands"}, asked[len(asked)-1].ResourceAttributes)
	for _, path := range []string{
		"/namespaces/shop/memberdemands", "/memberdemands/paris", "/memberdemands/paris/status", "/memberdemands?fieldSelector=metadata.name%3Dparis",
		"/memberdemands?labelSelector=a%3Db", "/memberdemands?watch=true", "/watch/memberdemands",
	} {
		got := f.get(t, base+path)
		require.Equal(t, http.StatusNotFound, got.status, path)
		require.Contains(t, got.body, "memberdemands", path)
	}
	r, err := http.NewRequest(http.MethodPost, f.url+base+"/memberdemands", strings.NewReader("{}"))
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, f.do(t, as(r, hpaAccount)).status)

	f.mu.Lock()
	f.allow = func(authorizationv1.SubjectAccessReviewSpec) bool { return false }
	f.mu.Unlock()
	r, err = http.NewRequest(http.MethodGet, f.url+base+"/memberdemands", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, f.do(t, as(r, "tenant")).status)
}

func TestProbesSayWhatIsWrong(t *testing.T) {
	f := shop(t)
	var data, evaluation atomic.Pointer[error]
	ok := error(nil)
	data.Store(&ok)
	evaluation.Store(&ok)
	f.options.Data = func() error { return *data.Load() }
	f.options.Evaluation = func() error { return *evaluation.Load() }
	f.start(t)
	require.Equal(t, http.StatusOK, f.get(t, "/readyz").status)
	require.Equal(t, http.StatusOK, f.get(t, "/livez").status)
	broken := errors.New("broken")
	data.Store(&broken)
	require.Equal(t, http.StatusInternalServerError, f.get(t, "/readyz").status)
	require.Contains(t, f.get(t, "/readyz").body, "[-]data failed")
	require.Equal(t, http.StatusOK, f.get(t, "/livez").status)
	require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/x-1/online_users").status, "not ready is no reason to refuse")
	data.Store(&ok)
	evaluation.Store(&broken)
	require.Equal(t, http.StatusOK, f.get(t, "/readyz").status)
	require.Contains(t, f.get(t, "/livez").body, "[-]evaluation failed")
}

func TestMetricsOfBothRegistries(t *testing.T) {
	f := shop(t).start(t)
	require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/x-1/online_users", "Accept", hpaAccept).status)
	got := f.get(t, "/metrics")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, `plimsoll_reads_total{api="custom",code="200",kind="object",path="fast"} 1`)
	require.Contains(t, got.body, "apiserver_request_filter_duration_seconds")
	require.Contains(t, got.body, "process_resident_memory_bytes")
}

func TestOpenAPIDescribesTheAPI(t *testing.T) {
	f := shop(t).start(t)
	require.Contains(t, f.get(t, "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2").body, "MetricValueList")
	require.Equal(t, http.StatusOK, f.get(t, "/openapi/v2", "Accept", "application/json").status)
}

// TestShutdownFailsNoRead reads without a pause while the server ends. The readers leave when they learn that it is not
// ready, as the endpoints of a Service do.
func TestShutdownFailsNoRead(t *testing.T) {
	f := shop(t)
	f.options.Serving.ShutdownDelay = 500 * time.Millisecond
	f.start(t)
	require.Equal(t, f.options.Serving.ShutdownDelay, f.server.generic.ShutdownDelayDuration, "so long it serves at least")
	// Here it serves until all have left, however long a reader has to wait for the CPU.
	end := delayed(t, f.server)
	defer end()
	var readers sync.WaitGroup
	var made atomic.Int64
	for range 4 {
		readers.Go(func() {
			for {
				ready, err := f.tryGet("/readyz")
				if err == nil && ready.status != http.StatusOK {
					return
				}
				var got reply
				if err == nil {
					got, err = f.tryGet(v1beta2+"shop/pods/%2A/online_users?labelSelector=app%3Dx", "Accept", hpaAccept)
				}
				if err != nil || got.status != http.StatusOK {
					t.Errorf("%v %d %s", err, got.status, got.body)
					return
				}
				made.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return made.Load() > 50 }, time.Minute, time.Millisecond)
	f.stop()
	readers.Wait()
	require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/x-1/online_users", "Accept", hpaAccept).status, "it still serves while it is not ready")
}

// delayed makes a server that ends go on serving until end, and no longer than a minute.
func delayed(t *testing.T, s *Server) (end func()) {
	ended := make(chan struct{})
	require.NoError(t, s.generic.AddPreShutdownHook("test", func() error {
		select {
		case <-ended:
		case <-time.After(time.Minute):
		}
		return nil
	}))
	return sync.OnceFunc(func() { close(ended) })
}

func TestARestingRuleIsEvaluatedForItsFirstReader(t *testing.T) {
	f := shop(t)
	key := rule.Key{Name: "never"}
	var asked atomic.Int64
	f.options.Demand = func(_ context.Context, e *snapshot.Entry) error {
		if asked.Add(1); e.Rule.Key == key {
			f.publish(t, key, 0, series{8, []string{"namespace", "shop", "pod", "x-1"}})
		}
		return nil
	}
	f.start(t)
	for range 3 {
		require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/%2A/never?labelSelector=app%3Dx", "Accept", hpaAccept).status)
	}
	require.EqualValues(t, 1, asked.Load())
	require.False(t, f.options.Store.Catalog().Entry(key).LastRead().IsZero())
}

func TestARestingRuleThatHangsIsAnErrorWithinASecond(t *testing.T) {
	f := shop(t)
	f.options.Demand = func(ctx context.Context, _ *snapshot.Entry) error {
		<-ctx.Done()
		return ctx.Err()
	}
	f.start(t)
	got := f.get(t, v1beta2+"shop/pods/%2A/never?labelSelector=app%3Dx", "Accept", hpaAccept)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Contains(t, got.body, "not evaluated yet")
}

func TestOptionsAreChecked(t *testing.T) {
	good := shop(t).options
	good.Objects = newCluster(t).objects(t)
	require.NoError(t, good.complete())
	for name, change := range map[string]func(*Options){
		"no API is to be served":      func(o *Options) { o.APIs = APIs{} },
		"needs Serving":               func(o *Options) { o.Store = nil },
		"custom metrics need Objects": func(o *Options) { o.Objects = nil },
		"query API needs":             func(o *Options) { o.Query = QueryHandlers{} },
	} {
		o := good
		change(&o)
		_, err := New(o)
		require.ErrorContains(t, err, name)
	}
	s := NewServing()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.AddFlags(flags)
	require.NoError(t, flags.Parse([]string{"--shutdown-delay-duration=-1s", "--authorization-webhook-cache-authorized-ttl=7m"}))
	require.Equal(t, 7*time.Minute, s.Authorization.AllowCacheTTL)
	require.ErrorContains(t, s.Validate(), "--shutdown-delay-duration is -1s")
}
