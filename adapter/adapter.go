// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/adapter/api"
	"github.com/plimsoll/plimsoll/adapter/catalog"
	"github.com/plimsoll/plimsoll/adapter/certs"
	"github.com/plimsoll/plimsoll/adapter/demand"
	"github.com/plimsoll/plimsoll/adapter/evaluate"
	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/queryapi"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/embedded"
)

// certificatePatience is how long the first serving certificate may take.
const certificatePatience = time.Minute

// Run is the adapter, from options to the end of ctx. What it has started ends in the reverse order: the server first, so that
// values stay fresh until the last read has been answered.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	a, err := o.assemble(background)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer func() {
		stop()
		running.Wait()
		a.close()
	}()
	if err := a.secure(ctx, background, &running); err != nil {
		return err
	}
	synced, err := a.demand.Watch(background, a.clients.kubernetes, a.resourceOf)
	if err != nil {
		return err
	}
	a.hpasSynced = synced
	running.Go(func() { a.catalog.Run(background) })
	running.Go(func() { a.members.Run(background) })
	running.Go(func() {
		// Evaluating before rules and HPAs are known would find nothing demanded, and readiness would mean nothing.
		if cache.WaitForCacheSync(background.Done(), a.catalog.Loaded, synced) {
			a.loop.Run(background)
		}
	})
	server, err := api.New(a.serverOptions())
	if err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Serving", "address", o.Serving.SecureServing.Listener.Addr(), "source", a.source.Current().Name(), "apis", o.APIs)
	return server.Run(ctx)
}

// clients are the ways to the API server.
type clients struct {
	config     *rest.Config
	kubernetes kubernetes.Interface
	dynamic    dynamic.Interface
	metadata   metadata.Interface
	mapper     meta.ResettableRESTMapper
}

func newClients(config *rest.Config) (*clients, error) {
	c := &clients{config: config}
	var err error
	if c.kubernetes, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("making a dynamic client: %w", err)
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("making a metadata client: %w", err)
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.kubernetes.Discovery()))
	return c, nil
}

// adapter is the assembled parts.
type adapter struct {
	options  Options
	clients  *clients
	registry *prometheus.Registry
	store    *snapshot.Store
	demand   *demand.Set
	source   *source.Failover
	catalog  *catalog.Controller
	loop     *evaluate.Loop
	objects  *objects.Objects
	members  *members.Members
	close    func()

	hpasSynced cache.InformerSynced
}

// assemble makes the parts and connects them; only the source and the pods' watch run already.
func (o Options) assemble(ctx context.Context) (*adapter, error) {
	config, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	a := &adapter{options: o, registry: prometheus.NewRegistry(), store: &snapshot.Store{}, demand: demand.NewSet()}
	if a.clients, err = newClients(config); err != nil {
		return nil, err
	}
	metrics, err := evaluate.NewMetrics(a.registry, a.store, a.demand.Counts)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	if a.catalog, err = catalog.New(catalog.Options{
		Client: a.clients.dynamic, Mapper: a.clients.mapper, Store: a.store, Readers: a.demand.Counts,
	}); err != nil {
		return nil, err
	}
	if a.objects, err = objects.Start(ctx, objects.Options{Client: a.clients.metadata}); err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	if a.source, a.close, err = o.openSource(ctx); err != nil {
		return nil, err
	}
	a.members = members.New(a.clients.dynamic, a.clients.kubernetes)
	a.loop = evaluate.New(evaluate.Options{
		Store: a.store, Ask: a.source.Do, Members: a.members.All, Readers: a.demand.Counts, Metrics: metrics,
		Identity: o.identity(), Concurrency: o.Concurrency,
	})
	return a, nil
}

// engine is the embedded engine's options with a place for every query that may be under way: those of rules and those of
// the query API.
func (o Options) engine() embedded.Options {
	engine := o.Embedded
	if engine.QueryConcurrency == 0 {
		engine.QueryConcurrency = o.Concurrency + queryapi.Parallel
	}
	return engine
}

