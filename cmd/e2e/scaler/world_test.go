// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// world is a cluster with a Prometheus that collects from an exporter whose words are the tests', an adapter and scalers.
type world struct {
	*stack.Stack
	client   client.WithWatch
	exporter *stacktest.Exporter
	watch    *replicaWatch

	scalers sync.RWMutex // written by what starts and ends scalers, read by what needs one: a stack is not for several goroutines at once
	dir     string
	quit    chan struct{}
}

// newWorld starts a cluster with one adapter and so many scalers.
func newWorld(name string, scalers int) (*world, error) {
	dir, err := os.MkdirTemp("", "plimsoll-e2e-")
	if err != nil {
		return nil, err
	}
	w := &world{exporter: stacktest.NewExporter(), dir: dir, quit: make(chan struct{})}
	if err := w.start(name, scalers); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) start(name string, scalers int) error {
	config := filepath.Join(w.dir, "prometheus.yaml")
	// Out of order: a forecast's tests push the history of a demand that began before they did.
	if err := stacktest.WritePrometheusConfig(config, w.exporter, "storage: {tsdb: {out_of_order_time_window: 2h}}\n"); err != nil {
		return err
	}
	ctx, cancel := startContext()
	defer cancel()
	var err error
	w.Stack, err = stack.Start(ctx, stack.Options{ClusterOptions: stack.ClusterOptions{
		Name: name, Dir: filepath.Join(w.dir, "stack"), Nodes: 6, HPASyncPeriod: hpaSyncPeriod, PrometheusConfig: config,
		Arguments: []string{"--component-arg=prometheus=--web.enable-remote-write-receiver"}, Progress: os.Stderr,
	}})
	if err != nil {
		return err
	}
	if err := w.connect(); err != nil {
		return err
	}
	for i := range scalers {
		if err := w.StartScaler(ctx, scalerName(i), scalerFlags()...); err != nil {
			return err
		}
	}
	return nil
}

// connect makes the client of the tests, an administrator's, and begins to watch replicas.
func (w *world) connect() error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if w.client, err = client.NewWithWatch(w.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(w.RESTConfig)
	if err != nil {
		return err
	}
	w.watch, err = watchReplicas(informers.NewSharedInformerFactory(clients, 0), w.quit)
	return err
}

func (w *world) stop() error {
	close(w.quit)
	w.exporter.Close()
	var err error
	if w.Stack != nil {
		err = w.Stop()
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}
