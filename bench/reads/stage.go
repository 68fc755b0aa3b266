// SPDX-License-Identifier: Apache-2.0

package reads

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// stage is the cluster, the apps on it, the adapter and the constant server.
type stage struct {
	options  Options
	dir      string
	exporter *httptest.Server
	exposed  atomic.Pointer[string] // what the exporter says
	stack    *stack.Stack
	cluster  kubernetes.Interface
	paths    []string

	adapter  *target
	constant *target
	child    *exec.Cmd

	constantPort int
	before       counters // at the first read
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}

// newStage sets everything up; on an error it has ended what it started.
func newStage(ctx context.Context, o Options) (*stage, error) {
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	s := &stage{options: o, dir: dir}
	for _, step := range []func(context.Context) error{s.startExporter, s.startStack, s.startApps, s.startConstant, s.connect, s.waitForValues} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

func (s *stage) stop() error {
	var errs []error
	if s.child != nil {
		_ = s.child.Process.Signal(syscall.SIGKILL)
		_ = s.child.Wait()
	}
	if s.stack != nil {
		errs = append(errs, s.stack.Stop())
	}
	if s.exporter != nil {
		s.exporter.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// startExporter exposes the apps' metrics for Prometheus to collect.
func (s *stage) startExporter(context.Context) error {
	empty := ""
	s.exposed.Store(&empty)
	s.exporter = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(*s.exposed.Load()))
	}))
	config := fmt.Sprintf("global: {scrape_interval: 5s}\nscrape_configs:\n- job_name: bench\n  honor_labels: true\n  static_configs: [{targets: [%q]}]\n",
		s.exporter.Listener.Addr())
	return os.WriteFile(filepath.Join(s.dir, "prometheus.yaml"), []byte(config), 0o600)
}

const rules = `
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: online-users}
spec:
  metric: ` + podMetric + `
  query: sum by (namespace, pod) (online_users)
  object: {resource: pods, nameLabel: pod}
---
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: orders-waiting}
spec:
  metric: ` + externalMetric + `
  query: sum by (app) (orders_waiting)
---
apiVersion: v1
kind: Namespace
metadata: {name: ` + namespace + `}
`

func (s *stage) startStack(ctx context.Context) error {
	pods := 0
	if s.options.Kind == "pods" {
		pods = s.options.Apps * s.options.PodsPerApp
	}
	var err error
	s.stack, err = stack.Start(ctx, stack.Options{
		ClusterOptions: stack.ClusterOptions{
			Name: "bench", Nodes: 2 + pods/200, PrometheusConfig: filepath.Join(s.dir, "prometheus.yaml"), Progress: s.options.Progress,
			Arguments: []string{"--node-cpu=256", "--node-memory=1Ti"},
		},
		Direct: true,
	})
	if err != nil {
		return err
	}
	if s.cluster, err = kubernetes.NewForConfig(s.stack.RESTConfig); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return s.stack.ApplyYAML(ctx, rules)
}

// startApps runs the apps and exposes their metrics.
func (s *stage) startApps(ctx context.Context) error {
	if s.options.Kind == "external" {
		return s.exposeExternal()
	}
	s.say("starting %d apps with %d pods each", s.options.Apps, s.options.PodsPerApp)
	for a := range s.options.Apps {
		if _, err := s.cluster.AppsV1().Deployments(namespace).Create(ctx, deployment(a, s.options.PodsPerApp), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("starting app %d: %w", a, err)
		}
		query := url.Values{"labelSelector": {fmt.Sprintf("app=app-%d", a)}}
		s.paths = append(s.paths, fmt.Sprintf("/apis/custom.metrics.k8s.io/v1beta2/namespaces/%s/pods/%%2A/%s?%s", namespace, podMetric, query.Encode()))
	}
	want := s.options.Apps * s.options.PodsPerApp
	err := wait.PollUntilContextTimeout(ctx, 2*time.Second, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := s.cluster.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return false, err
		}
		s.say("%d of %d pods run", running(list), want)
		if running(list) < want {
			return false, nil
		}
		s.exposePods(list)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the apps: %w", err)
	}
	return nil
}

