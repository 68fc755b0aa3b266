// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

const one = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1,"2"]}]}}`

// answering serves the same to every request.
func answering(t *testing.T, code int, body string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func evaluate(t *testing.T, s source.Source) error {
	_, err := sourcetest.Collect(t.Context(), s, source.Query{Expr: "up", Time: time.Unix(1, 0), Lookback: time.Minute})
	return err
}

func TestFaultsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		code  int
		body  string
		cause error
		text  string
	}{
		"500 of a proxy":       {500, "<html>boom</html>", source.ErrBroken, "boom"},
		"503 of Prometheus":    {503, `{"status":"error","errorType":"unavailable","error":"TSDB not ready"}`, source.ErrBroken, "TSDB not ready"},
		"timeout there":        {503, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`, source.ErrTimeout, "query timed out"},
		"422":                  {422, `{"status":"error","errorType":"execution","error":"too many samples"}`, source.ErrRefused, "too many samples"},
		"400 of another kind":  {400, "no", source.ErrRefused, "no"},
		"429":                  {429, "slow down", source.ErrBroken, "slow down"},
		"credentials":          {401, "", source.ErrUnreachable, "credentials"},
		"wrong path":           {404, "404 page not found", source.ErrUnreachable, "/api/v1"},
		"login page":           {200, "<html>login</html>", source.ErrBadAnswer, "'<'"},
		"truncated":            {200, one[:60], source.ErrBadAnswer, "ends after 60 bytes"},
		"partial":              {200, `{"warnings":["store gateway 3 is down"],` + one[1:], source.ErrPartial, "store gateway 3"},
		"moved":                {302, "", source.ErrUnreachable, "redirects"},
		"too large":            {200, one + strings.Repeat(" ", 3000), source.ErrTooManySeries, "larger"},
		"200 but wrong answer": {200, `{"status":"success","data":{}}`, source.ErrBadAnswer, "no result"},
	} {
		t.Run(name, func(t *testing.T) {
			url := answering(t, c.code, c.body)
			err := evaluate(t, remote(t, source.Options{URL: url, MaxBytes: 2000}))
			require.ErrorIs(t, err, c.cause)
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, url)
		})
	}
}

func TestDownIsUnreachable(t *testing.T) {
	err := evaluate(t, remote(t, source.Options{URL: "http://127.0.0.1:1"}))
	require.ErrorIs(t, err, source.ErrUnreachable)
	require.ErrorContains(t, err, "connection refused")
}

// TestSlowIsATimeout: a source that hangs before, or within, its answer is left at the deadline.
func TestSlowIsATimeout(t *testing.T) {
	for _, sent := range []string{"", one[:60]} {
		hang := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if sent != "" {
				_, _ = w.Write([]byte(sent))
				_ = http.NewResponseController(w).Flush()
			}
			<-hang
		}))
		err := evaluate(t, remote(t, source.Options{URL: server.URL, Timeout: 50 * time.Millisecond}))
		close(hang)
		server.Close()
		require.ErrorIs(t, err, source.ErrTimeout)
	}
}

func TestConnectionCutWithinTheAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(one)))
		_, _ = w.Write([]byte(one[:len(one)-10]))
	}))
	t.Cleanup(server.Close)
	require.ErrorIs(t, evaluate(t, remote(t, source.Options{URL: server.URL})), source.ErrBadAnswer)
}

