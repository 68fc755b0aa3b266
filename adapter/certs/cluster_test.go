// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/plimsoll/plimsoll/manifests"
)

const (
	queryAPI    = "v1alpha1.query.plimsoll.dev"
	externalAPI = "v1beta1.external.metrics.k8s.io"
)

// Two replicas under the adapter's own ServiceAccount, on a real API server with the real manifests, through a whole rotation.
func TestOnCluster(t *testing.T) {
	binary, err := filepath.Abs("../../bin/localcluster")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("bin/localcluster is not there: run `make build` first")
	}
	admin := startCluster(t, binary)
	applyManifests(t, admin, "overlays/local")
	account := adapterAccount(t, admin)
	port, replicas := startReplicas(t)
	setPort(t, admin, port)
	ctx := t.Context()

	unverified(t, admin)
	t.Run("an APIService of somebody else is refused", func(t *testing.T) { testOwner(t, admin, account) })

	ready := make(chan struct{}, len(replicas))
	for _, replica := range replicas {
		stop, done := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			ended <- Run(stop, Options{
				RESTConfig: account, Service: ourService, CertDir: replica.dir,
				Secret:      types.NamespacedName{Namespace: ourService.Namespace, Name: "plimsoll-adapter-tls"},
				APIServices: []string{queryAPI, externalAPI},
				Ready:       func() { ready <- struct{}{} },
				Validity:    40 * time.Second, Propagation: 5 * time.Second, Grace: 5 * time.Second,
			})
		}()
		t.Cleanup(func() { done(); require.NoError(t, <-ended) })
	}
	for range replicas {
		<-ready
	}
	for _, replica := range replicas {
		replica.serve(t)
	}
	reader := kubernetes.NewForConfigOrDie(admin).Discovery().RESTClient()
	read := func() error {
		return reader.Get().AbsPath("/apis/query.plimsoll.dev/v1alpha1").Do(ctx).Error()
	}
	eventually(t, "the first read", func() bool { return read() == nil })

	t.Run("an APIService that was not verified is", func(t *testing.T) {
		eventually(t, "a caBundle and verified connections", func() bool {
			service, err := aggregator.NewForConfigOrDie(admin).ApiregistrationV1().APIServices().Get(ctx, queryAPI, metav1.GetOptions{})
			return err == nil && len(service.Spec.CABundle) > 0 && !service.Spec.InsecureSkipTLSVerify
		})
	})
	t.Run("a rotation loses no read", func(t *testing.T) { testRotation(t, admin, replicas, read) })
	t.Run("a lost caBundle comes back", func(t *testing.T) {
		services := aggregator.NewForConfigOrDie(admin).ApiregistrationV1().APIServices()
		_, err := services.Patch(ctx, externalAPI, types.MergePatchType, []byte(`{"spec":{"caBundle":null}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		eventually(t, "the caBundle", func() bool {
			service, err := services.Get(ctx, externalAPI, metav1.GetOptions{})
			return err == nil && len(service.Spec.CABundle) > 0
		})
	})
	t.Run("garbage is replaced", func(t *testing.T) {
		secrets := kubernetes.NewForConfigOrDie(admin).CoreV1().Secrets(ourService.Namespace)
		_, err := secrets.Patch(ctx, "plimsoll-adapter-tls", types.MergePatchType, []byte(`{"data":{"tls.crt":"eA==","ca.crt":"eA=="}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		eventually(t, "a new certificate", func() bool {
			secret, err := secrets.Get(ctx, "plimsoll-adapter-tls", metav1.GetOptions{})
			return err == nil && len(parseCertificates(secret.Data["tls.crt"])) == 1
		})
		eventually(t, "reads with the new certificate", func() bool { return read() == nil })
	})
	t.Run("no other Secret can be read", func(t *testing.T) {
		_, err := kubernetes.NewForConfigOrDie(account).CoreV1().Secrets(ourService.Namespace).Get(ctx, "another", metav1.GetOptions{})
		require.True(t, apierrors.IsForbidden(err), "%v", err)
	})
}

// unverified leaves an APIService as one that another adapter's manifests had made and that ours have not changed.
func unverified(t *testing.T, admin *rest.Config) {
	_, err := aggregator.NewForConfigOrDie(admin).ApiregistrationV1().APIServices().Patch(t.Context(), queryAPI,
		types.MergePatchType, []byte(`{"spec":{"insecureSkipTLSVerify":true}}`), metav1.PatchOptions{})
	require.NoError(t, err)
}

func testOwner(t *testing.T, admin, account *rest.Config) {
	services := aggregator.NewForConfigOrDie(admin).ApiregistrationV1().APIServices()
	both := []string{queryAPI, externalAPI}
	eventually(t, "the right to read APIServices, which was given a moment ago", func() bool {
		return CheckOwner(t.Context(), account, ourService, both) == nil
	})
	lead := func(name string) {
		patch := fmt.Sprintf(`{"spec":{"service":{"namespace":%q,"name":%q}}}`, ourService.Namespace, name)
		_, err := services.Patch(t.Context(), externalAPI, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	lead("prometheus-adapter")
	err := CheckOwner(t.Context(), account, ourService, both)
	require.ErrorContains(t, err, "v1beta1.external.metrics.k8s.io belongs to plimsoll-system/prometheus-adapter")
	require.NoError(t, CheckOwner(t.Context(), account, ourService, []string{queryAPI}), "--apis without external")
	lead(ourService.Name)
}

// testRotation reads without pause, every read with a new connection, until both replicas serve a new certificate and
// the old CA has gone. No read may fail.
func testRotation(t *testing.T, admin *rest.Config, replicas []*replica, read func() error) {
	secrets := kubernetes.NewForConfigOrDie(admin).CoreV1().Secrets(ourService.Namespace)
	before := [][]byte{replicas[0].leaf(t), replicas[1].leaf(t)}
	reads, deadline := 0, time.Now().Add(3*time.Minute)
	for turned := false; !turned; {
		require.True(t, time.Now().Before(deadline), "no rotation within three minutes")
		// Looks take time from the reads: there is one every quarter of a second, or after each read where reads are slow.
		for began := time.Now(); ; {
			require.NoError(t, read(), "read %d", reads)
			if reads++; time.Since(began) > 250*time.Millisecond {
				break
			}
		}
		secret, err := secrets.Get(t.Context(), "plimsoll-adapter-tls", metav1.GetOptions{})
		require.NoError(t, err)
		turned = len(parseCertificates(secret.Data[keyTrusted])) == 1
		for i, replica := range replicas {
			turned = turned && string(replica.leaf(t)) != string(before[i])
		}
	}
	for _, replica := range replicas {
		require.Positive(t, replica.reads.Load(), "every replica must have been read")
	}
	t.Logf("%d reads", reads)
}

// replica is a server with the files of one certs.Run; every request has a connection of its own.
type replica struct {
	dir      string
	listener net.Listener
	reads    atomic.Int64
}

// startReplicas opens two listeners, and one in front that takes them in turns.
func startReplicas(t *testing.T) (port int, replicas []*replica) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = front.Close() })
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		replicas = append(replicas, &replica{dir: filepath.Join(t.TempDir(), "certs"), listener: listener})
	}
	go func() {
		for i := 0; ; i++ {
			client, err := front.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", replicas[i%len(replicas)].listener.Addr().String())
			if err != nil {
				_ = client.Close()
				continue
			}
			go pipe(client, server)
			go pipe(server, client)
		}
	}()
	return front.Addr().(*net.TCPAddr).Port, replicas
}

