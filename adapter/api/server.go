// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	coreapi "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	customapi "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/custommetrics"
	externalapi "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

// Server is the aggregated API server.
type Server struct {
	generic *genericapiserver.GenericAPIServer
}

// New makes a server that listens but does not serve yet.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	metrics, err := NewMetrics(o.Registry)
	if err != nil {
		return nil, fmt.Errorf("registering the API server's metrics: %w", err)
	}
	config, err := o.config(metrics)
	if err != nil {
		return nil, err
	}
	return o.install(config, metrics)
}

// config is the generic API server's, from the flags.
func (o *Options) config(metrics *Metrics) (*genericapiserver.Config, error) {
	s := o.Serving
	if err := s.defaultCertificate(); err != nil {
		return nil, err
	}
	c := &genericapiserver.NewRecommendedConfig(apiserver.Codecs).Config
	if err := s.SecureServing.ApplyTo(&c.SecureServing, &c.LoopbackClientConfig); err != nil {
		return nil, fmt.Errorf("opening the port: %w", err)
	}
	if err := s.Authentication.ApplyTo(&c.Authentication, c.SecureServing, nil); err != nil {
		return nil, fmt.Errorf("setting up authentication: %w", err)
	}
	authorizer, err := s.authorizer(metrics)
	if err != nil {
		return nil, fmt.Errorf("setting up authorization: %w", err)
	}
	c.Authorization.Authorizer = authorizer
	if err := s.Audit.ApplyTo(c); err != nil {
		return nil, fmt.Errorf("setting up auditing: %w", err)
	}
	if err := s.Features.ApplyTo(c, nil, nil); err != nil {
		return nil, fmt.Errorf("setting up features: %w", err)
	}
	c.ShutdownDelayDuration = s.ShutdownDelay
	c.RequestInfoResolver = hotInfo{genericapiserver.NewRequestInfoResolver(c)}
	o.document(c)
	c.AddReadyzChecks(healthz.NamedCheck("data", func(*http.Request) error { return o.Data() }))
	if err := addProxyTrust(c); err != nil {
		return nil, err
	}
	c.AddLivezChecks(healthz.NamedCheck("evaluation", func(*http.Request) error { return o.Evaluation() }))
	return c, nil
}

// document describes the API in OpenAPI.
func (o *Options) document(c *genericapiserver.Config) {
	definitions := func(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		all := coreapi.GetOpenAPIDefinitions(ref)
		for _, more := range []map[string]common.OpenAPIDefinition{customapi.GetOpenAPIDefinitions(ref), externalapi.GetOpenAPIDefinitions(ref)} {
			for name, d := range more {
				all[name] = d
			}
		}
		return all
	}
	names := openapi.NewDefinitionNamer(apiserver.Scheme)
	c.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, names)
	c.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, names)
	for _, info := range []*spec.Info{c.OpenAPIConfig.Info, c.OpenAPIV3Config.Info} {
		info.Title, info.Version = o.Name, "v1"
	}
}

// install puts the API groups and both ways to their values into a server.
func (o *Options) install(c *genericapiserver.Config, metrics *Metrics) (*Server, error) {
	lookup := &reader{store: o.Store, objects: o.Objects, demand: o.Demand, now: o.Now}
	lists := &directory{store: o.Store, apis: o.APIs}
	var failed error
	c.BuildHandlerChainFunc = func(inner http.Handler, c *genericapiserver.Config) http.Handler {
		fast, err := newFastPath(lookup, metrics, o.APIs, lists.handler(inner))
		if err != nil {
			failed = err
			return inner
		}
		return buildChain(fast, c)
	}
	library := &libraryProvider{reader: lookup, metrics: metrics, discovery: lists}
	var custom provider.CustomMetricsProvider
	var external provider.ExternalMetricsProvider
	if o.APIs.Custom {
		custom = library
	}
	if o.APIs.External {
		external = library
	}
	server, err := (&apiserver.Config{GenericConfig: c}).Complete(nil).New(o.Name, custom, external)
	if err != nil {
		return nil, fmt.Errorf("making the API server: %w", err)
	}
	if failed != nil {
		return nil, failed
	}
	generic := server.GenericAPIServer
	if o.APIs.Query {
		installQuery(generic, o.Query)
	}
	if err := lists.attach(generic); err != nil {
		return nil, err
	}
	generic.Handler.NonGoRestfulMux.Unregister("/metrics") // the library's shows only the generic API server's
	generic.Handler.NonGoRestfulMux.Handle("/metrics", metricsHandler(o.Registry))
	return &Server{generic}, nil
}

// metricsHandler shows the process' and the generic API server's metrics together with our own.
func metricsHandler(own prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{legacyregistry.DefaultGatherer, own}, promhttp.HandlerOpts{})
}

// Run serves until ctx ends. Then the server says that it is not ready, goes on serving for the shutdown delay, and finishes
// the requests it has.
func (s *Server) Run(ctx context.Context) error {
	return s.generic.PrepareRun().RunWithContext(ctx)
}

// Groups are the group versions that need an APIService.
func (a APIs) Groups() []schema.GroupVersion {
	var out []schema.GroupVersion
	if a.Custom {
		out = append(out, schema.GroupVersion{Group: customGroup, Version: "v1beta1"}, schema.GroupVersion{Group: customGroup, Version: "v1beta2"})
	}
	if a.External {
		out = append(out, schema.GroupVersion{Group: externalGroup, Version: "v1beta1"})
	}
	if a.Query {
		out = append(out, queryVersion)
	}
	return out
}
