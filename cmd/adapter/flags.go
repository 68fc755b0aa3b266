// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	cliflag "k8s.io/component-base/cli/flag"

	"github.com/plimsoll/plimsoll/adapter"
	"github.com/plimsoll/plimsoll/adapter/api"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/embedded"
)

// flags are the command line's words; complete turns them into options.
type flags struct {
	options *adapter.Options
	urls    []string
	source  source.Options // what all --prometheus-url have in common
	headers []string
	apis    []string
	service string
}

func (f *flags) sets() cliflag.NamedFlagSets {
	var sets cliflag.NamedFlagSets
	o := f.options
	fs := sets.FlagSet("Metric source")
	fs.StringArrayVar(&f.urls, "prometheus-url", nil, "Address of a Prometheus-compatible HTTP API, without credentials. Given again, the further ones are asked when the ones before fail.")
	fs.StringVar(&f.source.CAFile, "prometheus-ca-file", "", "File with the CA certificates that the source's certificate is verified against. Default: the system's. This and the files below are read again when they change.")
	fs.StringVar(&f.source.CertFile, "prometheus-cert-file", "", "File with the client certificate for the source.")
	fs.StringVar(&f.source.KeyFile, "prometheus-key-file", "", "File with the key of --prometheus-cert-file.")
	fs.StringVar(&f.source.ServerName, "prometheus-server-name", "", "Name that the source's certificate must have. Default: the host of --prometheus-url.")
	fs.StringVar(&f.source.BearerTokenFile, "prometheus-token-file", "", "File with a bearer token for the source.")
	fs.StringVar(&f.source.UsernameFile, "prometheus-username-file", "", "File with the user name for basic authentication at the source.")
	fs.StringVar(&f.source.PasswordFile, "prometheus-password-file", "", "File with the password for basic authentication at the source.")
	fs.StringArrayVar(&f.headers, "prometheus-header", nil, "Extra header for the source, as Name=value, or Name=@file for a value that is secret or changes. May be given again.")
	fs.StringVar(&o.Embedded.ScrapeConfigFile, "scrape-config", "", "File with scrape_configs as in prometheus.yml: the adapter scrapes by itself and needs no Prometheus.")
	fs.StringVar(&o.Embedded.DataDir, "storage-dir", "plimsoll-data", "Folder for the samples of --scrape-config.")
	fs.DurationVar(&o.Embedded.Retention, "storage-retention", embedded.DefaultRetention, "How long the samples of --scrape-config are kept.")
	fs.IntVar(&o.Concurrency, "concurrency", o.Concurrency, "Queries to the source that may be under way at once.")

	fs = sets.FlagSet("Kubernetes")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", "", "File with the API server's address and credentials. Default: those of the pod the adapter runs in.")
	fs.StringSliceVar(&f.apis, "apis", []string{"custom", "external", "query"}, "Which APIs to serve: custom (custom.metrics.k8s.io), external (external.metrics.k8s.io), query (query.plimsoll.dev).")
	fs.BoolVar(&o.Shadow, "shadow", false, "Serve beside another adapter: leave the APIServices of the metrics APIs to it.")
	fs.StringVar(&f.service, "service", o.Service.String(), "The adapter's Service, as namespace/name: its certificate is made for it, and its APIServices lead to it.")
	fs.StringVar(&o.TLSSecret, "tls-secret", o.TLSSecret, "Secret in the Service's namespace that holds the serving certificate, which the adapter makes and rotates. Empty: the certificate of --tls-cert-file, or one for this process alone.")
	fs.DurationVar(&o.Certificate.Validity, "certificate-validity", 0, "How long a certificate in --tls-secret is valid; it is replaced when a third of that is left. Default: 90 days.")
	fs.DurationVar(&o.Certificate.Propagation, "certificate-propagation", 0, "How long every API server gets to learn of a new CA before a certificate of it is served. Default: 2 minutes.")
	fs.DurationVar(&o.Certificate.Grace, "certificate-grace", 0, "How long an old CA stays trusted after its certificate has been replaced. Default: 1 hour.")
	fs.StringVar(&o.Identity, "identity", "", "Name that tells this replica from others. Default: the host name.")

	o.Serving.AddFlags(sets.FlagSet("Serving"))
	return sets
}

func (f *flags) complete() error {
	namespace, name, ok := strings.Cut(f.service, "/")
	if !ok {
		return fmt.Errorf("--service is %q: write namespace/name", f.service)
	}
	f.options.Service = types.NamespacedName{Namespace: namespace, Name: name}
	f.options.APIs = api.APIs{}
	for _, a := range f.apis {
		switch a {
		case "custom":
			f.options.APIs.Custom = true
		case "external":
			f.options.APIs.External = true
		case "query":
			f.options.APIs.Query = true
		default:
			return fmt.Errorf("--apis has %q: it may have custom, external and query", a)
		}
	}
	f.source.Headers = map[string]source.HeaderValue{}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return fmt.Errorf("--prometheus-header is %q: write Name=value or Name=@file", h)
		}
		header := source.HeaderValue{Value: value}
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			header = source.HeaderValue{File: file}
		}
		f.source.Headers[name] = header
	}
	for _, u := range f.urls {
		s := f.source
		s.URL = u
		f.options.Prometheus = append(f.options.Prometheus, s)
	}
	return nil
}
