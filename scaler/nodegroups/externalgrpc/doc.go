// SPDX-License-Identifier: Apache-2.0

// Package externalgrpc is cluster-autoscaler's protocol for node groups outside of it, generated from externalgrpc.proto,
// which says how its generations differ.
//
// After a change there, `go generate .` writes the code anew. It needs neither protoc nor buf: the folder generate is a
// Go module of its own with a compiler for proto files and the two official generators, whose versions are in its go.mod.
package externalgrpc

//go:generate go run -C generate .
