// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// fleets are the named shapes of the benchmarks: apps x pods each.
var fleets = []struct {
	name       string
	apps, pods int
}{
	{"10-apps-x-200-pods", 10, 200},
	{"1000-apps-x-10-pods", 1000, 10},
	{"10000-apps-x-10-pods", 10_000, 10},
}

// answer is a combined answer for a fleet, in random order as a source gives it.
func answer(apps, pods int) []source.Sample {
	var out []source.Sample
	for a := range apps {
		for p := range pods {
			ns, pod := fmt.Sprintf("team-%d", a%100), fmt.Sprintf("app-%d-7c9f8d6b5-%05d", a, p)
			out = append(out, valueOf(float64(p), "namespace", ns, "pod", pod), timeOf("t0", time.Second, "namespace", ns, "pod", pod))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// BenchmarkBuild takes in an answer: the first of a fleet, and the next one of the same fleet.
func BenchmarkBuild(b *testing.B) {
	b.Run("first", func(b *testing.B) { benchmarkBuild(b, false) })
	b.Run("steady", func(b *testing.B) { benchmarkBuild(b, true) })
}

func benchmarkBuild(b *testing.B, steady bool) {
	r := podRule(b, `sum by (namespace, pod) (online_users)`)
	for _, f := range fleets {
		b.Run(f.name, func(b *testing.B) {
			samples := answer(f.apps, f.pods)
			var previous *Table
			if steady {
				previous = build(b, r, samples...)
			}
			b.ReportAllocs()
			for b.Loop() {
				builder := NewBuilder(r, now, previous)
				for i := range samples {
					if err := builder.Add(samples[i]); err != nil {
						b.Fatal(err)
					}
				}
				table, err := builder.Table("bench")
				if err != nil || table.Objects() != f.apps*f.pods {
					b.Fatal(err, table.Objects())
				}
			}
		})
	}
}

// BenchmarkFind looks up the ten pods of one app.
func BenchmarkFind(b *testing.B) {
	r := podRule(b, `sum by (namespace, pod) (online_users)`)
	for _, f := range fleets {
		b.Run(f.name, func(b *testing.B) {
			e := &Entry{Rule: r}
			e.Publish(build(b, r, answer(f.apps, f.pods)...), Outcome{Time: now})
			var names []Object
			for p := range 10 {
				names = append(names, Object{"team-7", fmt.Sprintf("app-7-7c9f8d6b5-%05d", p)})
			}
			b.ReportAllocs()
			for b.Loop() {
				sum := 0.0
				table := e.Table()
				for _, o := range names {
					rows := table.Find(o)
					if len(rows) == 1 && e.Usable(&rows[0], now) {
						sum += rows[0].Value
					}
				}
				if sum != 45 {
					b.Fatal(sum)
				}
			}
		})
	}
}