func pipe(to, from net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// serve reloads the files as the generic API server does.
func (r *replica) serve(t *testing.T) {
	content, err := dynamiccertificates.NewDynamicServingContentFromFiles("test", CertFile(r.dir), KeyFile(r.dir))
	require.NoError(t, err)
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	controller := dynamiccertificates.NewDynamicServingCertificateController(config, nil, content, nil, nil)
	content.AddListener(controller)
	require.NoError(t, controller.RunOnce())
	go content.Run(t.Context(), 1)
	go controller.Run(1, t.Context().Done())
	config.GetConfigForClient = controller.GetConfigForClient
	server := &http.Server{TLSConfig: config, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.reads.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: strings.TrimPrefix(q.URL.Path, "/apis/"),
		})
	})}
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.ServeTLS(r.listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
}

// leaf is the certificate that the replica shows now.
func (r *replica) leaf(t *testing.T) []byte {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test looks at what is shown
	connection, err := dialer.DialContext(t.Context(), "tcp", r.listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
}

func startCluster(t *testing.T, binary string) *rest.Config {
	name, dir := fmt.Sprint("certs-", os.Getpid()), t.TempDir()
	up := exec.CommandContext(t.Context(), binary, "up", "--name", name, "--nodes", "0", "--dir", dir, "--parent-pid", fmt.Sprint(os.Getpid()))
	out, err := up.Output()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() {
		out, err := exec.Command(binary, "down", "--name", name, "--dir", dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	lines := strings.Fields(string(out))
	config, err := clientcmd.BuildConfigFromFlags("", lines[len(lines)-1])
	require.NoError(t, err)
	config.QPS = -1
	return config
}

// applyManifests applies an overlay on the server's side, as `kubectl apply --server-side -k` does.
func applyManifests(t *testing.T, admin *rest.Config, overlay string) {
	objects, err := manifests.Render(overlay)
	require.NoError(t, err)
	client := dynamic.NewForConfigOrDie(admin)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(admin)))
	for _, object := range objects {
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(schema.GroupKind{Group: kind.Group, Kind: kind.Kind}, kind.Version)
		require.NoError(t, err)
		_, err = client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Apply(t.Context(), object.GetName(), object,
			metav1.ApplyOptions{FieldManager: "test"})
		require.NoError(t, err, "%s %s", kind.Kind, object.GetName())
	}
}

func adapterAccount(t *testing.T, admin *rest.Config) *rest.Config {
	token, err := kubernetes.NewForConfigOrDie(admin).CoreV1().ServiceAccounts(ourService.Namespace).
		CreateToken(t.Context(), "plimsoll-adapter", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	account := rest.AnonymousClientConfig(admin)
	account.BearerToken = token.Status.Token
	return account
}

func setPort(t *testing.T, admin *rest.Config, port int) {
	patch := fmt.Appendf(nil, `{"spec":{"service":{"port":%d}}}`, port)
	for _, name := range []string{queryAPI, externalAPI} {
		_, err := aggregator.NewForConfigOrDie(admin).ApiregistrationV1().APIServices().Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(t, err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 2*time.Minute, 100*time.Millisecond, what)
}
