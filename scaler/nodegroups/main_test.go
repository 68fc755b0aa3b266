// SPDX-License-Identifier: Apache-2.0

package nodegroups_test

import (
	"flag"
	"testing"

	"github.com/plimsoll/plimsoll/scaler/leaktest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // parallel tests wait for time-outs, which takes no CPU; go test's own -parallel wins
	leaktest.Main(m)
}
