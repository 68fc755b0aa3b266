// SPDX-License-Identifier: Apache-2.0

// Package clusters has no code, only tests of faults (make test-faults, build tag faults): a hub with the scaler as users
// run it, under its own account, and three real member clusters with what manifests/member gives, of which one or two fail
// in every way that we know. Times that a user waits for are shortened: members are asked every second and Failed after 3,
// Healthy after 3 (defaults: 10, 30 and 60), and replicas move after 5 and come back after 5 (60, and 5 minutes).
package clusters
