// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/config"
)

// DefaultTimeout bounds one evaluation by a remote source if Options.Timeout is 0.
const DefaultTimeout = 10 * time.Second

// Options say how a Prometheus-compatible HTTP API is reached. Files are read again when they change. The server's
// certificate is always verified.
type Options struct {
	URL        string // what comes before /api/v1, such as https://prometheus.monitoring:9090/prefix
	CAFile     string // PEM; empty: the system's
	CertFile   string // PEM, with KeyFile: the client certificate
	KeyFile    string
	ServerName string // expected in the server's certificate, if it is not the URL's host

	BearerTokenFile string
	Username        string // basic authentication; or UsernameFile
	UsernameFile    string
	PasswordFile    string
	// Inline are credentials that are in no file.
	Inline Inline
	// Headers are sent with every request, such as X-Scope-OrgID.
	Headers map[string]HeaderValue

	// Name is what the source is called in place of its URL; "": by the URL. With a name no error tells the address, save by
	// Detail.
	Name string

	Timeout  time.Duration // of one evaluation; 0: DefaultTimeout
	MaxBytes int64         // of one answer, uncompressed; 0: 256 MiB
}

// Inline are credentials as they are, each in place of the file of the same kind. A source that is opened with them is opened
// anew when they change.
type Inline struct {
	CA, Cert, Key         string // PEM
	BearerToken, Password string
}

// HeaderValue is the value of a header, or a file that holds it.
type HeaderValue struct{ Value, File string }

// base checks the URL and returns it parsed. No error repeats the URL: it may hold a password.
func (o Options) base() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, errors.New("the source's URL is not a URL")
	case u.User != nil:
		return nil, errors.New("the source's URL holds a user name or password; put them into files (username and password file, or a bearer token file)")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the source's URL holds a query or fragment (the part after ? or #); leave it out, and put credentials into files")
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, errors.New("the source's URL must begin with http:// or https:// and name a host")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// client is Prometheus' own HTTP client, which reads credential files anew: it follows no redirects, so that
// credentials go to the URL's host only.
func (o Options) client() (*http.Client, error) {
	c := config.HTTPClientConfig{
		TLSConfig: config.TLSConfig{
			CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile,
			CA: o.Inline.CA, Cert: o.Inline.Cert, Key: config.Secret(o.Inline.Key),
			ServerName: o.ServerName, MinVersion: config.TLSVersions["TLS12"],
		},
		EnableHTTP2:     true,
		FollowRedirects: false,
	}
	if o.BearerTokenFile != "" || o.Inline.BearerToken != "" {
		c.Authorization = &config.Authorization{CredentialsFile: o.BearerTokenFile, Credentials: config.Secret(o.Inline.BearerToken)}
	}
	if o.Username != "" || o.UsernameFile != "" || o.PasswordFile != "" || o.Inline.Password != "" {
		c.BasicAuth = &config.BasicAuth{
			Username: o.Username, UsernameFile: o.UsernameFile, PasswordFile: o.PasswordFile, Password: config.Secret(o.Inline.Password),
		}
	}
	if len(o.Headers) > 0 {
		c.HTTPHeaders = o.headers()
		if err := c.HTTPHeaders.Validate(); err != nil {
			return nil, fmt.Errorf("the source's headers: %w", err)
		}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("the source's credentials: %w", err)
	}
	client, err := config.NewClientFromConfig(c, "plimsoll", config.WithUserAgent("plimsoll-adapter"))
	if err != nil {
		return nil, fmt.Errorf("the source's credentials: %w", err)
	}
	return client, nil
}

func (o Options) headers() *config.Headers {
	h := &config.Headers{Headers: make(map[string]config.Header, len(o.Headers))}
	for name, v := range o.Headers {
		if v.File != "" {
			h.Headers[name] = config.Header{Files: []string{v.File}}
		} else {
			h.Headers[name] = config.Header{Secrets: []config.Secret{config.Secret(v.Value)}}
		}
	}
	return h
}
