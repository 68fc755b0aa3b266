// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package e2e

// adapters is how many replicas of the adapter serve side by side in these tests.
const adapters = 2
