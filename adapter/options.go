// SPDX-License-Identifier: Apache-2.0

// Package adapter is the metrics adapter as a function: rules and HPAs are watched, demanded rules are evaluated against a
// source, and the values are served from memory through the aggregated API. Its packages, in the order in which a number
// travels: source (asks PromQL), rule and catalog (what to ask), demand (whether to ask), evaluate (when to ask), snapshot
// (what was said), objects (which pods a selector means), api (what the HPA reads); certs and queryapi stand beside.
package adapter

import (
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/adapter/api"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/embedded"
)

// Options is everything Run needs.
type Options struct {
	// Kubeconfig names the file with the API server's address and our credentials; "": those of the pod we run in.
	Kubeconfig string
	Serving    *api.Serving
	APIs       api.APIs
	// Shadow serves beside another adapter: the APIServices of the metrics APIs belong to it and are left alone.
	Shadow bool

	// Prometheus are the sources in order of preference. Without any, Embedded collects the values itself.
	Prometheus []source.Options
	Embedded   embedded.Options
	// Concurrency is how many queries may be under way at once.
	Concurrency int

	// Service is the adapter's own, for whose name the certificate is made and to which its APIServices lead.
	Service types.NamespacedName
	// TLSSecret is the name of the Secret, in the Service's namespace, that replicas share their certificate through. "":
	// the certificate comes from --tls-cert-file, or is made for this process alone.
	TLSSecret string
	// Certificate holds the times of rotation; 0: the defaults of package certs.
	Certificate CertificateTimes
	// Identity tells replicas apart; the host's name by default.
	Identity string
}

// CertificateTimes say how the certificate in TLSSecret is rotated; see certs.Options.
type CertificateTimes struct{ Validity, Propagation, Grace time.Duration }

// DefaultOptions are the flags' defaults.
func DefaultOptions() Options {
	serving := api.NewServing()
	serving.SecureServing.BindPort = 6443
	serving.SecureServing.ServerCert.CertDirectory = "/run/plimsoll"
	return Options{
		Serving:     serving,
		APIs:        api.APIs{Custom: true, External: true, Query: true},
		Concurrency: 8,
		Service:     types.NamespacedName{Namespace: "plimsoll-system", Name: "plimsoll-adapter"},
		TLSSecret:   "plimsoll-adapter-tls",
	}
}

// Validate says what is wrong with the options before anything starts.
func (o *Options) Validate() error {
	var errs []error
	switch {
	case len(o.Prometheus) == 0 && o.Embedded.ScrapeConfigFile == "":
		errs = append(errs, errors.New("no metric source: give --prometheus-url, or --scrape-config for the embedded engine"))
	case len(o.Prometheus) > 0 && o.Embedded.ScrapeConfigFile != "":
		errs = append(errs, errors.New("two kinds of metric source: give either --prometheus-url or --scrape-config"))
	}
	if o.Concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency is %d: it must be at least 1", o.Concurrency))
	}
	if o.APIs == (api.APIs{}) {
		errs = append(errs, errors.New("--apis names no API: give at least one of custom, external, query"))
	}
	if o.Service.Namespace == "" || o.Service.Name == "" {
		errs = append(errs, fmt.Errorf("--service is %q: write namespace/name", o.Service))
	}
	return errors.Join(append(errs, o.Serving.Validate())...)
}

// restConfig is the client configuration for watching and for statuses.
func (o *Options) restConfig() (*rest.Config, error) {
	config, err := rest.InClusterConfig()
	if o.Kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("no way to the API server (--kubeconfig %q): %w", o.Kubeconfig, err)
	}
	config = rest.AddUserAgent(config, "plimsoll-adapter")
	config.QPS, config.Burst = 50, 100 // status writes of many rules at the start; reads cost nothing here
	return config, nil
}

func (o *Options) identity() string {
	if o.Identity != "" {
		return o.Identity
	}
	host, err := os.Hostname()
	if err != nil {
		return "plimsoll-adapter"
	}
	return host
}

// managesCertificate: a certificate given by flags is somebody else's to rotate.
func (o *Options) managesCertificate() bool {
	given := o.Serving.SecureServing.ServerCert.CertKey
	return o.TLSSecret != "" && given.CertFile == "" && given.KeyFile == ""
}

// apiServices are the names of the APIServices that are ours.
func (o *Options) apiServices() []string {
	apis := o.APIs
	if o.Shadow {
		apis.Custom, apis.External = false, false
	}
	var names []string
	for _, gv := range apis.Groups() {
		names = append(names, gv.Version+"."+gv.Group)
	}
	return names
}
