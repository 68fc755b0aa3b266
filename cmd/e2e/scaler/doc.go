// SPDX-License-Identifier: Apache-2.0

// Package scaler has no code, only tests: of the scaler as users run it, on a local cluster with the real HPA controller
// and a real Prometheus, installed from the manifests and under its own account. The tests of faults (make test-faults)
// have the build tag faults.
package scaler
