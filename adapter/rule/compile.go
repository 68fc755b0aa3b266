// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxSelectors bounds how many vector selectors' sample times are asked for; each costs the source about as much as the
// selector itself.
const maxSelectors = 16

// ErrInvalid is wrapped by every error of Compile.
var ErrInvalid = errors.New("the rule is not valid")

// Compile parses r's query and guard, scopes them to the rule's namespace and fills Expr, Times, AgeUnknown and GuardBool
// of the rule that it returns.
func Compile(r Rule) (*Rule, error) {
	query, err := r.parse("query", r.Query)
	if err != nil {
		return nil, err
	}
	if t := query.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, fmt.Errorf("%w: query %q is of type %s; write one that yields an instant vector, such as sum by (namespace, pod) (...)", ErrInvalid, r.Query, parser.DocumentedType(t))
	}
	r.Times, r.AgeUnknown = nil, ""
	times := r.times(query)
	if query.Type() == parser.ValueTypeScalar {
		query = &parser.Call{Func: parser.Functions["vector"], Args: parser.Expressions{query}}
	}
	parts := []string{part(query.String(), PartValue)}
	for i, t := range times {
		parts = append(parts, part(t, r.Times[i].Part))
	}
	if r.Guard != "" {
		guard, err := r.guard()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part(guard, PartGuard))
	}
	r.Expr = strings.Join(parts, " or ")
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr); err != nil {
		return nil, fmt.Errorf("%w: the query and the object's labels cannot be combined: %w", ErrInvalid, err)
	}
	return &r, nil
}

// part tags every series of a PromQL expression with the part it belongs to.
func part(expr, name string) string {
	return fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, expr, PartLabel, name)
}

func (r *Rule) parse(field, text string) (parser.Expr, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %q does not parse: %w", ErrInvalid, field, text, err)
	}
	if r.Key.Namespace == "" {
		return expr, nil
	}
	if err := Scope(expr, "namespace", r.Key.Namespace); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, field, err)
	}
	return expr, nil
}

// guard is the guard as a vector. A comparison that filters (a > b) holds if anything is left, whatever its value; anything else
// holds if it has a value and the value is not 0.
func (r *Rule) guard() (string, error) {
	expr, err := r.parse("guard", r.Guard)
	if err != nil {
		return "", err
	}
	filters := filtersOnly(expr)
	r.GuardBool = !filters
	switch t := expr.Type(); t {
	case parser.ValueTypeVector:
		// Only whether it holds is of interest: one series, however many the guard has.
		if filters {
			return "count(" + expr.String() + ")", nil
		}
		return "min(" + expr.String() + ")", nil
	case parser.ValueTypeScalar:
		return "vector(" + expr.String() + ")", nil
	default:
		return "", fmt.Errorf("%w: guard %q is of type %s; write a condition such as avg(up{job=\"shop\"}) > 0.8", ErrInvalid, r.Guard, parser.DocumentedType(t))
	}
}

// filtersOnly reports that an expression yields what passed comparisons, whatever its value: a > b, and such joined by and,
// or, unless.
func filtersOnly(e parser.Expr) bool {
	switch n := e.(type) {
	case *parser.ParenExpr:
		return filtersOnly(n.Expr)
	case *parser.BinaryExpr:
		switch n.Op {
		case parser.LAND, parser.LUNLESS:
			return filtersOnly(n.LHS)
		case parser.LOR:
			return filtersOnly(n.LHS) && filtersOnly(n.RHS)
		}
		return n.Op.IsComparisonOperator() && !n.ReturnBool
	}
	return false
}

