// SPDX-License-Identifier: Apache-2.0

package scaler

import "fmt"

func scalerName(i int) string { return fmt.Sprintf("scaler-%d", i) }

// scalerFlags make a change of leader short, as long as the tests' machine is not at a standstill.
func scalerFlags() []string {
	return []string{"--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s"}
}
