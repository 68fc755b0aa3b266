// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// A decision for 100 members and 100,000 replicas while a tenth of the members is on its way back.
func BenchmarkDecide(b *testing.B) {
	o := divide.Observed{Replicas: 100_000, Options: divide.DefaultOptions(), Salt: "shop"}
	s := divide.State{Replicas: 100_000, Members: map[string]divide.Kept{}}
	for i := range 100 {
		m := healthy(fmt.Sprintf("cluster-%d", i), 1000, 1000)
		m.Weight = int64(500 + i*7)
		kept := divide.Kept{Replicas: 1000}
		if i%10 == 0 {
			m.Replicas, m.Ready, kept = 10, 10, divide.Kept{Replicas: 10, Away: true, Stage: 10, StageSince: noon.Add(-time.Minute)}
		}
		o.Members, s.Members[m.Name] = append(o.Members, m), kept
	}
	for b.Loop() {
		if p := divide.Decide(o, s, noon); len(p.Targets) != 100 {
			b.Fatal(p.Notes)
		}
	}
}
