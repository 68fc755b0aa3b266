// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Selector is a label selector prepared for the index; immutable.
type Selector struct {
	nothing      bool
	requirements []requirement
}

type requirement struct {
	labels.Requirement
	key    string
	values []string // for equality and In; nil for the other operators
	exists bool     // can only hold for objects that have the key
}

// ParseSelector reads a selector as kubectl and the API server do. "" selects everything.
func ParseSelector(raw string) (*Selector, error) {
	s, err := labels.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("label selector %q: %w", raw, err)
	}
	return NewSelector(s), nil
}

// NewSelector prepares a parsed selector. nil selects everything.
func NewSelector(parsed labels.Selector) *Selector {
	if parsed == nil {
		return &Selector{}
	}
	list, selectable := parsed.Requirements()
	if !selectable {
		return &Selector{nothing: true}
	}
	s := &Selector{requirements: make([]requirement, len(list))}
	for i, r := range list {
		s.requirements[i] = prepare(r)
	}
	return s
}

func prepare(r labels.Requirement) requirement {
	out := requirement{Requirement: r, key: r.Key()}
	switch r.Operator() {
	case selection.In, selection.Equals, selection.DoubleEquals:
		out.values, out.exists = r.ValuesUnsorted(), true
	case selection.Exists, selection.GreaterThan, selection.LessThan:
		out.exists = true
	}
	return out
}
