// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestReviewsAtMostOnePerKeyWhateverTheSelector(t *testing.T) {
	f := shop(t).start(t)
	before := len(f.asked())
	for i := range 10000 {
		r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://adapter%sshop/queue_length?labelSelector=queue%%3Dq%d", external, i), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, f.do(t, toServer(as(r, hpaAccount), f)).status)
	}
	require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/%2A/online_users?labelSelector=app%3Dx").status)
	require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/x-1/online_users").status)
	asked := f.asked()[before:]
	require.Len(t, asked, 2, "one for the external metric, one for the pods' metric")
	require.Nil(t, asked[0].ResourceAttributes.LabelSelector)
	require.Equal(t, authorizationv1.ResourceAttributes{
		Namespace: "shop", Verb: "get", Group: customGroup, Version: "v1beta2", Resource: "pods", Subresource: "online_users",
	}, *asked[1].ResourceAttributes)
	require.Equal(t, hpaAccount, asked[1].User)
	require.Equal(t, []string{"JTI=5e6d2c3a-0000-4000-8000-000000000001"}, []string(asked[1].Extra["authentication.kubernetes.io/credential-id"]))
}

func toServer(r *http.Request, f *fixture) *http.Request {
	r.URL.Host = f.url[len("https://"):]
	r.Host = ""
	return r
}

func TestAllowedForOneNameIsNotAllowedForAll(t *testing.T) {
	f := shop(t)
	f.allow = func(s authorizationv1.SubjectAccessReviewSpec) bool {
		return s.ResourceAttributes != nil && s.ResourceAttributes.Name == "x-1"
	}
	f.start(t)
	for range 2 {
		require.Equal(t, http.StatusOK, f.get(t, v1beta2+"shop/pods/x-1/online_users").status)
		require.Equal(t, http.StatusForbidden, f.get(t, v1beta2+"shop/pods/x-2/online_users").status)
		require.Equal(t, http.StatusForbidden, f.get(t, v1beta2+"shop/pods/%2A/online_users?labelSelector=app%3Dx").status)
	}
	require.Len(t, f.asked(), 4, "all names, x-1, x-2, *")
}

// A caller with resourceNames is refused all names, which is kept for 10 s only; that must not cost a review every 10 s.
func TestAllowedForOneNameIsAskedOnce(t *testing.T) {
	c := newCluster(t)
	c.allow = func(s authorizationv1.SubjectAccessReviewSpec) bool { return s.ResourceAttributes.Name == "*" }
	d, now := cache(t, c)
	ask := func(name string) authorizer.Decision {
		a := attributes(&user.DefaultInfo{Name: "someone"})
		a.Name = name
		decision, _, err := d.Authorize(t.Context(), a)
		require.NoError(t, err)
		return decision
	}
	for range 30 { // every 10 s for as long as a permission is kept
		require.Equal(t, authorizer.DecisionAllow, ask("*"))
		*now = now.Add(10 * time.Second)
	}
	require.Len(t, c.asked(), 2, "for all names, then for this one")
	require.Equal(t, authorizer.DecisionAllow, ask("*"))
	require.Len(t, c.asked(), 4, "after its 5 minutes it is asked again")
	require.Equal(t, authorizer.DecisionNoOpinion, ask("other"))
	require.Len(t, c.asked(), 5, "what is allowed for one name answers for no other")
}

func TestAllowedForOneSelector(t *testing.T) {
	f := shop(t)
	f.allow = func(s authorizationv1.SubjectAccessReviewSpec) bool {
		l := s.ResourceAttributes.LabelSelector
		return l != nil && len(l.Requirements) == 1 && l.Requirements[0].Key == "queue" && l.Requirements[0].Values[0] == "a"
	}
	f.start(t)
	for range 2 {
		require.Equal(t, http.StatusOK, f.get(t, external+"shop/queue_length?labelSelector=queue%3Da").status)
		require.Equal(t, http.StatusForbidden, f.get(t, external+"shop/queue_length?labelSelector=queue%3Db").status)
		require.Equal(t, http.StatusForbidden, f.get(t, external+"shop/queue_length").status)
	}
}

