// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/scaler/members"
)

// Options is everything Run needs.
type Options struct {
	// Kubeconfig names the file with the API server's address and our credentials; "": those of the pod we run in.
	Kubeconfig string
	// QPS and Burst limit the requests to the API server, per kind of object; a negative QPS: no limit of our own.
	QPS   float32
	Burst int
	// Concurrency is how many objects of one kind may be worked on at once.
	Concurrency int

	// HealthAddress is where /livez and /readyz are served; "0": nowhere.
	HealthAddress string
	Metrics       Metrics
	Leader        LeaderElection
	// Histories is how many histories of demand may be read from query.plimsoll.dev at once.
	Histories int
	// MembersNamespace has the Secrets with the kubeconfigs of member clusters, and nothing else.
	MembersNamespace string
	// Now is the clock that decisions go by; nil: time.Now. Leases and intervals go by the real one.
	Now func() time.Time
}

// Metrics says how /metrics is served.
type Metrics struct {
	// Address to listen on; "0": nowhere.
	Address string
	// Secure serves HTTPS and asks the API server who reads and whether they may. Without it, Address must be a loopback
	// address.
	Secure bool
	// CertDir holds tls.crt and tls.key. Without these files a certificate is made for this process alone.
	CertDir string
}

// LeaderElection says how one of several scalers is chosen to act. The times are those of every Kubernetes controller.
type LeaderElection struct {
	Enabled bool
	// Namespace and Name of the Lease. Namespace "": that of the pod we run in.
	Namespace, Name string
	// LeaseDuration is how long a Lease counts that its holder does not renew.
	LeaseDuration time.Duration
	// RenewDeadline is how long the leader tries to renew before it gives up and ends.
	RenewDeadline time.Duration
	// RetryPeriod is the time between two attempts.
	RetryPeriod time.Duration
}

// DefaultOptions are the flags' defaults.
func DefaultOptions() Options {
	return Options{
		QPS: 300, Burst: 600,
		Concurrency:   8,
		HealthAddress: ":8081",
		Metrics:       Metrics{Address: ":8443", Secure: true},
		Leader: LeaderElection{
			Enabled: true, Name: "plimsoll-scaler",
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		},
		Histories:        2,
		MembersNamespace: members.DefaultNamespace,
	}
}

// Validate says what is wrong with the options before anything starts.
func (o *Options) Validate() error {
	errs := []error{o.Metrics.validate(), o.Leader.validate()}
	if o.Concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency is %d: it must be at least 1", o.Concurrency))
	}
	if o.QPS == 0 || o.QPS > 0 && o.Burst < 1 {
		errs = append(errs, fmt.Errorf("--kube-api-qps is %v with --kube-api-burst %d: give a rate and a burst of at least 1, or a negative rate for no limit", o.QPS, o.Burst))
	}
	if o.Histories < 1 {
		errs = append(errs, fmt.Errorf("--forecast-histories is %d: it must be at least 1", o.Histories))
	}
	if o.MembersNamespace == "" {
		errs = append(errs, errors.New("--members-namespace is empty: give the namespace that has the kubeconfigs of member clusters"))
	}
	if o.HealthAddress != "0" {
		if _, _, err := net.SplitHostPort(o.HealthAddress); err != nil {
			errs = append(errs, fmt.Errorf("--health-probe-bind-address is %q: write host:port, or 0 for none", o.HealthAddress))
		}
	}
	return errors.Join(errs...)
}

func (m Metrics) validate() error {
	if m.Address == "0" {
		return nil
	}
	host, _, err := net.SplitHostPort(m.Address)
	if err != nil {
		return fmt.Errorf("--metrics-bind-address is %q: write host:port, or 0 for none", m.Address)
	}
	if ip := net.ParseIP(host); !m.Secure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--metrics-bind-address is %q with --metrics-secure=false: whoever reaches it could read all metrics; use 127.0.0.1, or serve them securely", m.Address)
	}
	return nil
}

func (l LeaderElection) validate() error {
	switch {
	case !l.Enabled:
		return nil
	case l.Name == "":
		return errors.New("--leader-elect-lease-name is empty: give the Lease's name")
	case l.RetryPeriod <= 0 || l.RenewDeadline <= l.RetryPeriod || l.LeaseDuration <= l.RenewDeadline:
		return fmt.Errorf("--leader-elect-lease-duration %s must be more than --leader-elect-renew-deadline %s, and that more than --leader-elect-retry-period %s",
			l.LeaseDuration, l.RenewDeadline, l.RetryPeriod)
	}
	return nil
}

// restConfig is the client configuration for everything but leader election, which has a limit of its own.
func (o *Options) restConfig() (*rest.Config, error) {
	config, err := rest.InClusterConfig()
	if o.Kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("no way to the API server (--kubeconfig %q): %w", o.Kubeconfig, err)
	}
	config = rest.AddUserAgent(config, "plimsoll-scaler")
	config.QPS, config.Burst = o.QPS, o.Burst
	return config, nil
}
