// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
)

// build makes a configuration of what was not refused. It is written out, not left to clientcmd, which would also read
// files and merge in what the process finds around it.
func build(cluster *api.Cluster, user *api.AuthInfo) (*rest.Config, error) {
	config := &rest.Config{DisableCompression: cluster.DisableCompression}
	for _, step := range []func() error{
		func() error { return setServer(config, cluster) },
		func() error { return setProxy(config, cluster.ProxyURL) },
		func() error { return setUser(config, user) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return config, nil
}

func setServer(config *rest.Config, cluster *api.Cluster) error {
	server, err := url.Parse(cluster.Server)
	switch {
	case cluster.Server == "":
		return errors.New("has no server: add its https URL")
	case err != nil || server.Scheme != "https" || server.Hostname() == "" || server.Opaque != "":
		return errors.New("has a server that is no https URL: without TLS anybody on the way could read the credential")
	case server.User != nil || server.RawQuery != "" || server.ForceQuery || server.Fragment != "":
		return errors.New("has a server with a user, a query or a fragment in its URL: leave only host, port and path")
	}
	server.Path, server.RawPath = strings.TrimRight(server.Path, "/"), ""
	config.Host = server.String()
	config.ServerName = cluster.TLSServerName
	if len(cluster.CertificateAuthorityData) > 0 {
		if !x509.NewCertPool().AppendCertsFromPEM(cluster.CertificateAuthorityData) {
			return errors.New("has certificate-authority-data without a certificate in PEM: encode the PEM file in base64, once")
		}
		config.CAData = cluster.CertificateAuthorityData
	}
	return nil
}

func setProxy(config *rest.Config, text string) error {
	if text == "" {
		return nil
	}
	proxy, err := url.Parse(text)
	if err != nil || proxy.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, proxy.Scheme) {
		return errors.New("has a proxy-url that is no http, https or socks5 URL: correct it")
	}
	config.Proxy = http.ProxyURL(proxy)
	return nil
}

func setUser(config *rest.Config, user *api.AuthInfo) error {
	certificate, key := len(user.ClientCertificateData) > 0, len(user.ClientKeyData) > 0
	basic := user.Username != "" || user.Password != ""
	switch {
	case certificate != key:
		return errors.New("has only one of client-certificate-data and client-key-data: add the other")
	case user.Token != "" && basic:
		return errors.New("has a token and a user name or password: leave one of them")
	case user.Token == "" && !basic && !certificate:
		return errors.New("has no credential: add a token or a client certificate")
	case strings.ContainsFunc(user.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("has a token with a space, a line break or another character that tokens do not have: remove it")
	}
	if certificate {
		if _, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData); err != nil {
			return errors.New("has client-certificate-data and client-key-data that are not PEM or do not belong together: encode the PEM files in base64, once")
		}
		config.CertData, config.KeyData = user.ClientCertificateData, user.ClientKeyData
	}
	config.BearerToken, config.Username, config.Password = user.Token, user.Username, user.Password
	return nil
}
