// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the kinds of the API group plimsoll.dev, and compiles them into the plain specs of policy.
//
// It needs apimachinery only, so that any program can import it. Deep copies and the CRDs in manifests/crd are
// generated from the types and their markers by `make generate`.
//
// +kubebuilder:object:generate=true
// +groupName=plimsoll.dev
package v1alpha1

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 object:headerFile=header.txt crd:maxDescLen=1000 paths=. output:crd:dir=../../manifests/crd
