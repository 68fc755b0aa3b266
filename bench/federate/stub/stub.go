// SPDX-License-Identifier: Apache-2.0

// Package stub stands in for member clusters where there are more than the machine can hold. It is a stub: an HTTPS server
// that answers what the scaler asks of a member as a kube-apiserver does (readiness, version, discovery, the namespace
// kube-system, list and watch of six kinds, scales with optimistic concurrency; JSON and protobuf; bookmarks and initial events), and instead of controllers, a
// scheduler and kubelets a few lines that make the pods of a Deployment Ready a stated time after its scale changed.
//
// What it does not do: authorization (any request with the token may do all of this), admission, any other kind or verb,
// patches, limits of a list, StatefulSets' pods, revisions of a Deployment, scheduling (every pod gets a node, in turn),
// failures of nodes and pods, and events. Nodes write their status again now and then, and nothing else. It keeps nothing on
// disk. What it is asked and does not serve, though its discovery has it, is a 404, and counted.
package stub

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/plimsoll/plimsoll/bench/federate/wire"
)

// Model is what the objects of a stub are copies of, so that they are as large as real ones.
type Model struct {
	Node       *corev1.Node
	Deployment *appsv1.Deployment
	// Pod is a Ready one of the Deployment.
	Pod *corev1.Pod
	// Version is that of the API server.
	Version string
	// Discovery are the answers of the paths /api and /apis, as an APIGroupDiscoveryList in JSON.
	Discovery map[string][]byte
}

// Options describe a stub.
type Options struct {
	Name  string
	Model Model
	// Nodes is how many there are.
	Nodes int
	// PodDelay is the time from a pod's creation until it is Ready.
	PodDelay time.Duration
	// Scaled, if not nil, is told of every scale that was written, when it is. It must not wait.
	Scaled func(deployment types.NamespacedName, replicas int32, at time.Time)
}

// Cluster is a running stub. It ends with Close.
type Cluster struct {
	*wire.Listener
	options     Options
	certificate *certificate
	token       string
	system      *corev1.Namespace // whose UID is the cluster's
	groups      map[string]bool   // that discovery names
	store       *store
	server      *http.Server
	pods        *podmaker

	life  context.Context //nolint:containedctx // the stub's own life, for watches and pods
	end   context.CancelFunc
	ended sync.WaitGroup

	mu       sync.Mutex
	requests map[string]int64 // by what was asked
	unserved []string         // what was asked and is not served
}

// Start starts a stub with its nodes.
func Start(options Options) (*Cluster, error) {
	made, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("start stub %s: %w", options.Name, err)
	}
	listener, err := wire.Listen()
	if err != nil {
		return nil, fmt.Errorf("start stub %s: %w", options.Name, err)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, errors.Join(fmt.Errorf("start stub %s: %w", options.Name, err), listener.Close())
	}
	c := &Cluster{
		Listener: listener, options: options, certificate: made, token: hex.EncodeToString(secret),
		store: newStore(), requests: map[string]int64{}, groups: groupsIn(options.Model.Discovery),
	}
	c.system = &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: uuid.NewUUID(), ResourceVersion: "1"},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
	c.life, c.end = context.WithCancel(context.Background())
	for i := range options.Nodes {
		c.store.put("nodes", c.newNode(i))
	}
	c.pods = newPodmaker(c)
	c.ended.Go(c.pods.run)
	c.server = &http.Server{
		Handler: c, TLSConfig: &tls.Config{Certificates: []tls.Certificate{made.key}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), // clients that go away are no news
	}
	c.ended.Go(func() { _ = c.server.ServeTLS(listener, "", "") }) // it ends by Close
	return c, nil
}

// Close ends it with all its connections.
func (c *Cluster) Close() error {
	c.end()
	err := c.Listener.Close()
	_ = c.server.Close() // its listener is closed already
	c.ended.Wait()
	return err
}

// Deploy creates a Deployment without replicas.
func (c *Cluster) Deploy(key types.NamespacedName) { c.store.put("deployments", c.newDeployment(key)) }

// Replicas is the number that a Deployment asks for, and how many of its pods are Ready; false: there is none of the name.
func (c *Cluster) Replicas(key types.NamespacedName) (replicas, ready int32, exists bool) {
	d, ok := c.store.get("deployments", key).(*appsv1.Deployment)
	if !ok {
		return 0, 0, false
	}
	return *d.Spec.Replicas, d.Status.ReadyReplicas, true
}

// Kubeconfig is how it is reached.
func (c *Cluster) Kubeconfig() ([]byte, error) {
	const name = "stub"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + c.Addr().String(), CertificateAuthorityData: c.certificate.authority}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: c.token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.Write(*config)
}

// Requests are how often it was asked what.
func (c *Cluster) Requests() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]int64, len(c.requests))
	for what, n := range c.requests {
		all[what] = n
	}
	return all
}

// Unserved are the requests that it had no answer for.
func (c *Cluster) Unserved() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.unserved...)
}

func (c *Cluster) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[what]++
}
