// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"testing"

	"github.com/plimsoll/plimsoll/scaler/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