func TestProbesAreAllowedWithoutReview(t *testing.T) {
	f := shop(t)
	f.allow = func(authorizationv1.SubjectAccessReviewSpec) bool { return false }
	f.start(t)
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		require.Equal(t, http.StatusOK, f.get(t, path).status, path)
	}
	require.Empty(t, f.asked())
	require.Equal(t, http.StatusForbidden, f.get(t, "/metrics").status)
	require.Len(t, f.asked(), 1)
}

// cache is a decisionCache in front of a cluster, with a clock that the test moves.
func cache(t *testing.T, c *cluster) (*decisionCache, *time.Time) {
	client, err := kubernetes.NewForConfig(&rest.Config{Host: c.URL, QPS: -1})
	require.NoError(t, err)
	m, err := NewMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	d, err := newDecisionCache(client.AuthorizationV1().SubjectAccessReviews(), cacheTimes{allowed: 5 * time.Minute, refused: 10 * time.Second, review: time.Minute}, m)
	require.NoError(t, err)
	now := time.Now()
	d.now = func() time.Time { return now }
	return d, &now
}

func attributes(u user.Info) authorizer.AttributesRecord {
	return authorizer.AttributesRecord{User: u, Verb: "get", Namespace: "shop", APIGroup: customGroup, APIVersion: "v1beta2", Resource: "pods", Subresource: "m", Name: "*", ResourceRequest: true}
}

func TestDecisionsAreKeptForTheirTime(t *testing.T) {
	c := newCluster(t)
	d, now := cache(t, c)
	someone := &user.DefaultInfo{Name: "someone"}
	ask := func() authorizer.Decision {
		decision, _, err := d.Authorize(t.Context(), attributes(someone))
		require.NoError(t, err)
		return decision
	}
	require.Equal(t, authorizer.DecisionAllow, ask())
	*now = now.Add(5*time.Minute - time.Millisecond)
	require.Equal(t, authorizer.DecisionAllow, ask())
	require.Len(t, c.asked(), 1)
	c.mu.Lock()
	c.allow = func(authorizationv1.SubjectAccessReviewSpec) bool { return false }
	c.mu.Unlock()
	*now = now.Add(time.Millisecond)
	require.Equal(t, authorizer.DecisionNoOpinion, ask())
	require.Len(t, c.asked(), 3, "asked again: for all names, then for this one")
	*now = now.Add(10*time.Second - time.Millisecond)
	require.Equal(t, authorizer.DecisionNoOpinion, ask())
	require.Len(t, c.asked(), 3)
	*now = now.Add(time.Millisecond)
	ask()
	require.Len(t, c.asked(), 5)
}

func TestErrorsAreNotKept(t *testing.T) {
	c := newCluster(t)
	d, _ := cache(t, c)
	c.broken = true
	decision, _, err := d.Authorize(t.Context(), attributes(&user.DefaultInfo{Name: "someone"}))
	require.ErrorContains(t, err, "asking the API server what the caller may do")
	require.Equal(t, authorizer.DecisionNoOpinion, decision)
	c.mu.Lock()
	c.broken = false
	c.mu.Unlock()
	decision, _, err = d.Authorize(t.Context(), attributes(&user.DefaultInfo{Name: "someone"}))
	require.NoError(t, err)
	require.Equal(t, authorizer.DecisionAllow, decision)
}

func TestConcurrentQuestionsShareOneReview(t *testing.T) {
	c := newCluster(t)
	d, _ := cache(t, c)
	c.mu.Lock() // nobody is answered until all have asked
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			decision, _, err := d.Authorize(t.Context(), attributes(&user.DefaultInfo{Name: "someone"}))
			if err != nil || decision != authorizer.DecisionAllow {
				t.Errorf("%v %v", decision, err)
			}
		})
	}
	c.mu.Unlock()
	running.Wait()
	require.Len(t, c.asked(), 1)
}

