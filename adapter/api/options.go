// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// APIs says which API groups are served.
type APIs struct{ Custom, External, Query bool }

// Serving is how the server listens, authenticates and authorizes: the flags that every aggregated API server has.
type Serving struct {
	SecureServing  *genericoptions.SecureServingOptionsWithLoopback
	Authentication *genericoptions.DelegatingAuthenticationOptions
	Authorization  *genericoptions.DelegatingAuthorizationOptions
	Audit          *genericoptions.AuditOptions
	Features       *genericoptions.FeatureOptions
	// ShutdownDelay is how long the server goes on serving after it has begun to say that it is not ready, so that no
	// request is sent to it any more when it stops listening. Default 5s.
	ShutdownDelay time.Duration

	reviewTimeout time.Duration // of one SubjectAccessReview
}

// NewServing returns the defaults. What a caller may do is remembered for 5 minutes (an HPA reads every 15 s), a refusal for
// 10 s. Priority and fairness is off: what reaches this server has been through the API server's.
func NewServing() *Serving {
	s := &Serving{
		SecureServing:  genericoptions.NewSecureServingOptions().WithLoopback(),
		Authentication: genericoptions.NewDelegatingAuthenticationOptions(),
		Authorization:  genericoptions.NewDelegatingAuthorizationOptions(),
		Audit:          genericoptions.NewAuditOptions(),
		Features:       genericoptions.NewFeatureOptions(),
		ShutdownDelay:  5 * time.Second,
		reviewTimeout:  reviewTimeout,
	}
	s.Authorization.AllowCacheTTL = 5 * time.Minute
	s.Authorization.DenyCacheTTL = 10 * time.Second
	s.Features.EnablePriorityAndFairness = false
	return s
}

// AddFlags adds the generic API server's flags.
func (s *Serving) AddFlags(fs *pflag.FlagSet) {
	s.SecureServing.AddFlags(fs)
	s.Authentication.AddFlags(fs)
	s.Authorization.AddFlags(fs)
	s.Audit.AddFlags(fs)
	s.Features.AddFlags(fs)
	fs.DurationVar(&s.ShutdownDelay, "shutdown-delay-duration", s.ShutdownDelay,
		"How long to go on serving, not ready, after the signal to end.")
}

// Validate checks the flags' values.
func (s *Serving) Validate() error {
	var errs []error
	errs = append(errs, s.SecureServing.Validate()...)
	errs = append(errs, s.Authentication.Validate()...)
	errs = append(errs, s.Authorization.Validate()...)
	errs = append(errs, s.Audit.Validate()...)
	errs = append(errs, s.Features.Validate()...)
	if s.ShutdownDelay < 0 {
		errs = append(errs, fmt.Errorf("--shutdown-delay-duration is %s: it must not be negative", s.ShutdownDelay))
	}
	if s.Features.EnablePriorityAndFairness {
		errs = append(errs, errors.New("--enable-priority-and-fairness is not supported: requests have been through the API server's"))
	}
	return errors.Join(errs...)
}

// defaultCertificate makes a self-signed certificate if none is given, as all generic API servers do.
func (s *Serving) defaultCertificate() error {
	if err := s.SecureServing.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return fmt.Errorf("making a self-signed serving certificate: %w", err)
	}
	return nil
}

// Options is what a server needs.
type Options struct {
	Name    string // for logs and the OpenAPI document; default plimsoll-adapter
	Serving *Serving
	APIs    APIs

	Store    *snapshot.Store
	Objects  *objects.Objects
	Demand   Demand               // nil: rules that rest are not evaluated for a read
	Query    QueryHandlers        // needed if APIs.Query
	Registry *prometheus.Registry // without collectors for the process and the Go runtime: the generic API server has them

	Data       func() error     // why there is nothing to serve yet: the check "data" of /readyz
	Evaluation func() error     // why evaluations have stopped: the check "evaluation" of /livez
	Now        func() time.Time // default time.Now
}

func (o *Options) complete() error {
	if o.Name == "" {
		o.Name = "plimsoll-adapter"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.APIs == APIs{}:
		return errors.New("no API is to be served: name at least one of custom, external, query")
	case o.Serving == nil || o.Store == nil || o.Registry == nil || o.Data == nil || o.Evaluation == nil:
		return errors.New("the server needs Serving, Store, Registry, Data and Evaluation")
	case o.APIs.Custom && o.Objects == nil:
		return errors.New("custom metrics need Objects")
	case o.APIs.Query && (o.Query.Proxy == nil || o.Query.Explain == nil || o.Query.MemberDemands == nil):
		return errors.New("the query API needs Query.Proxy, Query.Explain and Query.MemberDemands")
	}
	return nil
}
