// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/bench/federate/wire"
	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
)

const (
	perNamespace = 50
	writers      = 16 // that set the stage up, and that change it
	scaler       = "scaler-0"
	// nodes of every member: room for more than all that may come there.
	nodes = 4
)

// stage is the hub with the scaler, its members and its objects.
type stage struct {
	options Options
	dir     string
	hub     *stack.Stack
	client  client.Client
	raw     kubernetes.Interface
	wire    *wire.Forwarder // between the scaler and the hub
	members []*member
	spread  [][]int // the members of each scale
	numbers *numbers
	said    *said
	began   time.Time // of the scaler

	watching sync.WaitGroup
	end      context.CancelFunc
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}

// newStage sets everything up; on an error it has ended what it started.
func newStage(ctx context.Context, o Options, dir string) (*stage, error) {
	ctrl.SetLogger(klog.Background())
	s := &stage{
		options: o, dir: dir, numbers: newNumbers(), said: newSaid(), spread: spread(o.Scales, o.Real+o.Stubbed, o.PerScale),
	}
	watch, end := context.WithCancel(ctx)
	s.end = end
	for _, step := range []func(context.Context) error{
		s.startHub, s.startMembers, s.makeTargets, func(context.Context) error { return s.watchAll(watch) }, s.register, s.startScaler,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

// stop ends everything, the clusters beside each other.
func (s *stage) stop() error {
	s.end()
	s.watching.Wait()
	var mu sync.Mutex
	var problems []error
	var wait sync.WaitGroup
	ends := func(end func() error) {
		wait.Go(func() {
			err := end()
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, err)
		})
	}
	if s.hub != nil {
		ends(s.hub.Stop)
	}
	for _, m := range s.members {
		ends(m.stop)
	}
	wait.Wait()
	if s.wire != nil {
		problems = append(problems, s.wire.Close())
	}
	return errors.Join(problems...)
}

func (s *stage) clusterOptions(name string, nodes int) stack.ClusterOptions {
	return stack.ClusterOptions{
		Name: name, Dir: filepath.Join(s.dir, name), Nodes: nodes, Progress: s.options.Progress,
		Arguments: []string{"--pod-ready-delay", s.options.PodDelay.String()},
	}
}

func (s *stage) startHub(ctx context.Context) error {
	options := s.clusterOptions("bench", 1)
	options.Arguments = append(options.Arguments, "--component-arg=kube-controller-manager=--controllers=*,-horizontal-pod-autoscaler-controller")
	var err error
	if s.hub, err = stack.Start(ctx, stack.Options{ClusterOptions: options, Adapters: -1}); err != nil {
		return err
	}
	if s.client, err = connect(s.hub.RESTConfig); err != nil {
		return err
	}
	if s.raw, err = kubernetes.NewForConfig(s.hub.RESTConfig); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	s.wire, err = forward(s.hub.RESTConfig)
	return err
}

func forward(config *rest.Config) (*wire.Forwarder, error) {
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading an API server's address: %w", err)
	}
	f, err := wire.Forward(server.Host)
	if err != nil {
		return nil, fmt.Errorf("counting what goes to an API server: %w", err)
	}
	return f, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("making a client: %w", err)
		}
	}
	return scheme, nil
}

func connect(config *rest.Config) (client.Client, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// scaleKey names the i-th FederatedScale, and its Deployments.
func scaleKey(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespaceOf(i), Name: fmt.Sprintf("app-%d", i)}
}

func namespaceOf(i int) string { return fmt.Sprintf("bench-%d", i/perNamespace) }

// each does something for several numbers at once.
func each(ctx context.Context, numbers []int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, i := range numbers {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func makeNamespaces(ctx context.Context, c client.Client, scales int) error {
	for i := 0; i < scales; i += perNamespace {
		if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}); err != nil {
			return fmt.Errorf("making a namespace: %w", err)
		}
	}
	return nil
}

// makeTargets makes the Deployments of all scales in their members.
func (s *stage) makeTargets(ctx context.Context) error {
	if err := makeNamespaces(ctx, s.client, s.options.Scales); err != nil {
		return err
	}
	of := make([][]int, len(s.members)) // the scales of each member
	for i, members := range s.spread {
		for _, m := range members {
			of[m] = append(of[m], i)
		}
	}
	for i, m := range s.members {
		if err := m.makeTargets(ctx, s.options.Scales, of[i]); err != nil {
			return fmt.Errorf("making the Deployments of member %s: %w", m.name, err)
		}
	}
	return nil
}

// register tells the hub of the members.
func (s *stage) register(ctx context.Context) error {
	for _, m := range s.members {
		kubeconfig, err := m.kubeconfig(ctx)
		if err != nil {
			return fmt.Errorf("making a kubeconfig for member %s: %w", m.name, err)
		}
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: members.DefaultNamespace, Name: m.name}, Data: map[string][]byte{"kubeconfig": kubeconfig},
		}
		for _, object := range []client.Object{secret, &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: m.name}}} {
			if err := s.client.Create(ctx, object); err != nil {
				return fmt.Errorf("registering member %s: %w", m.name, err)
			}
		}
	}
	return nil
}

// watchAll watches what the hub says, and the Deployments of real members; stubs say by themselves what is written.
func (s *stage) watchAll(ctx context.Context) error {
	err := s.watch(ctx, s.hub.RESTConfig, s.said.look, &v1alpha1.FederatedScale{}, &v1alpha1.MemberCluster{})
	if err != nil {
		return fmt.Errorf("watching the hub: %w", err)
	}
	for _, m := range s.members {
		if m.cluster == nil {
			continue
		}
		if err := s.watchMember(ctx, m); err != nil {
			return fmt.Errorf("watching member %s: %w", m.name, err)
		}
	}
	return nil
}

// watch has a function see all objects of some kinds, when they come and when they change.
func (s *stage) watch(ctx context.Context, config *rest.Config, look func(any), objects ...client.Object) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	watched, err := cache.New(config, cache.Options{Scheme: scheme, DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		return err
	}
	for _, object := range objects {
		informer, err := watched.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		handler := toolscache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, object any) { look(object) }}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	s.watching.Go(func() { _ = watched.Start(ctx) }) // it ends with the context
	if !watched.WaitForCacheSync(ctx) {
		return errors.New("what there is could not be listed")
	}
	return nil
}

// startScaler starts the scaler as its own ServiceAccount, with a way to the hub on which is counted.
func (s *stage) startScaler(ctx context.Context) error {
	s.say("starting the scaler")
	kubeconfig, err := kubeconfigFor(ctx, s.hub.RESTConfig, s.wire, stack.Namespace, stack.Scaler)
	if err != nil {
		return fmt.Errorf("making a kubeconfig for the scaler: %w", err)
	}
	path := filepath.Join(s.dir, "scaler.kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("making a kubeconfig for the scaler: %w", err)
	}
	s.began = time.Now()
	return s.hub.StartScaler(ctx, scaler, "--kubeconfig="+path)
}
