// SPDX-License-Identifier: Apache-2.0

// Package objects knows which objects a label selector means, from memory. Pods are watched always, other resources from
// their first selector read until nobody has asked for a while. Only metadata is requested, and of that only names and
// labels are kept.
package objects
