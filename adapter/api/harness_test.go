// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	prom "github.com/plimsoll/plimsoll/adapter/source"
)

// cluster is the part of an API server that the adapter's own server needs: metadata lists, watches that stay silent, and
// SubjectAccessReviews.
type cluster struct {
	*httptest.Server
	mu      sync.Mutex
	lists   map[string][]metav1.PartialObjectMetadata // by path
	reviews []authorizationv1.SubjectAccessReviewSpec
	allow   func(authorizationv1.SubjectAccessReviewSpec) bool
	broken  bool // answers reviews with 500
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{lists: map[string][]metav1.PartialObjectMetadata{}, allow: func(authorizationv1.SubjectAccessReviewSpec) bool { return true }}
	c.Server = httptest.NewServer(c)
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"):
		c.review(w, r)
	case r.URL.Query().Get("sendInitialEvents") == "true":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: 422, Reason: metav1.StatusReasonInvalid})
	case r.URL.Query().Get("watch") == "true":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		c.mu.Lock()
		items := c.lists[r.URL.Path]
		c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(metav1.PartialObjectMetadataList{
			TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: "meta.k8s.io/v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: items,
		})
	}
}

func (c *cluster) review(w http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SubjectAccessReview
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, &review)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reviews = append(c.reviews, review.Spec)
	if c.broken {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	review.Kind, review.APIVersion = "SubjectAccessReview", "authorization.k8s.io/v1"
	review.Status.Allowed = c.allow(review.Spec)
	_ = json.NewEncoder(w).Encode(review)
}

func (c *cluster) asked() []authorizationv1.SubjectAccessReviewSpec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]authorizationv1.SubjectAccessReviewSpec(nil), c.reviews...)
}

func (c *cluster) add(path string, items ...metav1.PartialObjectMetadata) {
	for i := range items {
		items[i].Kind, items[i].APIVersion = "PartialObjectMetadata", "meta.k8s.io/v1"
	}
	c.lists[path] = append(c.lists[path], items...)
}

func object(namespace, name string, labels map[string]string) metav1.PartialObjectMetadata {
	return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, ResourceVersion: "1"}}
}

func (c *cluster) kubeconfig(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\n", c.URL)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (c *cluster) objects(t testing.TB) *objects.Objects {
	client, err := metadata.NewForConfig(&rest.Config{Host: c.URL})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	x, err := objects.Start(ctx, objects.Options{Client: client, Wait: time.Minute})
	require.NoError(t, err)
	require.Eventually(t, x.HasSynced, time.Minute, time.Millisecond)
	return x
}

// frontProxy is the API server's aggregator as the adapter sees it: a client certificate, and headers that say who asks.
type frontProxy struct {
	ca     string // file
	client *http.Client
}

func newFrontProxy(t testing.TB) frontProxy {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "front-proxy"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "front-proxy-ca.crt")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	transport := &http.Transport{
		ForceAttemptHTTP2: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return frontProxy{ca: file, client: &http.Client{Transport: transport}}
}

const hpaAccount = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"

// as sets the headers by which the aggregator says who asks.
func as(r *http.Request, user string) *http.Request {
	r.Header.Set("X-Remote-User", user)
	r.Header["X-Remote-Group"] = []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}
	r.Header["X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id"] = []string{"JTI=5e6d2c3a-0000-4000-8000-000000000001"}
	return r
}

// serving is what flags would say: a port of its own, authentication by the front proxy, reviews by the cluster.
func serving(t testing.TB, c *cluster, p frontProxy) *Serving {
	s := NewServing()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.SecureServing.Listener = listener
	s.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	s.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	s.SecureServing.ServerCert.CertDirectory = t.TempDir()
	s.Authentication.RemoteKubeConfigFileOptional = true
	s.Authentication.SkipInClusterLookup = true
	s.Authentication.RequestHeader.ClientCAFile = p.ca
	s.Authorization.RemoteKubeConfigFile = c.kubeconfig(t)
	s.ShutdownDelay = 0
	// However slow the machine is, no review is late and none is asked for again.
	s.reviewTimeout = time.Minute
	s.Authorization.AllowCacheTTL, s.Authorization.DenyCacheTTL = time.Hour, time.Hour
	return s
}

// fixture is a running server with everything around it.
type fixture struct {
	*cluster
	frontProxy
	options Options
	server  *Server
	url     string
	stop    context.CancelFunc
	ended   chan error
}

func nothingWrong() error { return nil }

