// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

//go:embed hub.yaml
var hubYAML string

//go:embed shop.yaml
var shopYAML string

// The namespaces of the shop that is divided, and of the one in the hub alone.
const (
	divided = "shop"
	alone   = "shop-alone"
	shop    = "shop" // the name of everything that is the shop's
)

// The member clusters with their nodes, and the one that dies.
var nodes = map[string]int{"berlin": 6, "paris": 5, "rome": 4}

func names() []string { return []string{"berlin", "paris", "rome"} }

const (
	lost     = "paris"
	hubNodes = 3
)

// scrapeConfig is for the engine of the hub's adapter.
const scrapeConfig = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: shop
  honor_labels: true
  static_configs: [{targets: [%q]}]
`

// stage is the hub and its members.
type stage struct {
	*stack.Stack
	hub       client.Client
	members   map[string]*member
	dir       string
	temporary bool
	progress  io.Writer
}

// member is a member cluster.
type member struct {
	*stack.Cluster
	client client.Client
}

// start starts the clusters, with nothing in them but the hub's installation.
func start(ctx context.Context, o Options, p plot, exporter string) (*stage, error) {
	s := &stage{dir: o.Dir, temporary: o.Dir == "", members: map[string]*member{}, progress: o.Progress}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	scrape := filepath.Join(s.dir, "scrape.yaml")
	if err := os.WriteFile(scrape, fmt.Appendf(nil, scrapeConfig, exporter), 0o600); err != nil {
		return nil, fmt.Errorf("write the scrape configuration: %w", err)
	}
	err := s.startClusters(ctx, scrape)
	if err == nil {
		err = s.prepare(ctx, p)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop(ctx.Err() == nil || o.Keep))
	}
	return s, nil
}

// makeDir makes the folder, and lets the client libraries log into it instead of across the view.
func (s *stage) makeDir() error {
	var err error
	if s.temporary {
		s.dir, err = os.MkdirTemp("", "plimsoll-demo-")
	} else if err = os.MkdirAll(s.dir, 0o700); err == nil {
		s.dir, err = filepath.Abs(s.dir)
	}
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	log, err := os.Create(filepath.Join(s.dir, "demo.log")) // open as long as we run
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	klog.LogToStderr(false)
	klog.SetOutput(log)
	return nil
}

// startClusters starts the hub, which builds what has to be built, and then the members beside each other.
func (s *stage) startClusters(ctx context.Context, scrape string) error {
	options := s.clusterOptions("hub", hubNodes)
	options.Arguments = append(options.Arguments, "--component-arg", tolerance)
	var err error
	s.Stack, err = stack.Start(ctx, stack.Options{
		ClusterOptions: options, ScrapeConfig: scrape, Direct: true, Adapters: 1,
	})
	if err != nil {
		return fmt.Errorf("start the hub: %w", err)
	}
	if s.hub, err = connect(s.Cluster); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	for _, name := range names() {
		group.Go(func() error {
			cluster, err := stack.StartCluster(ctx, s.clusterOptions(name, nodes[name]))
			if err != nil {
				return fmt.Errorf("start member %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			s.members[name] = &member{Cluster: cluster}
			s.members[name].client, err = connect(cluster)
			return err
		})
	}
	return group.Wait()
}

// tolerance keeps the hub's HPA from leaving a pod or two out: within 10 % of its target it does nothing by default.
const tolerance = "kube-controller-manager=--horizontal-pod-autoscaler-tolerance=0.02"

func (s *stage) clusterOptions(name string, nodes int) stack.ClusterOptions {
	return stack.ClusterOptions{
		Name: name, Dir: filepath.Join(s.dir, name), Nodes: nodes, HPASyncPeriod: hpaSync,
		Arguments: []string{"--node-cpu", strconv.Itoa(podsPerNode), "--node-memory", "16Gi", "--pod-ready-delay", podDelay.String()},
	}
}

func connect(c *stack.Cluster) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	connected, err := client.New(c.RESTConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return connected, nil
}

// prepare fills the clusters, registers the members as a person does, and starts the scaler.
func (s *stage) prepare(ctx context.Context, p plot) error {
	group, each := errgroup.WithContext(ctx)
	for name, m := range s.members {
		group.Go(func() error { return s.register(each, name, m) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.ApplyYAML(ctx, shopIn(alone)); err != nil {
		return err
	}
	if err := s.ApplyYAML(ctx, strings.ReplaceAll(hubYAML, "RETURNAFTER", p.returnAfter.String())); err != nil {
		return err
	}
	return s.StartScaler(ctx, "scaler-0")
}

func shopIn(namespace string) string { return strings.ReplaceAll(shopYAML, "NAMESPACE", namespace) }

// register gives the hub an account in a member, and tells it of the member.
func (s *stage) register(ctx context.Context, name string, m *member) error {
	objects, err := manifests.Render("member")
	if err != nil {
		return err
	}
	if err := m.Apply(ctx, objects...); err != nil {
		return fmt.Errorf("prepare member %s: %w", name, err)
	}
	if err := m.ApplyYAML(ctx, shopIn(divided)); err != nil {
		return fmt.Errorf("prepare member %s: %w", name, err)
	}
	kubeconfig, err := m.kubeconfig(ctx)
	if err != nil {
		return fmt.Errorf("make a kubeconfig for member %s: %w", name, err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "plimsoll-members", Name: name}, Data: map[string][]byte{"kubeconfig": kubeconfig},
	}
	if err := s.hub.Create(ctx, secret); err != nil {
		return fmt.Errorf("register member %s: %w", name, err)
	}
	if err := s.hub.Create(ctx, &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return fmt.Errorf("register member %s: %w", name, err)
	}
	return nil
}

// stop ends everything. The folder stays if it is the user's or is to be kept.
func (s *stage) stop(keep bool) error {
	var mu sync.Mutex
	var problems []error
	var wait sync.WaitGroup
	end := func(stop func() error) {
		wait.Go(func() {
			err := stop()
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, err)
		})
	}
	if s.Stack != nil {
		end(s.Stack.Stop)
	}
	for _, m := range s.members {
		end(m.Stop)
	}
	wait.Wait()
	if s.temporary && !keep {
		problems = append(problems, os.RemoveAll(s.dir))
	} else {
		fmt.Fprintf(s.progress, "Logs are in %s\n", s.dir)
	}
	return errors.Join(problems...)
}
