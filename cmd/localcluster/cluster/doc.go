// SPDX-License-Identifier: Apache-2.0

// Package cluster brings up, inspects and ends local clusters: etcd, the Kubernetes control plane, kwok
// nodes and, if asked for, a Prometheus, all on loopback.
//
// Everything about a cluster is in its folder. state.json there is written before the first process
// starts and after every change, so that whatever happens to the program that started a cluster, the next
// one can end exactly the processes that belong to it.
package cluster