// times lists the expressions that yield the sample times of query's vector selectors, and fills r.Times beside them. If one
// of them has no sample times that could be asked for, it sets AgeUnknown and lists none.
func (r *Rule) times(query parser.Expr) []string {
	var exprs []string
	seen := map[string]bool{}
	parser.Inspect(query, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || r.AgeUnknown != "" || asksForAbsence(path) {
			return nil
		}
		if r.AgeUnknown = ageUnknown(selector, path); r.AgeUnknown != "" {
			return nil
		}
		expr := r.timeOf(selector, path)
		if seen[expr] {
			return nil
		}
		seen[expr] = true
		r.Times = append(r.Times, Time{Part: "t" + strconv.Itoa(len(exprs)), Offset: selector.OriginalOffset})
		exprs = append(exprs, expr)
		return nil
	})
	if len(exprs) > maxSelectors {
		r.AgeUnknown = fmt.Sprintf("the query has more than %d vector selectors", maxSelectors)
	}
	if r.AgeUnknown != "" {
		r.Times = nil
		return nil
	}
	return exprs
}

// asksForAbsence: absent() has a value because there is no sample, so there is no time to ask for.
func asksForAbsence(path []parser.Node) bool {
	for _, node := range path {
		if c, ok := node.(*parser.Call); ok && (c.Func.Name == "absent" || c.Func.Name == "absent_over_time") {
			return true
		}
	}
	return false
}

// ageUnknown says why a selector's sample times cannot be asked for; "" if they can.
func ageUnknown(s *parser.VectorSelector, path []parser.Node) string {
	if s.Timestamp != nil || s.StartOrEnd != 0 {
		return fmt.Sprintf("%s has a fixed time (@)", s)
	}
	if s.OriginalOffsetExpr != nil {
		return fmt.Sprintf("%s has a computed offset", s)
	}
	if !namesOneMetric(s) {
		return fmt.Sprintf("%s names no single metric", s)
	}
	for _, node := range path {
		switch n := node.(type) {
		case *parser.SubqueryExpr:
			return fmt.Sprintf("%s stands in a subquery", s)
		case *parser.MatrixSelector:
			if n.RangeExpr != nil {
				return fmt.Sprintf("%s has a computed range", s)
			}
		}
	}
	return ""
}

// metricName is the label that holds a series' metric.
const metricName = "__name__"

// namesOneMetric: timestamp() drops the metric's name, so that two metrics with equal labels would collide.
func namesOneMetric(s *parser.VectorSelector) bool {
	for _, m := range s.LabelMatchers {
		if m.Name == metricName && m.Type == labels.MatchEqual {
			return true
		}
	}
	return false
}

// timeOf is the expression for the oldest sample of a selector, for each object. Behind a range selector, series may count
// whose last sample is older than the look-back, and timestamp() no longer shows them: an object that has only such series
// gets a time just beyond maxAge. (A single one does not make the group old: pods that have gone leave such series behind.)
func (r *Rule) timeOf(s *parser.VectorSelector, path []parser.Node) string {
	plain := &parser.VectorSelector{Name: s.Name, LabelMatchers: s.LabelMatchers, OriginalOffset: s.OriginalOffset}
	by := r.groupBy()
	expr := fmt.Sprintf("min by (%s) (timestamp(%s))", by, plain)
	for _, node := range path {
		if m, ok := node.(*parser.MatrixSelector); ok {
			ranged := &parser.MatrixSelector{VectorSelector: plain, Range: m.Range}
			beyond := (r.MaxAge + r.HoldFor + time.Second + s.OriginalOffset).Seconds()
			return fmt.Sprintf("(%s or min by (%s) (present_over_time(%s) * 0 + (time() - %s)))",
				expr, by, ranged, strconv.FormatFloat(beyond, 'f', -1, 64))
		}
	}
	return expr
}

func (r *Rule) groupBy() string {
	switch o := r.Object; {
	case o == nil:
		return ""
	case o.Namespaced:
		return quoted(o.NamespaceLabel) + ", " + quoted(o.NameLabel)
	default:
		return quoted(o.NameLabel)
	}
}

// quoted writes a label's name as PromQL wants it: in quotes if it has dots or slashes.
func quoted(label string) string {
	if model.LegacyValidation.IsValidLabelName(label) {
		return label
	}
	return strconv.Quote(label)
}
