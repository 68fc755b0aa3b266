// SPDX-License-Identifier: Apache-2.0

// Package process starts programs that outlive their starter and ends exactly those again.
//
// A process is known by its number, its start time and the boot of the machine: a number alone is given
// to another program sooner or later. Signals go through a pidfd, so that even between the check and the
// signal the number cannot change hands. It needs Linux.
package process
