// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// What Plimsoll's own adapter answers through a kube-apiserver, recorded.
const orders = `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[` +
	`{"metricName":"orders","metricLabels":{"tier":"gold","queue":"a"},"timestamp":"2026-11-11T12:00:05Z","value":"1500m"},` +
	`{"metricName":"orders","metricLabels":{},"timestamp":"2026-11-11T12:00:01Z","value":"42"}]}` + "\n"

// got is one value as it comes.
type got struct {
	value  float64
	labels []source.Label
	at     time.Time
}

func collect(ctx context.Context, x *source.External) ([]got, error) {
	var all []got
	err := x.Values(ctx, "shop", "orders", func(s source.Sample, at time.Time) error {
		all = append(all, got{s.Value, s.Labels, at.UTC()})
		return nil
	})
	return all, err
}

func externalOf(t *testing.T, o source.Options) *source.External {
	t.Helper()
	x, err := source.NewExternal(o)
	require.NoError(t, err)
	return x
}

// apiServer answers over TLS those who have a token or a certificate.
func apiServer(t *testing.T, clients *x509.CertPool, answer http.HandlerFunc) (url, ca string) {
	t.Helper()
	served, authority, _ := pair(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame" && len(r.TLS.PeerCertificates) == 0 {
			http.Error(w, `{"kind":"Status","message":"Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{served}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, string(authority)
}

func TestExternalValuesHaveTheTimesOfTheAnswer(t *testing.T) {
	who, cert, key := pair(t)
	clients := x509.NewCertPool()
	clients.AddCert(who.Leaf)
	url, ca := apiServer(t, clients, func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.RequestURI != "GET /prefix/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/orders" || r.Header.Get("Accept") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte(orders))
	})
	want := []got{
		{1.5, []source.Label{{Name: "queue", Value: "a"}, {Name: "tier", Value: "gold"}}, time.Date(2026, 11, 11, 12, 0, 5, 0, time.UTC)},
		{42, nil, time.Date(2026, 11, 11, 12, 0, 1, 0, time.UTC)},
	}
	for name, inline := range map[string]source.Inline{
		"token":       {CA: ca, BearerToken: "sesame"},
		"certificate": {CA: ca, Cert: string(cert), Key: string(key)},
	} {
		all, err := collect(t.Context(), externalOf(t, source.Options{URL: url + "/prefix/", Inline: inline}))
		require.NoError(t, err, name)
		require.Equal(t, want, all, name)
	}
	stop := errors.New("stop")
	x := externalOf(t, source.Options{URL: url + "/prefix", Inline: source.Inline{CA: ca, BearerToken: "sesame"}})
	require.Equal(t, "external metrics of "+url+"/prefix", x.Name())
	require.ErrorIs(t, x.Values(t.Context(), "shop", "orders", func(source.Sample, time.Time) error { return stop }), stop)

	_, err := collect(t.Context(), externalOf(t, source.Options{URL: url, Inline: source.Inline{CA: ca, BearerToken: "wrong"}}))
	require.ErrorIs(t, err, source.ErrUnreachable)
	require.ErrorContains(t, err, "renew it")
	require.NotContains(t, err.Error(), "wrong")
	_, err = collect(t.Context(), externalOf(t, source.Options{URL: url, Inline: source.Inline{BearerToken: "sesame"}}))
	require.ErrorContains(t, err, "certificate cannot be verified")
	for _, url := range []string{"http://paris:6443", "https://user:password@paris", "https://paris?token=x", "ftp://paris", ""} {
		_, err := source.NewExternal(source.Options{URL: url})
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "password@")
	}
}

func TestExternalAnswersThatAreNone(t *testing.T) {
	item := func(text string) string { return `{"kind":"ExternalMetricValueList","items":[` + text + `]}` }
	for name, test := range map[string]struct {
		status int
		body   string
		is     error
		says   string
	}{
		"no values":             {200, item(""), source.ErrPartial, "there is no value of orders in namespace shop there"},
		"no list of values":     {200, `{"kind":"ExternalMetricValueList"}`, source.ErrPartial, "no value of orders"},
		"a number":              {200, item(`{"timestamp":"2026-11-11T12:00:05Z","value":7}`), nil, ""},
		"not allowed":           {403, `{"kind":"Status","message":"forbidden"}`, source.ErrUnreachable, "may not list orders of external.metrics.k8s.io in namespace shop"},
		"no metric":             {404, `{"kind":"Status","message":"no MetricRule defines it"}`, source.ErrRefused, "no external metric orders in namespace shop there: \"no MetricRule defines it\""},
		"no adapter":            {404, "404 page not found", source.ErrRefused, "404 page not found"},
		"an adapter that fails": {503, "error trying to reach service", source.ErrBroken, "error trying to reach service"},
		"stale there":           {500, `{"kind":"Status","message":"the value is stale"}`, source.ErrBroken, "the value is stale"},
		"another address":       {302, "", source.ErrUnreachable, "redirects"},
		"bad selector":          {400, `{"kind":"Status","message":"bad"}`, source.ErrRefused, "bad"},
		"not JSON":              {200, "<html>", source.ErrBadAnswer, "not a list"},
		"something else":        {200, `{"kind":"PodList","items":[]}`, source.ErrBadAnswer, "PodList"},
		"without a time":        {200, item(`{"timestamp":null,"value":"1"}`), source.ErrBadAnswer, "does not say when"},
		"a time that is none":   {200, item(`{"timestamp":"yesterday","value":"1"}`), source.ErrBadAnswer, "not a list"},
		"no value":              {200, item(`{"timestamp":"2026-11-11T12:00:05Z"}`), source.ErrBadAnswer, "no quantity"},
		"a word":                {200, item(`{"timestamp":"2026-11-11T12:00:05Z","value":"many"}`), source.ErrBadAnswer, "no quantity"},
		"not a number":          {200, item(`{"timestamp":"2026-11-11T12:00:05Z","value":"NaN"}`), source.ErrBadAnswer, "no quantity"},
		"a long one":            {200, item(`{"timestamp":"2026-11-11T12:00:05Z","value":"` + strings.Repeat("9", 1000) + `"}`), source.ErrBadAnswer, "reasonable size"},
		"a huge one":            {200, item(`{"timestamp":"2026-11-11T12:00:05Z","value":"1e999999999"}`), source.ErrBadAnswer, "reasonable size"},
		"a broken one":          {200, orders[:len(orders)-20], source.ErrBadAnswer, "not a list"},
		"too large":             {200, item(`{"metricName":"` + strings.Repeat("x", 1<<20) + `"}`), source.ErrBadAnswer, "larger than 100000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			url, ca := apiServer(t, nil, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := collect(t.Context(), externalOf(t, source.Options{URL: url, MaxBytes: 100_000, Inline: source.Inline{CA: ca, BearerToken: "sesame"}}))
			if test.is == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, url)
		})
	}
}

func TestExternalEndsInTime(t *testing.T) {
	let := make(chan struct{})
	url, ca := apiServer(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	defer close(let)
	x := externalOf(t, source.Options{URL: url, Timeout: 50 * time.Millisecond, Inline: source.Inline{CA: ca, BearerToken: "sesame"}})
	_, err := collect(t.Context(), x)
	require.ErrorIs(t, err, source.ErrTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = collect(ctx, x)
	require.ErrorIs(t, err, context.Canceled)
}
