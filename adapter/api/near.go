// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"slices"
	"strings"
)

// The bounds of a search for similar names, so that an unknown metric costs little also where thousands are known.
const (
	nearShown   = 3
	nearCompare = 5000
	nearLength  = 128
)

// nearest returns the names most like wanted, the most similar first; only those that differ in less than half of their
// letters, or contain each other. What follows a space in a name is not compared.
func nearest(wanted string, names []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var near []scored
	for _, name := range names[:min(len(names), nearCompare)] {
		bare, _, _ := strings.Cut(name, " ")
		d := editDistance(clip(wanted), clip(bare))
		if d*2 < max(len(wanted), len(bare)) || (len(wanted) > 2 && strings.Contains(bare, wanted)) {
			near = append(near, scored{name, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return cmp.Compare(a.distance, b.distance) })
	out := make([]string, 0, nearShown)
	for _, s := range near[:min(len(near), nearShown)] {
		out = append(out, s.name)
	}
	return out
}

func clip(s string) string { return s[:min(len(s), nearLength)] }

// editDistance is Levenshtein's, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal
			} else {
				row[j+1] = 1 + min(diagonal, above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
