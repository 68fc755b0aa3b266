// SPDX-License-Identifier: Apache-2.0

// Package certs makes and rotates the adapter's serving certificate, and keeps the caBundle of its APIServices right, so
// that the API server verifies every connection.
//
// The certificates live in one Secret that all replicas share; there is no leader. Every replica takes the same turns:
// read the APIServices, then the Secret, decide (plan.go, pure), write the Secret or else the bundles, then the files. A write is
// conditional on what was read; the slower of two replicas reads again.
//
// A rotation loses no read because trust goes first: a new certificate and its CA are put into the Secret and the CA is
// added to every bundle; only after that has had time to reach every API server is the new certificate served;
// and the old CA stays in the bundles until every replica can be expected to serve the new one.
// A Secret that has lost its data gets a new certificate at once; the CAs in the bundles stay trusted beside its own for the
// same time, so that a replica which still serves the lost certificate is verified until it serves the new one (adopt.go).
//
// Each certificate has a CA of its own, whose key is thrown away once it has signed. cert-controller makes and checks
// certificates; its controller is not used, because it replaces the bundle by one CA at the moment of rotation.
package certs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Options says what to keep right. RESTConfig, Secret, Service and CertDir are required.
type Options struct {
	RESTConfig *rest.Config
	// Secret is the one that all replicas share. It must exist; it may be empty.
	Secret types.NamespacedName
	// Service is the adapter's own: the certificate is for its DNS names, and APIServices that lead elsewhere are
	// left alone.
	Service types.NamespacedName
	// CertDir gets the files CertFile and KeyFile; it is made if need be.
	CertDir string
	// APIServices are the names of those whose caBundle to keep right, for example v1beta1.external.metrics.k8s.io.
	// One that does not exist is waited for.
	APIServices []string
	// Ready is called once, when the first certificate is on disk. Optional.
	Ready func()

	// Validity is how long a certificate is valid; a new one is made after two thirds of it. Default: 90 days.
	Validity time.Duration
	// Propagation is how long every API server gets to learn of a new CA before a certificate of it is served.
	// Default: 2 minutes.
	Propagation time.Duration
	// Grace is how long an old CA stays trusted after its certificate has been replaced. Default: 1 hour.
	Grace time.Duration
}

// CertFile is where the serving certificate is: the generic API server finds it with --cert-dir alone.
func CertFile(dir string) string { return filepath.Join(dir, "apiserver.crt") }

// KeyFile is where the private key is.
func KeyFile(dir string) string { return filepath.Join(dir, "apiserver.key") }

// DNSNames are the names that a certificate for a Service is made for; the API server asks for the first one.
func DNSNames(service types.NamespacedName) []string {
	short := service.Name + "." + service.Namespace + ".svc"
	return []string{short, short + ".cluster.local"}
}

// Run keeps certificate, bundles and files right until ctx ends; then it returns nil. Failures of the API server are
// logged and tried again; an error means that the options are wrong.
func Run(ctx context.Context, options Options) error {
	if err := options.complete(); err != nil {
		return err
	}
	cluster, err := newCluster(options)
	if err != nil {
		return err
	}
	r := &rotation{options: options, cluster: cluster, wake: make(chan struct{}, 1)}
	r.run(ctx)
	return nil
}

func (o *Options) complete() error {
	switch {
	case o.RESTConfig == nil:
		return errors.New("certs: no client configuration given")
	case o.Secret.Namespace == "" || o.Secret.Name == "":
		return errors.New("certs: the Secret needs a namespace and a name")
	case o.Service.Namespace == "" || o.Service.Name == "":
		return errors.New("certs: the Service needs a namespace and a name")
	case o.CertDir == "":
		return errors.New("certs: no folder for the certificate given")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		byDef time.Duration
	}{
		{"validity", &o.Validity, 90 * 24 * time.Hour},
		{"propagation", &o.Propagation, 2 * time.Minute},
		{"grace", &o.Grace, time.Hour},
	} {
		if *d.value < 0 {
			return fmt.Errorf("certs: the %s %s is negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.byDef
		}
	}
	if o.Validity < 3*(o.Propagation+time.Second) {
		return fmt.Errorf("certs: a validity of %s leaves no time for a propagation of %s; make it more than three times as long",
			o.Validity, o.Propagation)
	}
	return nil
}
