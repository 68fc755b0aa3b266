// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"strings"
	"time"
)

// pending is the answer's rows and those taken over from the previous table, with their objects' ids.
func (b *Builder) pending() (rows []Row, ids []int32) {
	rows, ids = make([]Row, len(b.values)), make([]int32, len(b.values))
	since := b.evaluated.Add(-b.rule.MaxAge - b.rule.HoldFor)
	old := false
	for i, v := range b.values {
		measured, ok := b.timeOf(i)
		rows[i] = Row{Object: b.objectOf(v.id), Value: v.value, Labels: v.labels, Time: measured, NoSample: !ok && b.rule.Guard == ""}
		ids[i] = v.id
		old = old || rows[i].NoSample || measured.Before(since)
	}
	if old || b.rule.HoldFor > 0 || b.rule.Object == nil {
		return b.hold(rows, ids, since)
	}
	return rows, ids
}

// timeOf is when the value that came as the i-th was measured, as time says.
func (b *Builder) timeOf(i int) (measured time.Time, ok bool) {
	if b.stamps != nil {
		return b.stamps[i], true
	}
	return b.time(b.values[i].id)
}

// hold takes rows over from the previous table that are not older than since, with their old times:
//   - in place of a row that is too old already: behind a range, a series that has stopped goes on having a value for a while;
//   - of external metrics, whose series the HPA adds up, also rows that the answer lacks: a sum must not fall because an
//     exporter hangs, at least not before its last value is too old;
//   - if the rule says holdFor, all rows that the answer lacks or has only as NaN or infinity.
func (b *Builder) hold(rows []Row, ids []int32, since time.Time) ([]Row, []int32) {
	at := make(map[string]int, len(rows))
	for i := range rows {
		at[rows[i].identity()] = i
	}
	for id, s := range b.previous.spans {
		for _, r := range b.previous.rows[s.from:s.to] {
			if !r.Finite() || r.NoSample || r.Time.Before(since) {
				continue
			}
			r.Held = true
			i, there := at[r.identity()]
			switch {
			case !there && (b.rule.HoldFor > 0 || b.rule.Object == nil):
				rows, ids = append(rows, r), append(ids, int32(id))
			case there && (rows[i].NoSample || rows[i].Time.Before(since) || (b.rule.HoldFor > 0 && !rows[i].Finite())):
				rows[i] = r
			}
		}
	}
	return rows, ids
}

// identity is the row's object and labels as one string.
func (r *Row) identity() string {
	if len(r.Labels) == 0 {
		return r.Object.Namespace + "\x00" + r.Object.Name
	}
	var out strings.Builder
	out.WriteString(r.Object.Namespace + "\x00" + r.Object.Name)
	for _, l := range r.Labels {
		out.WriteString("\x00" + l.Name + "\x00" + l.Value)
	}
	return out.String()
}
