// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// IncompleteLabel is carried by the rows of a sum in which clusters are missing, and names them.
const IncompleteLabel = "plimsoll.dev/incomplete"

// Sum adds up what a rule's query said in several clusters: rows with the same labels become one, which is as old as the
// oldest of all. Missing are the clusters that count as 0, which every row then says. The parts stay with the table, so that
// the next sum can fall back on them. It fails if a part has a value with no sample behind it: nobody can tell that from
// the value of a dead source.
func Sum(r *rule.Rule, evaluated time.Time, parts map[string]*Table, missing []string) (*Table, error) {
	plain := *r // the parts are of one namespace, within maxSeries, and their guards hold
	plain.Guard, plain.Times = "", []rule.Time{{Part: "t0"}}
	b := NewBuilder(&plain, evaluated, nil)
	sums, err := add(r, parts)
	if err != nil {
		return nil, err
	}
	var oldest time.Time
	for _, one := range sums {
		if oldest.IsZero() || one.Time.Before(oldest) {
			oldest = one.Time
		}
		if len(missing) > 0 {
			one.Labels = append(slices.Clone(one.Labels), source.Label{Name: IncompleteLabel, Value: strings.Join(missing, ",")})
		}
		if err := b.Add(source.Sample{Labels: one.Labels, Value: one.Value}); err != nil {
			return nil, err
		}
	}
	if !oldest.IsZero() {
		age := source.Sample{Labels: []source.Label{{Name: rule.PartLabel, Value: "t0"}}, Value: float64(oldest.UnixMilli()) / 1000}
		if err := b.Add(age); err != nil {
			return nil, err
		}
	}
	t, err := b.Table(describeParts(parts, missing))
	if err != nil {
		return nil, err
	}
	t.Parts, t.Missing = parts, missing
	return t, nil
}

// add returns one row for each set of labels.
func add(r *rule.Rule, parts map[string]*Table) ([]Row, error) {
	var sums []Row
	at := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		for _, row := range parts[name].Rows() {
			if row.NoSample {
				return nil, fmt.Errorf("%s: in member %s the value %v of metric %s does not count: %w", r.Key, name, row.Value, r.Metric, ErrNoSample)
			}
			id := row.identity()
			i, there := at[id]
			if !there {
				at[id] = len(sums)
				sums = append(sums, row)
				continue
			}
			sums[i].Value += row.Value
			if row.Time.Before(sums[i].Time) {
				sums[i].Time = row.Time
			}
		}
	}
	return sums, nil
}

// describeParts says for status and explain where a sum comes from: "members berlin, paris, without rome".
func describeParts(parts map[string]*Table, missing []string) string {
	text := "members " + strings.Join(slices.Sorted(maps.Keys(parts)), ", ")
	if len(missing) > 0 {
		text += ", without " + strings.Join(missing, ", ")
	}
	return text
}
