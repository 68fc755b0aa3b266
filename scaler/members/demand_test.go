// SPDX-License-Identifier: Apache-2.0

package members

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// told is one list, made some seconds after the adapter's noon.
type told struct {
	made    int
	since   int // of the member's trouble, in seconds; 0: none
	samples []demandSample
	news    bool
}

// sampled is a rule's newest sample, and when the member was asked for it, in seconds.
func sampled(rule string, measured, asked int) demandSample {
	return demandSample{Rule: rule, SampleTime: seconds(measured), Evaluated: seconds(asked)}
}

func seconds(n int) time.Time {
	return time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

func listOf(made int, member string, samples ...demandSample) *demandList {
	l := &demandList{Time: seconds(made)}
	l.Items = append(l.Items, struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Samples []demandSample `json:"samples"`
	}{Samples: samples})
	l.Items[0].Metadata.Name = member
	return l
}

func TestDemandIsNewsOnlyIfItWasMeasuredSinceTheTroubleBegan(t *testing.T) {
	of := func(s ...demandSample) []demandSample { return s }
	for name, story := range map[string][]told{
		"samples go on": {
			{100, 99, of(sampled("users", 93, 94)), false},
			{106, 99, of(sampled("users", 103, 104)), false}, // from before the trouble, for all that is known
			{112, 99, of(sampled("users", 103, 104)), false},
			{116, 99, of(sampled("users", 113, 114)), true},
			{118, 99, of(sampled("users", 113, 114)), false},
			{126, 99, of(sampled("users", 123, 124)), true},
		},
		"the pods died just before, and the source told of it just after": {
			{100, 99, of(sampled("users", 83, 84)), false},
			{106, 99, of(sampled("users", 98, 104)), false},
			{116, 99, of(sampled("users", 98, 114)), false},
			{126, 99, of(sampled("users", 98, 124)), false},
		},
		"the member's clock is an hour ahead, or behind": {
			{100, 99, of(sampled("users", 3693, 94), sampled("orders", -3593, 94)), false},
			{106, 99, of(sampled("users", 3703, 104), sampled("orders", -3583, 104)), false},
			{116, 99, of(sampled("users", 3703, 114), sampled("orders", -3583, 114)), false},
			{126, 99, of(sampled("users", 3723, 124), sampled("orders", -3583, 114)), true},
			{136, 99, of(sampled("users", 3723, 134), sampled("orders", -3563, 134)), true},
		},
		"two replicas, one of which is behind": {
			{100, 99, of(sampled("users", 90, 95)), false},
			{101, 99, of(sampled("users", 97, 98)), false}, // another one, from before
			{106, 99, of(sampled("users", 98, 104)), false},
			{108, 99, of(sampled("users", 98, 107)), false},
			{110, 99, of(sampled("users", 90, 95)), false},
			{112, 99, of(sampled("users", 98, 107)), false},
			{114, 99, of(sampled("users", 90, 113)), false}, // its own source is behind
			{116, 99, of(sampled("users", 98, 114)), false},
		},
		"an older table after a newer one": {
			{100, 99, nil, false},
			{106, 99, of(sampled("users", 103, 104)), false},
			{116, 99, of(sampled("users", 113, 114)), true},
			{118, 99, of(sampled("users", 103, 104)), false},
			{120, 99, of(sampled("users", 113, 114)), false},
		},
		"a rule that somebody begins to read": {
			{100, 99, of(sampled("users", -3600, -3600)), false},
			{106, 99, of(sampled("users", 98, 104)), false},
		},
		"another rule is newer, and no news": {
			{100, 99, nil, false},
			{106, 99, of(sampled("users", 90, 104)), false},
			{116, 99, of(sampled("orders", 98, 114), sampled("users", 90, 114)), false},
			{126, 99, of(sampled("orders", 98, 124)), false},
			{136, 99, of(sampled("orders", 98, 134), sampled("users", 91, 134)), true},
		},
		"another trouble begins": {
			{100, 99, nil, false},
			{106, 99, of(sampled("users", 103, 104)), false},
			{116, 99, of(sampled("users", 113, 114)), true},
			{126, 0, of(sampled("users", 123, 124)), false},
			{136, 135, of(sampled("users", 128, 129)), false},
			{146, 135, of(sampled("users", 133, 144)), false},
			{156, 135, of(sampled("users", 133, 154)), false},
			{166, 164, of(sampled("users", 133, 154)), false},
			{176, 164, of(sampled("users", 163, 174)), false},
			{186, 164, of(sampled("users", 183, 184)), true},
		},
		"of another member": {
			{100, 99, nil, false},
			{106, 99, nil, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := NewFleet(runtime.NewScheme())
			now := time.Time{}
			d := newDemandWatch(nil, fleet, func() time.Time { return now })
			for i, list := range story {
				troubles := map[string]time.Time{}
				if list.since != 0 {
					troubles["paris"] = seconds(list.since)
				}
				now = seconds(10_000 + i) // by another clock
				l := listOf(list.made, "paris", list.samples...)
				l.Items = append(l.Items, listOf(list.made, "berlin", sampled("users", list.made, list.made)).Items...)
				d.take(l, troubles)
				require.Equal(t, list.news, fleet.demanded("paris").Equal(now), "list %d", i)
				require.Zero(t, fleet.demanded("berlin"))
			}
		})
	}
}

