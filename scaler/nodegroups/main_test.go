// SPDX-License-Identifier: Apache-2.0

package nodegroups_test

import (
	"flag"
	"os"
	"testing"

	"github.com/plimsoll/plimsoll/scaler/leaktest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // parallel tests wait for time-outs, which takes no CPU; go test's own -parallel wins
	os.Exit(leaktest.Run(m))
}
