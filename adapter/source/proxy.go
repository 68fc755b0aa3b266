// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httputil"
)

// API implements Source: it passes the read-only endpoints on to the remote API.
func (r *Remote) API() http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport:    r.client.Transport,
		Rewrite:      r.rewrite,
		ErrorHandler: r.proxyError,
		ModifyResponse: func(a *http.Response) error {
			a.Header.Del("Set-Cookie")
			a.Header.Del("Www-Authenticate")
			if a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden || (a.StatusCode >= 300 && a.StatusCode < 400) {
				return statusError(a) // our credentials' problem, not the caller's
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, ok := Endpoint(req.URL.Path); !ok || (req.Method != http.MethodGet && req.Method != http.MethodPost) {
			http.NotFound(w, req)
			return
		}
		proxy.ServeHTTP(w, req)
	})
}

// rewrite sends nothing of the caller but the query: no credentials, cookies or impersonation.
func (r *Remote) rewrite(p *httputil.ProxyRequest) {
	header := http.Header{}
	for _, name := range []string{"Content-Type", "Accept", "Accept-Encoding"} {
		if v := p.In.Header.Values(name); len(v) > 0 {
			header[name] = v
		}
	}
	p.Out.Header = header
	p.Out.URL = r.endpoint(p.In.URL.Path)
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.Host = ""
}

func (r *Remote) proxyError(w http.ResponseWriter, req *http.Request, err error) {
	err = r.naming.failed(req.Context(), err)
	code, kind := http.StatusBadGateway, "unavailable"
	if errors.Is(err, ErrTimeout) {
		code, kind = http.StatusGatewayTimeout, "timeout"
	}
	WriteError(w, code, kind, err.Error())
}

// WriteError answers with an error in the form of Prometheus' API.
func WriteError(w http.ResponseWriter, code int, errorType, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A failure to write means that the caller is gone.
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": errorType, "error": message})
}
