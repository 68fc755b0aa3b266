// SPDX-License-Identifier: Apache-2.0

// Package e2e has no code, only tests: of the programs as users run them, on a local cluster with the real HPA controller
// and a real Prometheus, installed from the manifests and under their own accounts. The tests of faults (make test-faults)
// have the build tag faults.
package e2e
