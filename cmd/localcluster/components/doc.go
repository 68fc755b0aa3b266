// SPDX-License-Identifier: Apache-2.0

// Package components builds the programs of a local cluster (etcd, the Kubernetes control plane, kwok,
// Prometheus) from source, once per machine, and says where they are.
//
// A build is named by everything that decides its outcome (see Recipe.Key), is made in a temporary folder
// and appears under its name by one rename, so a build is either whole or not there.
package components