// newFixture prepares a server; start runs it.
func newFixture(t testing.TB, rules ...*rule.Rule) *fixture {
	f := &fixture{cluster: newCluster(t), frontProxy: newFrontProxy(t)}
	store := &snapshot.Store{}
	catalog, conflicts := snapshot.NewCatalog(rules, nil)
	require.Empty(t, conflicts)
	store.Swap(catalog)
	f.options = Options{
		Serving: serving(t, f.cluster, f.frontProxy), APIs: APIs{Custom: true, External: true, Query: true},
		Store: store, Registry: prometheus.NewRegistry(), Data: nothingWrong, Evaluation: nothingWrong,
		Query: QueryHandlers{
			Proxy: func(ns string) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprintf(w, "proxy ns=%q %s %s", ns, r.Method, r.URL.RequestURI())
				})
			},
			Explain: func(ns, metric string, w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "explain %s %s %s", ns, metric, r.URL.RawQuery)
			},
			MemberDemands: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "demands") },
		},
	}
	return f
}

func (f *fixture) start(t testing.TB) *fixture {
	f.options.Objects = f.cluster.objects(t)
	server, err := New(f.options)
	require.NoError(t, err)
	f.run(t, server)
	return f
}

func (f *fixture) run(t testing.TB, server *Server) {
	f.server = server
	var ctx context.Context
	ctx, f.stop = context.WithCancel(context.Background())
	f.ended = make(chan error, 1)
	go func() { f.ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		f.stop()
		require.NoError(t, <-f.ended)
	})
	f.url = "https://" + f.options.Serving.SecureServing.Listener.Addr().String()
	require.Eventually(t, func() bool {
		r, err := http.NewRequest(http.MethodGet, f.url+"/readyz", nil)
		require.NoError(t, err)
		answer, err := f.client.Do(r)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK || f.options.Data() != nil
	}, time.Minute, 5*time.Millisecond)
}

// The rules and values that tests share.

func podRule(namespace, metric string) *rule.Rule {
	return &rule.Rule{
		Key: rule.Key{Namespace: namespace, Name: metric}, Metric: metric, Interval: 10 * time.Second, MaxAge: time.Minute,
		Object: &rule.Object{
			Resource: schema.GroupResource{Resource: "pods"}, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod",
		},
	}
}

func objectRule(namespace, metric string, o rule.Object) *rule.Rule {
	r := podRule(namespace, metric)
	r.Object = &o
	return r
}

func externalRule(namespace, metric string) *rule.Rule {
	r := podRule(namespace, metric)
	r.Object = nil
	return r
}

// series is one result series: labels as name, value pairs.
type series struct {
	value  float64
	labels []string
}

// publish gives an entry a table whose samples are as old as age.
func (f *fixture) publish(t testing.TB, k rule.Key, age time.Duration, list ...series) {
	e := f.options.Store.Catalog().Entry(k)
	require.NotNil(t, e, k.String())
	now := time.Now()
	b := snapshot.NewBuilder(e.Rule, now.Add(-age), nil)
	for _, s := range list {
		sample := prom.Sample{Value: s.value}
		for i := 0; i < len(s.labels); i += 2 {
			sample.Labels = append(sample.Labels, prom.Label{Name: s.labels[i], Value: s.labels[i+1]})
		}
		require.NoError(t, b.Add(sample))
	}
	table, err := b.Table("test")
	require.NoError(t, err)
	e.Publish(table, snapshot.Outcome{Time: now, Source: "test"})
}

const hpaAccept = "application/vnd.kubernetes.protobuf, */*"

// reply is what a client sees.
type reply struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) get(t testing.TB, path string, header ...string) reply {
	got, err := f.tryGet(path, header...)
	require.NoError(t, err)
	return got
}

func (f *fixture) do(t testing.TB, r *http.Request, header ...string) reply {
	got, err := f.try(r, header...)
	require.NoError(t, err)
	return got
}

// tryGet and try are get and do for goroutines that are not the test's own, which must not end it.
func (f *fixture) tryGet(path string, header ...string) (reply, error) {
	r, err := http.NewRequest(http.MethodGet, f.url+path, nil)
	if err != nil {
		return reply{}, err
	}
	return f.try(as(r, hpaAccount), header...)
}

func (f *fixture) try(r *http.Request, header ...string) (reply, error) {
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, string(body)}, err
}

func readAll(t testing.TB, answer *http.Response) string {
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}
