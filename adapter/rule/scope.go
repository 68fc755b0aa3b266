// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// ErrNotScopable is wrapped by errors about expressions that cannot be limited to one label value.
var ErrNotScopable = errors.New("the query cannot be limited to one namespace")

// readsUnnamedSeries lists the functions that read series which no selector of the expression names: info() fetches
// target_info by itself and treats its second argument as a pattern of labels, not as a selector.
func readsUnnamedSeries(function string) bool { return function == "info" }

// Scope adds the matcher label="value" to every vector selector of expr, in place: inside aggregations and their
// parameters, functions, range selectors and subqueries. Matchers that the selector already has on that label are
// kept, so that a selector for another value matches nothing. Expressions with a function that reads series outside
// of selectors are refused (ErrNotScopable); after an error expr must be thrown away.
//
// Scope limits what is read, not how results are labelled: label_replace can still write any label value.
func Scope(expr parser.Expr, label, value string) error {
	if expr == nil || label == "" || value == "" {
		return fmt.Errorf("%w: an expression, a label name and a label value are needed", ErrNotScopable)
	}
	matcher, err := labels.NewMatcher(labels.MatchEqual, label, value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotScopable, err)
	}
	return parser.Walk(scoper{matcher}, expr, nil)
}

// ScopeQuery parses query with p, scopes it and returns it as text. The text is parsed once more, and every selector
// looked at, before it is returned: what leaves here is scoped even if an expression prints as something else than
// what was parsed.
func ScopeQuery(p parser.Parser, query, label, value string) (string, error) {
	expr, err := p.ParseExpr(query)
	if err != nil {
		return "", err
	}
	if err := Scope(expr, label, value); err != nil {
		return "", err
	}
	text := expr.String()
	again, err := p.ParseExpr(text)
	if err != nil {
		return "", fmt.Errorf("%w: it cannot be printed and parsed again: %w", ErrNotScopable, err)
	}
	if !scoped(again, label, value) {
		return "", fmt.Errorf("%w: a selector would lose the matcher %s=%q when it is printed", ErrNotScopable, label, value)
	}
	return text, nil
}

type scoper struct{ matcher *labels.Matcher }

// Visit implements parser.Visitor.
func (s scoper) Visit(node parser.Node, _ []parser.Node) (parser.Visitor, error) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		n.LabelMatchers = append(n.LabelMatchers[:len(n.LabelMatchers):len(n.LabelMatchers)], s.matcher)
	case *parser.Call:
		if readsUnnamedSeries(n.Func.Name) {
			return nil, fmt.Errorf("%w: %s() reads series that the query does not name; join them with group_left instead", ErrNotScopable, n.Func.Name)
		}
	}
	return s, nil
}

// scoped says whether every vector selector of expr has the matcher label="value".
func scoped(expr parser.Expr, label, value string) bool {
	for _, matchers := range parser.ExtractSelectors(expr) {
		if !hasMatcher(matchers, label, value) {
			return false
		}
	}
	return true
}

func hasMatcher(matchers []*labels.Matcher, label, value string) bool {
	for _, m := range matchers {
		if m.Type == labels.MatchEqual && m.Name == label && m.Value == value {
			return true
		}
	}
	return false
}
