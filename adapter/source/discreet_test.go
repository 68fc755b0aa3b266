// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// asked is what a source that has a name of its own says of an answer, and the same by Detail.
func asked(t *testing.T, o source.Options) map[string]error {
	t.Helper()
	o.Name = "the source of member paris"
	r, err := source.NewRemote(o)
	require.NoError(t, err)
	x, err := source.NewExternal(o)
	require.NoError(t, err)
	require.Equal(t, []string{o.Name, o.Name}, []string{r.Name(), x.Name()})
	_, failed := collect(t.Context(), x)
	return map[string]error{
		"external": failed,
		"remote":   r.Instant(t.Context(), source.Query{Expr: "up", Time: time.Now()}, func(source.Sample) error { return nil }),
	}
}

// Whatever fails, a source with a name of its own does not say where it is, save to those who ask for the detail.
func TestNamedSourceTellsNoAddress(t *testing.T) {
	const words = `Get \"https://prometheus.paris.internal:9090/api\": dial tcp: lookup prometheus.paris.internal on 10.96.0.10:53: no such host, nor [fd00::7]:443`
	_, authority, _ := pair(t)
	inline := source.Inline{CA: string(authority), BearerToken: "sesame"}
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		status int // 0: there is no server
		body   string
		says   string
		detail string
	}{
		"refused connection": {0, "", "connection refused", "127.0.0.1"},
		"its words":          {500, `{"kind":"Status","message":"` + words + `"}`, "no such host", "10.96.0.10:53"},
		"Prometheus' words":  {500, `{"status":"error","errorType":"internal","error":"` + words + `"}`, "no such host", "prometheus.paris.internal:9090"},
		"no JSON":            {502, `dial tcp 10.1.2.3:9443: connect: no route to host`, "no route to host", "10.1.2.3"},
		"no answer to read":  {200, `{"kind":"https://prometheus.paris.internal","status":"x"}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			to := gone.URL
			if test.status != 0 {
				var ca string
				to, ca = apiServer(t, nil, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.body))
				})
				inline.CA = ca
			}
			u, err := url.Parse(to)
			require.NoError(t, err)
			for kind, err := range asked(t, source.Options{URL: to, Inline: inline}) {
				require.Error(t, err, kind)
				for _, secret := range []string{u.Host, u.Hostname(), "10.", "paris.internal", "fd00"} {
					require.NotContains(t, err.Error(), secret, kind)
				}
				require.Contains(t, err.Error(), "the source of member paris", kind)
				require.Contains(t, err.Error(), test.says, kind)
				require.Contains(t, source.Detail(err), test.detail, kind)
			}
		})
	}
}

// A certificate of other names lists them.
func TestNamedSourceTellsNoNamesOfCertificates(t *testing.T) {
	to, ca := apiServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(to)
	require.NoError(t, err)
	for kind, err := range asked(t, source.Options{URL: to, ServerName: "prometheus.paris.internal", Inline: source.Inline{CA: ca}}) {
		require.ErrorIs(t, err, source.ErrUnreachable, kind)
		require.Equal(t, "the source cannot be reached: the source of member paris: its certificate is for another name than that in its URL", err.Error(), kind)
		require.Contains(t, source.Detail(err), "prometheus.paris.internal", kind)
		require.NotContains(t, err.Error(), u.Hostname(), kind)
	}
}

// The hub's own source goes by its URL.
func TestUnnamedSourceTellsItsURL(t *testing.T) {
	r, err := source.NewRemote(source.Options{URL: "https://prometheus.monitoring:9090/prefix/"})
	require.NoError(t, err)
	require.Equal(t, "https://prometheus.monitoring:9090/prefix", r.Name())
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r, err = source.NewRemote(source.Options{URL: gone.URL})
	require.NoError(t, err)
	err = r.Instant(t.Context(), source.Query{Expr: "up", Time: time.Now()}, func(source.Sample) error { return nil })
	require.ErrorContains(t, err, gone.URL)
	require.Equal(t, err.Error(), source.Detail(err))
	require.Equal(t, "else", source.Detail(errors.New("else")))
}
