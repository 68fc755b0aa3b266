// SPDX-License-Identifier: Apache-2.0

package queryapi

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plimsoll/plimsoll/adapter/rule"
)

// check builds the form that is sent from the one that came: known parameters only, each once, scoped and bounded.
func (h *Handler) check(endpoint, namespace string, in url.Values) (out url.Values, timeout time.Duration, err error) {
	out, timeout = url.Values{}, maxTimeout
	switch endpoint {
	case "query":
		copyFirst(out, in, "time", "lookback_delta", "limit")
	case "query_range":
		copyFirst(out, in, "start", "end", "step", "lookback_delta", "limit")
		if err := checkPoints(in); err != nil {
			return nil, 0, err
		}
	default:
		copyFirst(out, in, "start", "end")
		out.Set("limit", listLimit(in.Get("limit")))
		err := h.matches(out, namespace, in["match[]"])
		return out, timeout, err
	}
	if text := in.Get("timeout"); text != "" {
		asked, err := duration("timeout", text)
		if err != nil {
			return nil, 0, err
		}
		timeout = min(timeout, asked)
	}
	out.Set("timeout", strconv.FormatFloat(timeout.Seconds(), 'f', 3, 64))
	query, err := h.query(namespace, in.Get("query"))
	out.Set("query", query)
	return out, timeout, err
}

func copyFirst(out, in url.Values, names ...string) {
	for _, name := range names {
		if v := in.Get(name); v != "" {
			out.Set(name, v)
		}
	}
}

func (h *Handler) query(namespace, text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("the parameter query is missing")
	case namespace == "":
		return text, nil
	}
	scoped, err := rule.ScopeQuery(h.parser, text, namespaceLabel, namespace)
	if err != nil {
		return "", fmt.Errorf("invalid parameter \"query\": %w", err)
	}
	return scoped, nil
}

// matches scopes the selectors of a request for series, labels or values. Without any, a namespace's are all of its
// series.
func (h *Handler) matches(out url.Values, namespace string, selectors []string) error {
	if namespace == "" {
		if len(selectors) > 0 {
			out["match[]"] = selectors
		}
		return nil
	}
	if len(selectors) == 0 {
		own, err := labels.NewMatcher(labels.MatchEqual, namespaceLabel, namespace)
		if err != nil {
			return err
		}
		out.Set("match[]", (&parser.VectorSelector{LabelMatchers: []*labels.Matcher{own}}).String())
		return nil
	}
	for _, s := range selectors {
		if _, err := h.parser.ParseMetricSelector(s); err != nil {
			return fmt.Errorf("invalid parameter \"match[]\": %w", err)
		}
		scoped, err := rule.ScopeQuery(h.parser, s, namespaceLabel, namespace)
		if err != nil {
			return fmt.Errorf("invalid parameter \"match[]\": %w", err)
		}
		out.Add("match[]", scoped)
	}
	return nil
}

// listLimit caps how much is listed; 0 means no limit to Prometheus.
func listLimit(asked string) string {
	if n, err := strconv.Atoi(asked); err == nil && n > 0 && n < maxListed {
		return asked
	}
	return strconv.Itoa(maxListed)
}

func checkPoints(in url.Values) error {
	start, err := instant("start", in.Get("start"))
	if err != nil {
		return err
	}
	end, err := instant("end", in.Get("end"))
	if err != nil {
		return err
	}
	step, err := duration("step", in.Get("step"))
	if err != nil {
		return err
	}
	if points := (end - start) / step.Seconds(); points > maxPoints {
		return fmt.Errorf("the range has %.0f points per series, more than %d; use a longer step or a shorter range", points, maxPoints)
	}
	return nil
}

// instant reads a time as Prometheus' API does: Unix seconds or RFC 3339. The result is in Unix seconds.
func instant(name, text string) (float64, error) {
	if t, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(t) && !math.IsInf(t, 0) {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fmt.Errorf("invalid parameter %q: %q is neither Unix seconds nor a time such as 2006-01-02T15:04:05Z", name, text)
	}
	return float64(t.UnixMilli()) / 1000, nil
}

// duration reads a positive duration as Prometheus' API does: seconds, or such as 5m.
func duration(name, text string) (time.Duration, error) {
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < math.MaxInt64/float64(time.Second) {
		return max(time.Duration(s*float64(time.Second)), time.Millisecond), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("invalid parameter %q: %q is not a positive duration, in seconds or such as 5m", name, text)
	}
	return time.Duration(d), nil
}
