// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/bench/federate/stub"
	"github.com/plimsoll/plimsoll/bench/federate/wire"
	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
)

// member is a member cluster: a real one behind a forwarder, or a stub.
type member struct {
	name string
	wire *wire.Listener // where the scaler comes in

	cluster   *stack.Cluster
	client    client.Client // past the forwarder
	forwarder *wire.Forwarder

	stub *stub.Cluster
}

func (m *member) kind() string {
	if m.cluster != nil {
		return "real"
	}
	return "stubbed"
}

// startMembers starts the real ones, two at a time, and then the stubs.
func (s *stage) startMembers(ctx context.Context) error {
	s.say("starting %d member clusters and %d stubs", s.options.Real, s.options.Stubbed)
	s.members = make([]*member, s.options.Real, s.options.Real+s.options.Stubbed)
	for i := range s.members {
		s.members[i] = &member{name: fmt.Sprintf("real-%d", i)}
	}
	const atOnce = 2
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range s.members {
		group.Go(func() error {
			if err := s.startReal(limited, m); err != nil {
				return fmt.Errorf("starting member %s: %w", m.name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if s.options.Stubbed == 0 {
		return nil
	}
	model, err := s.model(ctx)
	if err != nil {
		return fmt.Errorf("making what stubs are copies of: %w", err)
	}
	for i := range s.options.Stubbed {
		m := &member{name: fmt.Sprintf("stub-%d", i)}
		m.stub, err = stub.Start(stub.Options{
			Name: m.name, Model: model, Nodes: nodes, PodDelay: s.options.PodDelay,
			Scaled: func(key types.NamespacedName, replicas int32, at time.Time) { s.numbers.see(m.name, key, replicas, at) },
		})
		if err != nil {
			return err
		}
		m.wire = m.stub.Listener
		s.members = append(s.members, m)
	}
	return nil
}

func (s *stage) startReal(ctx context.Context, m *member) error {
	var err error
	if m.cluster, err = stack.StartCluster(ctx, s.clusterOptions(m.name, nodes)); err != nil {
		return err
	}
	if m.client, err = connect(m.cluster.RESTConfig); err != nil {
		return err
	}
	if m.forwarder, err = forward(m.cluster.RESTConfig); err != nil {
		return err
	}
	m.wire = m.forwarder.Listener
	objects, err := manifests.Render("member")
	if err != nil {
		return err
	}
	return m.cluster.Apply(ctx, objects...)
}

// stop ends the member.
func (m *member) stop() error {
	var problems []error
	if m.forwarder != nil {
		problems = append(problems, m.forwarder.Close())
	}
	if m.cluster != nil {
		problems = append(problems, m.cluster.Stop())
	}
	if m.stub != nil {
		problems = append(problems, m.stub.Close())
	}
	return errors.Join(problems...)
}

// die ends what answers, as when the power fails: from then on connections are refused.
func (m *member) die(ctx context.Context) error {
	if m.stub != nil {
		return m.stub.Close()
	}
	return errors.Join(m.cluster.Component(ctx, "kill", "kube-apiserver"), m.forwarder.Close())
}

// makeTargets makes the Deployments of some scales, without replicas.
func (m *member) makeTargets(ctx context.Context, scales int, of []int) error {
	if m.stub != nil {
		for _, i := range of {
			m.stub.Deploy(scaleKey(i))
		}
		return nil
	}
	if err := makeNamespaces(ctx, m.client, scales); err != nil {
		return err
	}
	return each(ctx, of, func(ctx context.Context, i int) error { return m.client.Create(ctx, deployment(scaleKey(i), 0)) })
}

// deployment is one as people write it, with small pods.
func deployment(key types.NamespacedName, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": key.Name}
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: new(int64(0)),
				Containers: []corev1.Container{{
					Name: "app", Image: "registry.example/app:1.2.3", Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
					Env:       []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "info"}},
					Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
				}},
			}},
		},
	}
}