func memberWith(metrics *v1alpha1.MemberMetrics) *v1alpha1.MemberCluster {
	return &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.MemberClusterSpec{Metrics: metrics}}
}

// The adapter is asked only while a member that has metrics is in trouble; what it cannot say is nothing.
func TestDemandIsAskedForInTroubleOnly(t *testing.T) {
	var asked, failing atomic.Int64
	fleet := NewFleet(runtime.NewScheme())
	d := newDemandWatch(func(ctx context.Context) (*demandList, error) {
		deadline, ok := ctx.Deadline()
		if !ok || time.Until(deadline) > demandWithin {
			return nil, errors.New("no time-out")
		}
		n := int(asked.Add(1))
		if n == 2 {
			failing.Add(1)
			return nil, errors.New("no adapter")
		}
		return listOf(n, "paris", sampled("users", n, n)), nil
	}, fleet, func() time.Time { return seconds(1) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.run(ctx) }()

	with := memberWith(&v1alpha1.MemberMetrics{URL: "http://prometheus"})
	d.note(memberWith(nil), seconds(1))
	d.note(memberWith(&v1alpha1.MemberMetrics{ExternalMetrics: &v1alpha1.MemberExternalMetrics{Server: "https://paris"}}), seconds(1))
	d.note(with, time.Time{})
	require.Empty(t, d.inTrouble())
	d.note(with, seconds(1))
	require.Eventually(t, func() bool { return !fleet.demanded("paris").IsZero() }, time.Minute, 10*time.Millisecond)
	require.GreaterOrEqual(t, asked.Load(), int64(4), "the first is not compared, the second fails, the third is compared with")
	require.EqualValues(t, 1, failing.Load())
	d.forget("paris")
	require.Empty(t, d.inTrouble())
	cancel()
	<-ended

	idle := newDemandWatch(func(context.Context) (*demandList, error) { panic("nobody is in trouble") }, fleet, time.Now)
	idle.wake <- struct{}{}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	idle.run(ctx)
}

const realList = `{"kind":"MemberDemandList","apiVersion":"query.plimsoll.dev/v1alpha1","metadata":{},"time":"2026-11-11T12:00:00.5Z","items":[
{"kind":"MemberDemand","apiVersion":"query.plimsoll.dev/v1alpha1","metadata":{"name":"berlin"},"reason":"nobody reads its rules, which rest: users"},
{"kind":"MemberDemand","apiVersion":"query.plimsoll.dev/v1alpha1","metadata":{"name":"paris"},"samples":[{"rule":"users","sampleTime":"2026-11-11T11:59:51Z","evaluated":"2026-11-11T11:59:55Z"}]}]}`

func TestAskDemand(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   string // of the error; "": none
	}{
		"a list":               {200, realList, ""},
		"forbidden":            {403, `{"kind":"Status"}`, "the verb list for memberdemands"},
		"an adapter of before": {404, `{"kind":"Status"}`, "is Plimsoll's adapter installed"},
		"no adapter":           {503, "service unavailable", "status 503"},
		"not JSON":             {200, "<html>", "cannot be read"},
		"something else":       {200, `{"kind":"Status"}`, "does not say when"},
		"a time that is none":  {200, `{"time":"yesterday"}`, "cannot be read"},
		"too large":            {200, `{"time":"` + strings.Repeat("x", maxDemand) + `"}`, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method+" "+r.RequestURI != "GET /prefix/apis/query.plimsoll.dev/v1alpha1/memberdemands" || r.Header.Get("Authorization") != "Bearer sesame" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			ask, err := askDemand(&rest.Config{Host: server.URL + "/prefix/", BearerToken: "sesame"})
			require.NoError(t, err)
			list, err := ask(t.Context())
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				require.Nil(t, list)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []demandSample{sampled("users", -9, -5)}, list.samples("paris"))
			require.Empty(t, list.samples("berlin"))
			require.Empty(t, list.samples("rome"))
		})
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	ask, err := askDemand(&rest.Config{Host: closed.URL})
	require.NoError(t, err)
	_, err = ask(t.Context())
	require.ErrorContains(t, err, "does not answer")
}

// Whatever comes is a list with a time, or an error.
func FuzzReadDemand(f *testing.F) {
	f.Add([]byte(realList))
	f.Add([]byte(`{"time":"2026-11-11T12:00:00Z","items":[null,{"metadata":null,"samples":[null,{"rule":1}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readDemand(bytes.NewReader(body))
		if err == nil && list.Time.IsZero() {
			t.Fatal("a list without a time")
		}
		if err != nil {
			return
		}
		w := &watched{from: list.Time, newest: map[string]time.Time{}}
		for i := range list.Items {
			w.isNews(list.samples(list.Items[i].Metadata.Name))
		}
		_ = fmt.Sprint(list)
	})
}
