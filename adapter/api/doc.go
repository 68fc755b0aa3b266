// SPDX-License-Identifier: Apache-2.0

// Package api is the aggregated API server: custom.metrics.k8s.io and external.metrics.k8s.io as the HPA reads them, and
// query.plimsoll.dev in front of the metric source.
//
// A read goes through the generic API server's whole filter chain (authentication, authorization, audit, limits). Behind it
// stand two ways to the same answer. The fast path takes the exact requests that the HPA makes, finds the values in memory
// and writes protobuf by hand. Everything else, and every error, takes the handlers of custom-metrics-apiserver. Both use
// the same lookup (reader), and tests compare their answers byte by byte.
package api
