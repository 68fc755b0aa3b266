// SPDX-License-Identifier: Apache-2.0

// Package leaktest runs the tests of packages that must leave no goroutine behind.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a goroutine may take to end: one that is about to may wait long for the CPU, so goleak's own half a
// second is not the last word.
const patience = 30 * time.Second

// Run runs the tests and returns the code to exit with, which is not 0 either if a goroutine is left that does not end.
func Run(m *testing.M) int {
	code := m.Run()
	for deadline := time.Now().Add(patience); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}
