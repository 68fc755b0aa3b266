// SPDX-License-Identifier: Apache-2.0

// Package stack sets up the whole stage on which the demo, the integration tests and the benchmarks play: a local
// cluster (bin/localcluster), the manifests that users apply, and adapters (bin/adapter) and scalers (bin/scaler) that
// run as processes with the rights of their own ServiceAccounts.
//
// The API server reaches the adapters through the Service plimsoll-adapter, which leads to a port on localhost. There
// a balancer of ours does what kube-proxy and readiness probes do in a real cluster; Options.Direct leaves it out.
//
// Everything ends with Stop, and also when the process that called Start ends in any other way.
package stack
