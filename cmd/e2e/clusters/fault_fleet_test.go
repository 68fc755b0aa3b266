// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The members with their nodes, each with room for eight pods of a scene: 12 replicas are divided 6 : 4 : 2, and the
// smallest member could hold them all.
var nodes = map[string]int{berlin: 6, paris: 4, rome: 2}

const (
	berlin, paris, rome = "berlin", "paris", "rome"
	nodeCPU             = "8"
	scaler              = "scaler-0"
	account             = "plimsoll-hub"     // in manifests/member
	secrets             = "plimsoll-members" // the namespace of the members' kubeconfigs
)

func everybody() []string { return []string{berlin, paris, rome} }

// fleet is a hub and its members.
type fleet struct {
	hub *stack.Stack
	// unsettled are the members of which a component was away: their own controllers may yet take nodes and pods for dead.
	unsettled map[string]bool
	client    client.Client
	members   map[string]*member
	dir       string
}

// member is a member cluster. Its client is an administrator's and asks it directly.
type member struct {
	*stack.Cluster
	client     client.Client
	kubeconfig *clientcmdapi.Config // the hub's
}

func newFleet(ctx context.Context) (*fleet, error) {
	dir, err := os.MkdirTemp("", "plimsoll-clusters-")
	if err != nil {
		return nil, err
	}
	f := &fleet{dir: dir, members: map[string]*member{}, unsettled: map[string]bool{}}
	if err := f.start(ctx); err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func (f *fleet) start(ctx context.Context) error {
	var err error
	f.hub, err = stack.Start(ctx, stack.Options{ClusterOptions: f.options("hub", 1), Adapters: -1})
	if err != nil {
		return err
	}
	if f.client, err = connect(f.hub.Cluster); err != nil {
		return err
	}
	if os.Getenv("PLIMSOLL_BIN") == "" { // the programs were built for the hub: that is enough
		if err := os.Setenv("PLIMSOLL_BIN", filepath.Join("..", "..", "..", "bin")); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	group, each := errgroup.WithContext(ctx)
	for name, n := range nodes {
		group.Go(func() error {
			cluster, err := stack.StartCluster(each, f.options(name, n))
			if err != nil {
				return fmt.Errorf("start member %s: %w", name, err)
			}
			m := &member{Cluster: cluster}
			mu.Lock()
			f.members[name] = m
			mu.Unlock()
			return f.register(each, name, m)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return f.startScaler(ctx)
}

func (f *fleet) options(name string, n int) stack.ClusterOptions {
	return stack.ClusterOptions{
		Name: "faults-" + name, Dir: filepath.Join(f.dir, name), Nodes: n, Progress: os.Stderr,
		Arguments: []string{"--node-cpu", nodeCPU, "--pod-ready-delay", "2s"},
	}
}

// startScaler starts the scaler; a lost Lease is soon taken over.
func (f *fleet) startScaler(ctx context.Context) error {
	return f.hub.StartScaler(ctx, scaler, "--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s", "-v=1")
}

func connect(c *stack.Cluster) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(c.RESTConfig, client.Options{Scheme: scheme})
}

// register does what a person does to let the hub have a member.
func (f *fleet) register(ctx context.Context, name string, m *member) error {
	var err error
	if m.client, err = connect(m.Cluster); err != nil {
		return err
	}
	objects, err := manifests.Render("member")
	if err != nil {
		return err
	}
	if err := m.Apply(ctx, objects...); err != nil {
		return err
	}
	token, err := m.token(ctx, nil)
	if err != nil {
		return err
	}
	m.kubeconfig = kubeconfig(m.RESTConfig.Host, m.RESTConfig.CAData, token)
	if err := f.keep(ctx, name, m.kubeconfig); err != nil {
		return err
	}
	return f.hub.ApplyYAML(ctx, fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: MemberCluster, metadata: {name: %s},
		spec: {probe: {interval: 1s, failedAfter: 3s, healthyAfter: 3s, nodesAfter: 10s}}}`, name))
}

// token gets one of the hub's account in a member; it ends with the Secret that it is bound to, if there is one.
func (m *member) token(ctx context.Context, bound *corev1.Secret) (string, error) {
	clients, err := kubernetes.NewForConfig(m.RESTConfig)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{}
	if bound != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: bound.Name, UID: bound.UID}
	}
	answer, err := clients.CoreV1().ServiceAccounts(account).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

func kubeconfig(server string, ca []byte, token string) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	config.Clusters["member"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["member"] = &clientcmdapi.Context{Cluster: "member", AuthInfo: account}
	config.CurrentContext = "member"
	return config
}

// keep writes the kubeconfig that the hub has of a member.
func (f *fleet) keep(ctx context.Context, name string, config *clientcmdapi.Config) error {
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secrets, Name: name}, Data: map[string][]byte{"kubeconfig": text}}
	if err := f.client.Create(ctx, secret); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	return f.client.Update(ctx, secret)
}

func (f *fleet) stop() error {
	var problems []error
	if f.hub != nil {
		problems = append(problems, f.hub.Stop())
	}
	for name, m := range f.members {
		if err := m.Stop(); err != nil {
			problems = append(problems, fmt.Errorf("end member %s: %w", name, err))
		}
	}
	return errors.Join(append(problems, os.RemoveAll(f.dir))...)
}
