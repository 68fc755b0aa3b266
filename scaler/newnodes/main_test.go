// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that the tests left behind. One that is about to end may wait long for the CPU, so goleak's
// own half a second is not the last word.
func TestMain(m *testing.M) {
	code := m.Run()
	for deadline := time.Now().Add(30 * time.Second); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