// model takes a Deployment with its pod and node from the hub, which is as real as a member.
func (s *stage) model(ctx context.Context) (stub.Model, error) {
	key := types.NamespacedName{Namespace: "model", Name: "app"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}
	for _, object := range []client.Object{namespace, deployment(key, 1)} {
		if err := s.client.Create(ctx, object); err != nil {
			return stub.Model{}, err
		}
	}
	model := stub.Model{Node: &corev1.Node{}, Deployment: &appsv1.Deployment{}, Pod: &corev1.Pod{}}
	err := s.until(ctx, "a pod of the hub is Ready", func() (bool, error) {
		return model.Deployment.Status.ReadyReplicas == 1, s.client.Get(ctx, key, model.Deployment)
	})
	if err != nil {
		return model, err
	}
	var pods corev1.PodList
	if err := s.client.List(ctx, &pods, client.InNamespace(key.Namespace)); err != nil {
		return model, err
	}
	if len(pods.Items) != 1 {
		return model, fmt.Errorf("there are %d pods of a Deployment of one", len(pods.Items))
	}
	model.Pod = &pods.Items[0]
	if err := s.client.Get(ctx, types.NamespacedName{Name: model.Pod.Spec.NodeName}, model.Node); err != nil {
		return model, err
	}
	info, err := s.raw.Discovery().ServerVersion()
	if err != nil {
		return model, err
	}
	model.Version, model.Discovery = info.GitVersion, map[string][]byte{}
	for _, path := range []string{"/api", "/apis"} {
		if model.Discovery[path], err = s.discovery(ctx, path); err != nil {
			return model, err
		}
	}
	return model, s.client.Delete(ctx, namespace)
}

// discovery is what the hub says that it has, without what a member does not have.
func (s *stage) discovery(ctx context.Context, path string) ([]byte, error) {
	body, err := s.raw.Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", stub.DiscoveryType).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var list apidiscoveryv2.APIGroupDiscoveryList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	list.Items = slices.DeleteFunc(list.Items, func(group apidiscoveryv2.APIGroupDiscovery) bool {
		return strings.HasSuffix(group.Name, "plimsoll.dev") || strings.HasSuffix(group.Name, "metrics.k8s.io")
	})
	return json.Marshal(list)
}

// kubeconfig is what the hub gets.
func (m *member) kubeconfig(ctx context.Context) ([]byte, error) {
	if m.stub != nil {
		return m.stub.Kubeconfig()
	}
	const account = "plimsoll-hub" // and its namespace, in manifests/member
	return kubeconfigFor(ctx, m.cluster.RESTConfig, m.forwarder, account, account)
}

// kubeconfigFor gives the rights of a ServiceAccount, by way of a forwarder.
func kubeconfigFor(ctx context.Context, config *rest.Config, by *wire.Forwarder, namespace, account string) ([]byte, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	seconds := int64((24 * time.Hour).Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := clientset.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("get a token for ServiceAccount %s: %w", account, err)
	}
	const name = "cluster"
	written := clientcmdapi.NewConfig()
	written.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + by.Addr().String(), CertificateAuthorityData: config.CAData}
	written.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: answer.Status.Token}
	written.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: account, Namespace: namespace}
	written.CurrentContext = name
	return clientcmd.Write(*written)
}

// watchMember sees the numbers of a real member's Deployments.
func (s *stage) watchMember(ctx context.Context, m *member) error {
	return s.watch(ctx, m.cluster.RESTConfig, func(object any) {
		if d, ok := object.(*appsv1.Deployment); ok && d.Spec.Replicas != nil {
			s.numbers.see(m.name, client.ObjectKeyFromObject(d), *d.Spec.Replicas, time.Now())
		}
	}, &appsv1.Deployment{})
}

// replicas are those of all its Deployments, as its API server says now.
func (m *member) replicas(ctx context.Context, of []types.NamespacedName) (map[types.NamespacedName]int32, error) {
	all := map[types.NamespacedName]int32{}
	if m.stub != nil {
		for _, key := range of {
			if replicas, _, exists := m.stub.Replicas(key); exists {
				all[key] = replicas
			}
		}
		return all, nil
	}
	var list appsv1.DeploymentList
	if err := m.client.List(ctx, &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		all[client.ObjectKeyFromObject(&list.Items[i])] = *list.Items[i].Spec.Replicas
	}
	return all, nil
}
