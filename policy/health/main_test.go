// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"flag"
	"os"
	"testing"
)

// 10,000 random cases of each property, unless another number is asked for.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue && !testing.Short() {
		if err := flag.Set("rapid.checks", "10000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