// held is a counter of misses at which a caller is held up.
type held struct {
	prometheus.Counter
	up func()
}

func (h held) Inc() { h.up() }

// A caller who finds nothing kept, and is held up until another one has asked, does not ask again.
func TestALateQuestionIsNotAskedAgain(t *testing.T) {
	c := newCluster(t)
	d, _ := cache(t, c)
	someone := attributes(&user.DefaultInfo{Name: "someone"})
	misses := d.metrics.misses
	d.metrics.misses = held{misses, func() {
		d.metrics.misses = misses
		decision, _, err := d.Authorize(t.Context(), someone)
		require.NoError(t, err)
		require.Equal(t, authorizer.DecisionAllow, decision)
	}}
	decision, _, err := d.Authorize(t.Context(), someone)
	require.NoError(t, err)
	require.Equal(t, authorizer.DecisionAllow, decision)
	require.Len(t, c.asked(), 1)
}

func TestKeysTellCallersApart(t *testing.T) {
	base := user.DefaultInfo{Name: "a", UID: "1", Groups: []string{"g", "h"}, Extra: map[string][]string{"x": {"1", "2"}}}
	same := user.DefaultInfo{Name: "a", UID: "1", Groups: []string{"h", "g"}, Extra: map[string][]string{"x": {"2", "1"}}}
	require.Equal(t, key(attributes(&base), true), key(attributes(&same), true), "the order of groups means nothing")
	seen := map[string]string{key(attributes(&base), true): "base"}
	different := func(what string, a authorizer.AttributesRecord) {
		k := key(a, true)
		require.Empty(t, seen[k], what)
		seen[k] = what
	}
	for what, u := range map[string]user.DefaultInfo{
		"name": {Name: "b", UID: "1", Groups: base.Groups, Extra: base.Extra}, "uid": {Name: "a", UID: "2", Groups: base.Groups, Extra: base.Extra},
		"group": {Name: "a", UID: "1", Groups: []string{"g"}, Extra: base.Extra}, "joined groups": {Name: "a", UID: "1", Groups: []string{"gh"}, Extra: base.Extra},
		"extra": {Name: "a", UID: "1", Groups: base.Groups}, "extra value": {Name: "a", UID: "1", Groups: base.Groups, Extra: map[string][]string{"x": {"12"}}},
	} {
		different(what, attributes(&u))
	}
	for what, change := range map[string]func(*authorizer.AttributesRecord){
		"verb":      func(a *authorizer.AttributesRecord) { a.Verb = "list" },
		"namespace": func(a *authorizer.AttributesRecord) { a.Namespace = "bank" },
		"group":     func(a *authorizer.AttributesRecord) { a.APIGroup = externalGroup },
		"version":   func(a *authorizer.AttributesRecord) { a.APIVersion = "v1beta1" },
		"metric":    func(a *authorizer.AttributesRecord) { a.Subresource = "n" },
		"resource":  func(a *authorizer.AttributesRecord) { a.Resource = "nodes" },
		"name":      func(a *authorizer.AttributesRecord) { a.Name = "x" },
		"path":      func(a *authorizer.AttributesRecord) { a.ResourceRequest = false; a.Path = "/metrics" },
		"selector": func(a *authorizer.AttributesRecord) {
			a.LabelSelectorRequirements, _ = labels.ParseToRequirements("a=b")
		},
		"other selector": func(a *authorizer.AttributesRecord) {
			a.LabelSelectorRequirements, _ = labels.ParseToRequirements("a!=b")
		},
	} {
		a := attributes(&base)
		change(&a)
		different(what, a)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCluster(t)
	d, _ := cache(t, c)
	for i := range decisionsKept + 100 {
		d.keep(fmt.Sprint(i), verdict{decision: authorizer.DecisionAllow})
	}
	require.Equal(t, decisionsKept, d.kept.Len())
	d.keep(string(make([]byte, longestKey)), verdict{decision: authorizer.DecisionAllow})
	require.False(t, d.kept.Contains(string(make([]byte, longestKey))))
}