// TestDeadlineIsSent: the source stops when nobody waits any more.
func TestDeadlineIsSent(t *testing.T) {
	form := make(chan map[string][]string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form <- r.PostForm
		_, _ = w.Write([]byte(one))
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	_, err := sourcetest.Collect(ctx, remote(t, source.Options{URL: server.URL, Timeout: 20 * time.Minute}),
		source.Query{Expr: "up", Time: time.UnixMilli(1500), Lookback: 90 * time.Second})
	require.NoError(t, err)
	got := <-form
	require.Equal(t, []string{"up"}, got["query"])
	require.Equal(t, []string{"1.500"}, got["time"])
	require.Equal(t, []string{"90"}, got["lookback_delta"])
	left, err := time.ParseDuration(got["timeout"][0] + "s")
	require.NoError(t, err)
	require.LessOrEqual(t, left, 20*time.Minute)
	require.Greater(t, left, 10*time.Minute)
}

func TestOptionsAreChecked(t *testing.T) {
	secret := "hunter2"
	for _, c := range []struct {
		o    source.Options
		text string
	}{
		{source.Options{URL: "http://me:" + secret + "@prometheus:9090"}, "files"},
		{source.Options{URL: "http://prometheus:9090?token=" + secret}, "files"},
		{source.Options{URL: "http://" + secret + ":%zz"}, "not a URL"},
		{source.Options{URL: "prometheus:9090"}, "http://"},
		{source.Options{URL: "http://p", BearerTokenFile: "a", PasswordFile: "b"}, "credentials"},
		{source.Options{URL: "http://p", CertFile: "only-this"}, "credentials"},
		{source.Options{URL: "http://p", Headers: map[string]source.HeaderValue{"Authorization": {Value: secret}}}, "Authorization"},
	} {
		_, err := source.NewRemote(c.o)
		require.ErrorContains(t, err, c.text)
		require.NotContains(t, err.Error(), secret)
	}
}

// TestCredentialsAreReadAgain: token, password and header files, without a restart.
func TestCredentialsAreReadAgain(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = w.Write([]byte(one))
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content+"\n"), 0o600)) }
	write("first")
	token := remote(t, source.Options{URL: server.URL, BearerTokenFile: file, Headers: map[string]source.HeaderValue{"X-Scope-OrgID": {Value: "team"}, "X-Key": {File: file}}})
	basic := remote(t, source.Options{URL: server.URL, Username: "me", PasswordFile: file})
	for _, secret := range []string{"first", "second"} {
		write(secret)
		require.NoError(t, evaluate(t, token))
		require.Equal(t, "Bearer "+secret, got.Get("Authorization"))
		require.Equal(t, secret, got.Get("X-Key"))
		require.Equal(t, "team", got.Get("X-Scope-Orgid"))
		require.NoError(t, evaluate(t, basic))
		_, password, _ := (&http.Request{Header: got}).BasicAuth()
		require.Equal(t, secret, password)
	}
	require.NoError(t, os.Remove(file))
	require.ErrorIs(t, evaluate(t, token), source.ErrUnreachable)
}

// TestRedirectsGetNoCredentials: the host that an answer points to is never asked.
func TestRedirectsGetNoCredentials(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked with %v", r.Header)
	}))
	t.Cleanup(thief.Close)
	server := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	r := remote(t, source.Options{URL: server.URL, Headers: map[string]source.HeaderValue{"X-Key": {Value: "hunter2"}}})
	require.ErrorIs(t, evaluate(t, r), source.ErrUnreachable)
	code, text := sourcetest.Get(t, r.API(), "/api/v1/query", nil)
	require.Equal(t, http.StatusBadGateway, code)
	require.Contains(t, text, "redirects")
}

// TestProxyPassesNoCredentials: what a caller of our API is allowed to do is not what it may do at the source.
func TestProxyPassesNoCredentials(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Set-Cookie", "session=1")
		_, _ = w.Write([]byte(one))
	}))
	t.Cleanup(server.Close)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/query?query=up", nil)
	for _, name := range []string{"Authorization", "Cookie", "X-Remote-User", "Impersonate-User", "X-Scope-OrgID", "X-Forwarded-For"} {
		request.Header.Set(name, "hunter2")
	}
	w := httptest.NewRecorder()
	remote(t, source.Options{URL: server.URL, Headers: map[string]source.HeaderValue{"X-Scope-OrgID": {Value: "ours"}}}).API().ServeHTTP(w, request)
	require.Equal(t, 200, w.Code, w.Body)
	require.Empty(t, w.Header().Get("Set-Cookie"))
	require.Equal(t, []string{"ours"}, got.Values("X-Scope-OrgID"))
	for name, values := range got {
		require.NotContains(t, values, "hunter2", name)
	}
}
