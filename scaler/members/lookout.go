// SPDX-License-Identifier: Apache-2.0

package members

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// lookout notes how the requests end that fill the caches: informers keep that to themselves.
type lookout struct {
	mu      sync.Mutex
	refused map[string]map[string]bool // verbs that are refused, by resource
	broken  map[string]time.Time       // since when a resource cannot be watched
}

func newLookout() *lookout {
	return &lookout{refused: map[string]map[string]bool{}, broken: map[string]time.Time{}}
}

// missing are the rights that the member refuses, by verbs: "list and watch nodes, pods".
func (l *lookout) missing() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := map[string][]string{}
	for _, resource := range slices.Sorted(maps.Keys(l.refused)) {
		verbs := strings.Join(slices.Sorted(maps.Keys(l.refused[resource])), " and ")
		by[verbs] = append(by[verbs], resource)
	}
	var all []string
	for _, verbs := range slices.Sorted(maps.Keys(by)) {
		all = append(all, verbs+" "+strings.Join(by[verbs], ", "))
	}
	return all
}

// brokenSince is since when some resource cannot be watched, the zero time if all are.
func (l *lookout) brokenSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	for _, since := range l.broken {
		if first.IsZero() || since.Before(first) {
			first = since
		}
	}
	return first
}

// lookoutTripper is a transport whose requests are noted.
type lookoutTripper struct {
	*lookout
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t lookoutTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if resource := collection(request); resource != "" && request.Context().Err() == nil {
		verb, code := "list", 0
		if request.URL.Query().Get("watch") != "" {
			verb = "watch"
		}
		if err == nil {
			code = response.StatusCode
		}
		t.note(resource, verb, code)
	}
	return response, err
}

// note notes the answer to a request; code 0: there was none.
func (l *lookout) note(resource, verb string, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case code == http.StatusOK && verb == "watch": // what is watched was listed, or is sent at the beginning of the watch
		delete(l.refused, resource)
		delete(l.broken, resource)
		return
	case code == http.StatusOK:
		delete(l.refused[resource], verb)
		if len(l.refused[resource]) == 0 {
			delete(l.refused, resource)
		}
		return
	case code == http.StatusForbidden:
		if l.refused[resource] == nil {
			l.refused[resource] = map[string]bool{}
		}
		l.refused[resource][verb] = true
	}
	if _, already := l.broken[resource]; !already {
		l.broken[resource] = time.Now()
	}
}

// collection is the resource of a request for all objects of one of the kinds that are cached, "" for other requests. There
// may be a path before that of the API.
func collection(request *http.Request) string {
	parts := strings.Split(strings.TrimSuffix(request.URL.Path, "/"), "/")
	n := len(parts)
	if n < 4 || parts[n-3] != "api" && (n < 5 || parts[n-4] != "apis") || !slices.Contains(resources(), parts[n-1]) {
		return ""
	}
	return parts[n-1]
}
