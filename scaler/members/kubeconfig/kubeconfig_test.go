// SPDX-License-Identifier: Apache-2.0

package kubeconfig_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"

	"github.com/plimsoll/plimsoll/scaler/members/kubeconfig"
)

func secret(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fleet", Name: "eu-west"}, Data: map[string][]byte{}}
	for key, text := range data {
		s.Data[key] = []byte(text)
	}
	return s
}

// document is a kubeconfig with the lines of its current cluster and user.
func document(cluster, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: main
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: main, context: {cluster: main, user: main, namespace: somewhere}}
clusters:
- {name: other, cluster: {server: "http://elsewhere", insecure-skip-tls-verify: true}}
- name: main
  cluster: {%s}
users:
- {name: other, user: {exec: {command: /bin/false, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}}
- name: main
  user: {%s}
`, cluster, user)
}

const (
	server = `server: "https://member:6443"`
	token  = `token: canary`
)

func TestKeys(t *testing.T) {
	text := func(host string) string { return document(`server: "https://`+host+`"`, token) }
	for _, test := range []struct {
		name string
		data map[string]string
		key  string
		host string // or the error
	}{
		{"named", map[string]string{"kubeconfig": text("a"), "mine": text("b")}, "mine", "https://b"},
		{"multicluster-runtime first", map[string]string{"Config": text("c"), "value": text("b"), "kubeconfig": text("a")}, "", "https://a"},
		{"then Cluster API", map[string]string{"Config": text("c"), "value": text("b")}, "", "https://b"},
		{"then cluster inventory", map[string]string{"Config": text("c"), "more": text("b")}, "", "https://c"},
		{"the named one only", map[string]string{"kubeconfig": text("a")}, "mine", `there is no key "mine" in Secret fleet/eu-west: add it, or name the key that has the kubeconfig`},
		{"none", map[string]string{"token": "canary"}, "", `there is none of the keys kubeconfig, value, Config in Secret fleet/eu-west: name the key that has the kubeconfig`},
		{"empty", map[string]string{"kubeconfig": "", "value": text("b")}, "", `key "kubeconfig" of Secret fleet/eu-west is empty: put a kubeconfig into it`},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, err := kubeconfig.Parse(secret(test.data), test.key)
			if !strings.HasPrefix(test.host, "https:") {
				require.EqualError(t, err, test.host)
				require.Empty(t, kubeconfig.Hash(secret(test.data), test.key))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.host, config.Host)
			require.NotEmpty(t, kubeconfig.Hash(secret(test.data), test.key))
		})
	}
	_, err := kubeconfig.Parse(nil, "")
	require.EqualError(t, err, "there is no Secret with a kubeconfig: name one that exists")
}

// The hash changes with the kubeconfig, and with nothing else of the Secret.
func TestHash(t *testing.T) {
	before := kubeconfig.Hash(secret(map[string]string{"value": document(server, token)}), "")
	require.Equal(t, before, kubeconfig.Hash(secret(map[string]string{"value": document(server, token), "more": "x"}), "value"))
	require.NotEqual(t, before, kubeconfig.Hash(secret(map[string]string{"value": document(server, token+"2")}), ""))
}

func certificate(t testing.TB) (cert, key []byte) {
	t.Helper()
	cert, key, err := certutil.GenerateSelfSignedCertKey("member", nil, nil)
	require.NoError(t, err)
	return cert, key
}

func field(name string, data []byte) string {
	return name + ": " + base64.StdEncoding.EncodeToString(data)
}

func TestWhatIsAccepted(t *testing.T) {
	cert, key := certificate(t)
	pair := field("client-certificate-data", cert) + ", " + field("client-key-data", key)
	proxied := func(proxy string) string { return server + `, proxy-url: "` + proxy + `"` }
	for name, test := range map[string]struct {
		cluster, user string
		want          rest.Config
	}{
		"token":                   {server, token, rest.Config{Host: "https://member:6443", BearerToken: "canary"}},
		"password":                {server, `username: me, password: "can ary"`, rest.Config{Host: "https://member:6443", Username: "me", Password: "can ary"}},
		"certificate":             {server, pair, rest.Config{Host: "https://member:6443", TLSClientConfig: rest.TLSClientConfig{CertData: cert, KeyData: key}}},
		"certificate and token":   {server, pair + ", " + token, rest.Config{Host: "https://member:6443", BearerToken: "canary", TLSClientConfig: rest.TLSClientConfig{CertData: cert, KeyData: key}}},
		"CA and name":             {server + ", " + field("certificate-authority-data", cert) + ", tls-server-name: kubernetes", token, rest.Config{Host: "https://member:6443", BearerToken: "canary", TLSClientConfig: rest.TLSClientConfig{CAData: cert, ServerName: "kubernetes"}}},
		"a path":                  {`server: "https://rancher/k8s/clusters/c-1/"`, token, rest.Config{Host: "https://rancher/k8s/clusters/c-1", BearerToken: "canary"}},
		"an address":              {`server: "HTTPS://[::1]:6443"`, token, rest.Config{Host: "https://[::1]:6443", BearerToken: "canary"}},
		"without compression":     {server + ", disable-compression: true", token, rest.Config{Host: "https://member:6443", BearerToken: "canary", DisableCompression: true}},
		"insecure is stated away": {server + ", insecure-skip-tls-verify: false", token, rest.Config{Host: "https://member:6443", BearerToken: "canary"}},
	} {
		config, err := kubeconfig.Parse(secret(map[string]string{"value": document(test.cluster, test.user)}), "")
		require.NoError(t, err, name)
		require.Equal(t, &test.want, config, name)
	}
	for _, proxy := range []string{"http://proxy:3128", "https://me:canary@proxy", "socks5://proxy:1080"} {
		config, err := kubeconfig.Parse(secret(map[string]string{"value": document(proxied(proxy), token)}), "")
		require.NoError(t, err)
		through, err := config.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "member"}})
		require.NoError(t, err)
		require.Equal(t, proxy, through.String())
	}
}

func TestWhatIsRefused(t *testing.T) {
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	certField, keyField := field("client-certificate-data", cert), field("client-key-data", key)
	for name, test := range map[string]struct{ cluster, user, want string }{
		"exec":          {server, token + ", exec: {command: canary, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}", "has exec, which would run a program in the hub: use a token or a client certificate"},
		"auth-provider": {server, token + ", auth-provider: {name: canary}", "has auth-provider, which client-go no longer has: use a token or a client certificate"},
		"tokenFile":     {server, token + ", tokenFile: /canary", "has tokenFile, which would read a file of the hub: put it in token"},
		"certificate":   {server, token + ", client-certificate: /canary", "has client-certificate, which would read a file of the hub: put it in client-certificate-data"},
		"key":           {server, token + ", client-key: /canary", "has client-key, which would read a file of the hub: put it in client-key-data"},
		"CA":            {server + ", certificate-authority: /canary", token, "has certificate-authority, which would read a file of the hub: put it in certificate-authority-data"},
		"insecure":      {server + ", insecure-skip-tls-verify: true", token, "has insecure-skip-tls-verify, with which anybody could be the server: put its CA in certificate-authority-data"},
		"as":            {server, token + ", as: canary", "has as, and Plimsoll acts as nobody else: use a credential of its own"},
		"as-uid":        {server, token + ", as-uid: canary", "has as-uid, and Plimsoll acts as nobody else: use a credential of its own"},
		"as-groups":     {server, token + ", as-groups: [canary]", "has as-groups, and Plimsoll acts as nobody else: use a credential of its own"},
		"as-user-extra": {server, token + ", as-user-extra: {canary: [canary]}", "has as-user-extra, and Plimsoll acts as nobody else: use a credential of its own"},

		"no server":       {"tls-server-name: canary", token, "has no server: add its https URL"},
		"http":            {`server: "http://canary"`, token, "has a server that is no https URL: without TLS anybody on the way could read the credential"},
		"no scheme":       {`server: "canary:6443"`, token, "has a server that is no https URL: without TLS anybody on the way could read the credential"},
		"no host":         {`server: "https://:6443/canary"`, token, "has a server that is no https URL: without TLS anybody on the way could read the credential"},
		"nonsense":        {`server: "https://can ary:x"`, token, "has a server that is no https URL: without TLS anybody on the way could read the credential"},
		"opaque":          {`server: "https:canary"`, token, "has a server that is no https URL: without TLS anybody on the way could read the credential"},
		"user in server":  {`server: "https://me:canary@host"`, token, "has a server with a user, a query or a fragment in its URL: leave only host, port and path"},
		"query in server": {`server: "https://host/?canary"`, token, "has a server with a user, a query or a fragment in its URL: leave only host, port and path"},
		"CA of nothing":   {server + ", " + field("certificate-authority-data", []byte("canary")), token, "has certificate-authority-data without a certificate in PEM: encode the PEM file in base64, once"},
		"proxy":           {server + `, proxy-url: "ftp://me:canary@proxy"`, token, "has a proxy-url that is no http, https or socks5 URL: correct it"},
		"broken proxy":    {server + `, proxy-url: "http://me:can%ary@proxy"`, token, "has a proxy-url that is no http, https or socks5 URL: correct it"},

		"nobody":            {server, "", "has no credential: add a token or a client certificate"},
		"certificate alone": {server, certField, "has only one of client-certificate-data and client-key-data: add the other"},
		"key alone":         {server, token + ", " + keyField, "has only one of client-certificate-data and client-key-data: add the other"},
		"two credentials":   {server, token + ", username: canary", "has a token and a user name or password: leave one of them"},
		"line break":        {server, `token: "canary\n"`, "has a token with a space, a line break or another character that tokens do not have: remove it"},
		"another's key":     {server, certField + ", " + field("client-key-data", otherKey), "has client-certificate-data and client-key-data that are not PEM or do not belong together: encode the PEM files in base64, once"},
	} {
		_, err := kubeconfig.Parse(secret(map[string]string{"value": document(test.cluster, test.user)}), "")
		require.EqualError(t, err, `the kubeconfig in key "value" of Secret fleet/eu-west `+test.want, name)
	}
	for text, want := range map[string]string{
		"canary":                       "cannot be read: try it with kubectl --kubeconfig",
		"a: b\ncanary: [\n":            "cannot be read near line 2: try it with kubectl --kubeconfig",
		"kind: Canary\napiVersion: v1": "cannot be read: try it with kubectl --kubeconfig",
		"{}":                           "has no current-context: set it",
		"current-context: canary":      "has a current-context that is none of its contexts: correct it",
		"current-context: ''\ncontexts: [{name: canary, context: {}}]":                                  "has no current-context: set it",
		"current-context: canary\ncontexts: [{name: canary, context: {cluster: canary, user: canary}}]": "has a current context whose cluster or user is not in it: correct it",
		// what clientcmd says of this has all users in it
		"users: [{name: canary, user: {token: canary}}, {name: canary, user: {token: canary}}]": "cannot be read: try it with kubectl --kubeconfig",
	} {
		_, err := kubeconfig.Parse(secret(map[string]string{"value": text}), "")
		require.EqualError(t, err, `the kubeconfig in key "value" of Secret fleet/eu-west `+want, text)
	}
}

// What was parsed reaches a real server, as whom it says.
func TestReachesAServer(t *testing.T) {
	member := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+r.URL.Path)
	}))
	defer member.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: member.Certificate().Raw})
	text := document(fmt.Sprintf("server: %q, %s", member.URL+"/base/", field("certificate-authority-data", ca)), token)
	config, err := kubeconfig.Parse(secret(map[string]string{"kubeconfig": text}), "")
	require.NoError(t, err)
	client, err := kubeconfig.Client(config)
	require.NoError(t, err)
	answer, err := client.Get(config.Host + "/readyz")
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "Bearer canary /base/readyz", string(body))
}

// A redirect is an answer, and the credential goes nowhere else.
func TestFollowsNoRedirect(t *testing.T) {
	reached := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer thief.Close()
	member := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer member.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: member.Certificate().Raw})
	text := document(fmt.Sprintf("server: %q, %s", member.URL, field("certificate-authority-data", ca)), token)
	config, err := kubeconfig.Parse(secret(map[string]string{"kubeconfig": text}), "")
	require.NoError(t, err)
	client, err := kubeconfig.Client(config)
	require.NoError(t, err)
	answer, err := client.Get(config.Host + "/api")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
	require.False(t, reached)
}

// Whatever is in a Secret: no panic, nothing of it in an error, and nothing unsafe in a configuration.
func FuzzParse(f *testing.F) {
	cert, key := certificate(f)
	for _, text := range []string{
		document(server, token), document(server, field("client-certificate-data", cert)+", "+field("client-key-data", key)),
		document(server+", "+field("certificate-authority-data", cert), token), document(server, "exec: {command: canary}"),
		document(`server: "https://me:canary@host/?a#b", proxy-url: "socks5://canary"`, token), "canary", "{}", "kind: Config", "a: &a [*a]",
		"users: [null]\ncontexts: [null]\nclusters: [null]\ncurrent-context: ''", `{"current-context":"a","contexts":[{"name":"a"}],"clusters":[{}],"users":[{}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := secret(nil)
		s.Data["value"] = text
		config, err := kubeconfig.Parse(s, "")
		if err != nil {
			require.NotContains(t, err.Error(), "canary")
			require.Contains(t, err.Error(), "fleet/eu-west")
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.True(t, strings.HasPrefix(config.Host, "https://"), config.Host)
		require.Empty(t, config.CAFile+config.CertFile+config.KeyFile+config.BearerTokenFile)
		require.False(t, config.Insecure)
		require.Nil(t, config.ExecProvider)
		require.Nil(t, config.AuthProvider)
		require.Empty(t, config.Impersonate)
		_, err = rest.TLSConfigFor(config)
		require.NoError(t, err)
	})
}