func running(list *corev1.PodList) int {
	n := 0
	for i := range list.Items {
		if list.Items[i].Status.Phase == corev1.PodRunning {
			n++
		}
	}
	return n
}

func (s *stage) exposePods(list *corev1.PodList) {
	var text strings.Builder
	text.WriteString("# TYPE online_users gauge\n")
	for i := range list.Items {
		fmt.Fprintf(&text, "online_users{namespace=%q,pod=%q} %g\n", namespace, list.Items[i].Name, 20+float64(i%50)/2)
	}
	exposed := text.String()
	s.exposed.Store(&exposed)
}

func (s *stage) exposeExternal() error {
	var text strings.Builder
	text.WriteString("# TYPE orders_waiting gauge\n")
	for a := range s.options.Apps {
		fmt.Fprintf(&text, "orders_waiting{app=\"app-%d\"} %d\n", a, a)
		query := url.Values{"labelSelector": {fmt.Sprintf("app=app-%d", a)}}
		s.paths = append(s.paths, fmt.Sprintf("/apis/external.metrics.k8s.io/v1beta1/namespaces/%s/%s?%s", namespace, externalMetric, query.Encode()))
	}
	exposed := text.String()
	s.exposed.Store(&exposed)
	return nil
}

// startConstant starts this program again as the server to compare with.
func (s *stage) startConstant(context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	items := s.options.PodsPerApp
	if s.options.Kind == "external" {
		items = 1
	}
	log, err := os.Create(filepath.Join(s.dir, "constant.log"))
	if err != nil {
		return fmt.Errorf("making the constant server's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own handle
	s.constantPort = freePort()
	s.child = exec.Command(program, "constant", "--kubeconfig", filepath.Join(s.stack.Dir, "adapters", stack.Adapter+".kubeconfig"),
		"--dir", s.dir, "--port", strconv.Itoa(s.constantPort), "--items", strconv.Itoa(items))
	s.child.Stdout, s.child.Stderr = log, log
	s.child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.child.Start(); err != nil {
		return fmt.Errorf("starting the constant server: %w", err)
	}
	return nil
}

// freePort is a port that nobody listened on a moment ago.
func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0 // the child says what is wrong with it
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// connect makes the clients of both servers.
func (s *stage) connect(ctx context.Context) error {
	pki := filepath.Join(s.stack.Dir, "cluster", "pki")
	proxy, err := tls.LoadX509KeyPair(filepath.Join(pki, "front-proxy-client.crt"), filepath.Join(pki, "front-proxy-client.key"))
	if err != nil {
		return fmt.Errorf("reading the front proxy's certificate: %w", err)
	}
	bundle, err := s.bundle(ctx)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.stack.AdapterAddress("adapter-0"))
	if err != nil {
		return fmt.Errorf("finding the adapter's port: %w", err)
	}
	adapterPort, _ := strconv.Atoi(port)
	if s.adapter, err = newTarget(adapterPort, bundle, stack.Adapter+"."+stack.Namespace+".svc", proxy); err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = s.reachConstant(ctx, proxy)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the constant server: %w", errors.Join(err, last))
	}
	return nil
}

// reachConstant connects to the constant server, once it has written its certificate.
func (s *stage) reachConstant(ctx context.Context, proxy tls.Certificate) error {
	ca, err := os.ReadFile(filepath.Join(s.dir, "apiserver.crt"))
	if err != nil {
		return fmt.Errorf("reading the constant server's certificate: %w", err)
	}
	if s.constant, err = newTarget(s.constantPort, ca, "localhost", proxy); err != nil {
		return err
	}
	_, err = s.constant.get(ctx, "/readyz")
	return err
}

// waitForValues returns when every app's metric can be read.
func (s *stage) waitForValues(ctx context.Context) error {
	s.say("waiting for values")
	var last, err error
	if s.before, err = s.counters(ctx); err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		_, first := s.adapter.get(ctx, s.paths[0])
		_, end := s.adapter.get(ctx, s.paths[len(s.paths)-1])
		last = errors.Join(first, end)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for values: %w", errors.Join(err, last))
	}
	return nil
}