// openSource makes the configured source; close ends it.
func (o Options) openSource(ctx context.Context) (f *source.Failover, closeSource func(), err error) {
	if o.Embedded.ScrapeConfigFile != "" {
		engine, err := embedded.New(ctx, o.engine())
		if err != nil {
			return nil, nil, fmt.Errorf("starting the embedded engine: %w", err)
		}
		return source.NewFailover(engine), func() {
			if err := engine.Close(); err != nil {
				klog.FromContext(ctx).Error(err, "The embedded engine did not end cleanly")
			}
		}, nil
	}
	var remotes []source.Source
	for _, p := range o.Prometheus {
		remote, err := source.NewRemote(p)
		if err != nil {
			return nil, nil, err
		}
		remotes = append(remotes, remote)
	}
	return source.NewFailover(remotes[0], remotes[1:]...), func() {}, nil
}

// secure keeps the serving certificate and the APIServices' caBundle right, and returns when there is a certificate to
// serve with.
func (a *adapter) secure(ctx, background context.Context, running *sync.WaitGroup) error {
	if !a.options.Shadow {
		if err := certs.CheckOwner(ctx, a.clients.config, a.options.Service, a.options.apiServices()); err != nil {
			return err
		}
	}
	if !a.options.managesCertificate() {
		return nil
	}
	ready := make(chan struct{})
	failed := make(chan error, 1)
	running.Go(func() {
		failed <- certs.Run(background, certs.Options{
			RESTConfig:  a.clients.config,
			Secret:      types.NamespacedName{Namespace: a.options.Service.Namespace, Name: a.options.TLSSecret},
			Service:     a.options.Service,
			CertDir:     a.options.Serving.SecureServing.ServerCert.CertDirectory,
			APIServices: a.options.apiServices(),
			Ready:       func() { close(ready) },
			Validity:    a.options.Certificate.Validity, Propagation: a.options.Certificate.Propagation, Grace: a.options.Certificate.Grace,
		})
	})
	select {
	case <-ready:
		certificate := &a.options.Serving.SecureServing.ServerCert.CertKey
		certificate.CertFile = certs.CertFile(a.options.Serving.SecureServing.ServerCert.CertDirectory)
		certificate.KeyFile = certs.KeyFile(a.options.Serving.SecureServing.ServerCert.CertDirectory)
		return nil
	case err := <-failed:
		return fmt.Errorf("no serving certificate: %w", errors.Join(err, ctx.Err()))
	case <-ctx.Done():
		return fmt.Errorf("no serving certificate: %w", ctx.Err())
	case <-time.After(certificatePatience):
		return fmt.Errorf("no serving certificate after %s; the log says what stands in the way of Secret %s/%s",
			certificatePatience, a.options.Service.Namespace, a.options.TLSSecret)
	}
}

func (a *adapter) serverOptions() api.Options {
	x := &explainer{store: a.store, demand: a.demand, now: time.Now}
	d := &memberDemand{store: a.store, members: a.members.All, now: time.Now}
	query := queryapi.New(a.source)
	return api.Options{
		Serving: a.options.Serving, APIs: a.options.APIs, Store: a.store, Objects: a.objects, Registry: a.registry,
		Demand: a.loop.Now, Data: a.data, Evaluation: a.loop.Alive,
		Query: api.QueryHandlers{Proxy: query.ServeNamespace, Explain: x.serve, MemberDemands: d.serve},
	}
}

// data says what is missing before reads can be answered.
func (a *adapter) data() error {
	if err := a.objects.Unready(); err != nil {
		return err
	}
	if !a.catalog.Loaded() {
		return errors.New("the rules are not known yet")
	}
	if !a.hpasSynced() {
		return errors.New("the HorizontalPodAutoscalers are not known yet")
	}
	return a.loop.Ready()
}

// resourceOf finds the resource of a kind that an HPA describes.
func (a *adapter) resourceOf(kind schema.GroupVersionKind) (schema.GroupResource, error) {
	mapping, err := a.clients.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return schema.GroupResource{}, fmt.Errorf("kind %s is not known to the API server: %w", kind, err)
	}
	return mapping.Resource.GroupResource(), nil
}
