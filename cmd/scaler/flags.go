// SPDX-License-Identifier: Apache-2.0

package main

import (
	cliflag "k8s.io/component-base/cli/flag"

	"github.com/plimsoll/plimsoll/scaler"
)

// flagSets are the command line's words for the options, whose values are the defaults.
func flagSets(o *scaler.Options) cliflag.NamedFlagSets {
	var sets cliflag.NamedFlagSets
	fs := sets.FlagSet("Kubernetes")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", "", "File with the API server's address and credentials. Default: those of the pod the scaler runs in.")
	fs.Float32Var(&o.QPS, "kube-api-qps", o.QPS, "Requests per second to the API server, for each kind of object. Negative: no limit but the API server's own.")
	fs.IntVar(&o.Burst, "kube-api-burst", o.Burst, "Requests that may exceed --kube-api-qps for a moment.")
	fs.IntVar(&o.Concurrency, "concurrency", o.Concurrency, "Objects of one kind that may be worked on at once.")

	fs = sets.FlagSet("Leader election")
	fs.BoolVar(&o.Leader.Enabled, "leader-elect", o.Leader.Enabled, "Act only while holding a Lease, so that one of several scalers acts. Without it, run one scaler.")
	fs.StringVar(&o.Leader.Namespace, "leader-elect-lease-namespace", "", "Namespace of the Lease. Default: that of the pod the scaler runs in.")
	fs.StringVar(&o.Leader.Name, "leader-elect-lease-name", o.Leader.Name, "Name of the Lease.")
	fs.DurationVar(&o.Leader.LeaseDuration, "leader-elect-lease-duration", o.Leader.LeaseDuration, "How long a Lease counts that its holder does not renew.")
	fs.DurationVar(&o.Leader.RenewDeadline, "leader-elect-renew-deadline", o.Leader.RenewDeadline, "How long the leader tries to renew its Lease before it ends.")
	fs.DurationVar(&o.Leader.RetryPeriod, "leader-elect-retry-period", o.Leader.RetryPeriod, "Time between two attempts to get or renew the Lease.")

	fs = sets.FlagSet("Forecasts")
	fs.IntVar(&o.Histories, "forecast-histories", o.Histories, "Histories of demand that may be read from query.plimsoll.dev at once, which is what costs the metric source most.")

	fs = sets.FlagSet("Member clusters")
	fs.StringVar(&o.MembersNamespace, "members-namespace", o.MembersNamespace, "Namespace of the Secrets with the kubeconfigs of member clusters. All of its Secrets are read, so keep nothing else there.")

	fs = sets.FlagSet("Serving")
	fs.StringVar(&o.HealthAddress, "health-probe-bind-address", o.HealthAddress, "Address for /livez and /readyz over HTTP. 0: none.")
	fs.StringVar(&o.Metrics.Address, "metrics-bind-address", o.Metrics.Address, "Address for /metrics. 0: none.")
	fs.BoolVar(&o.Metrics.Secure, "metrics-secure", o.Metrics.Secure, "Serve /metrics over HTTPS, to those whom the API server lets get the path /metrics. False is for loopback addresses only.")
	fs.StringVar(&o.Metrics.CertDir, "metrics-cert-dir", "", "Folder with tls.crt and tls.key for /metrics; renewed files are used without a restart. Default, or where they are missing at the start: a certificate made for this process alone.")
	return sets
}
