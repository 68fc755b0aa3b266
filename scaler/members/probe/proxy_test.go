// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/health"
)

func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	server := serve(t, ca.issue(nil), answering(200, "ok"), nil)
	for name, test := range map[string]struct {
		status int
		cause  health.Cause
		want   string
	}{
		"refuses us":           {407, health.Unauthorized, "the proxy answers 407 Proxy Authentication Required to a connection to %s: renew the proxy's credential, or let it through"},
		"does not let through": {403, health.Unauthorized, "the proxy answers 403 Forbidden to a connection to %s: renew the proxy's credential, or let it through"},
		"does not reach it":    {502, health.Unreachable, "the proxy answers 502 Bad Gateway to a connection to %s"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(answering(test.status, ""))
			defer proxy.Close()
			config := configFor(server.URL, ca)
			config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
			result := ask(t, config, long)
			require.Equal(t, test.cause, result.Cause, result.Message)
			require.Equal(t, fmt.Sprintf(test.want, host(t, server.URL)), result.Message)
		})
	}
	hangUp := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	config := configFor(server.URL, ca)
	config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(strings.Replace(hangUp, "https:", "http:", 1)) }
	result := ask(t, config, long)
	require.Equal(t, health.Unreachable, result.Cause)
	require.Equal(t, "the connection to "+host(t, server.URL)+" was reset or closed before there was an answer", result.Message)
	for _, scheme := range []string{"http", "https", "socks5"} {
		config := configFor(server.URL, ca)
		config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(scheme + "://me:canary@127.0.0.1:1") }
		result := ask(t, config, long)
		require.Equal(t, health.Unreachable, result.Cause)
		require.Equal(t, "no connection to "+host(t, server.URL)+" through its proxy: connection refused", result.Message)
	}
}

func TestSocks(t *testing.T) {
	for name, test := range map[string]struct {
		method, answer []byte // of SOCKS 5
		cause          health.Cause
		want           string
	}{
		"does not reach it": {[]byte{5, 0}, []byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}, health.Unreachable, "no connection to member:6443 through its proxy"},
		"refuses us":        {[]byte{5, 2}, []byte{1, 1}, health.Unauthorized, "no connection to member:6443 through its proxy, which refuses the credential in proxy-url: renew it"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := listen(t, func(c net.Conn) {
				buffer := make([]byte, 1<<10)
				for _, text := range [][]byte{test.method, test.answer} {
					_, _ = c.Read(buffer)
					_, _ = c.Write(text)
				}
				_, _ = io.Copy(io.Discard, c)
			})
			config := configFor("https://member:6443", nil)
			config.Proxy = func(*http.Request) (*url.URL, error) {
				return url.Parse(strings.Replace(proxy, "https://", "socks5://me:canary@", 1))
			}
			result := ask(t, config, long)
			require.Equal(t, test.cause, result.Cause, result.Message)
			require.Equal(t, test.want, result.Message)
		})
	}
}
