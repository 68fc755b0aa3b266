// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"os"
	"testing"

	"github.com/plimsoll/plimsoll/scaler/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }
