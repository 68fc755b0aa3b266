// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"time"
)

// AllowedShare is which part of the time that the HPA alone was short of capacity the planned shop may be.
const AllowedShare = 1.0 / 3

// Comparison is the same day in two shops: one with an HPA alone, one with schedule, forecast and override beside it.
type Comparison struct {
	Alone, Planned Run
	Target         Target
	Lead           time.Duration // how far ahead the forecast looks, if the scaler has measured that; 0: it has not
	// Untaught says that the forecast knew no earlier day, so that it could not help with what is usual.
	Untaught       bool
	alone, planned Supply
}

// Compare measures both days.
func Compare(alone, planned Run, t Target) Comparison {
	return Comparison{Alone: alone, Planned: planned, Target: t, alone: Measure(alone.Samples, t), planned: Measure(planned.Samples, t)}
}

// Share is the planned shop's time short of capacity as a part of the other's; infinite if only the planned one ever was short.
func (c Comparison) Share() float64 {
	switch {
	case c.planned.Short == 0:
		return 0
	case c.alone.Short == 0:
		return math.Inf(1)
	}
	return float64(c.planned.Short) / float64(c.alone.Short)
}

// Reasons says why the day did not show what it was to show; empty: it did.
func (c Comparison) Reasons() []string {
	var reasons []string
	for _, run := range []Run{c.Alone, c.Planned} {
		for _, reason := range Judge(run.Samples, c.Target).Reasons {
			reasons = append(reasons, run.Name+": "+reason)
		}
	}
	if len(reasons) > 0 {
		return reasons
	}
	if c.Untaught {
		return nil
	}
	if c.alone.Short == 0 {
		reasons = append(reasons, c.Alone.Name+" was never short of capacity, so that there was nothing to gain")
	} else if c.Share() > AllowedShare {
		reasons = append(reasons, fmt.Sprintf("%s was short of capacity for %s, which is more than a third of %s",
			c.Planned.Name, seconds(c.planned.Short), seconds(c.alone.Short)))
	}
	return reasons
}
