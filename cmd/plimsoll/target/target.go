// SPDX-License-Identifier: Apache-2.0

// Package target finds the objects that a command line names, as kubectl does: hpa/shop, or hpa shop pay.
package target

import (
	"fmt"
	"slices"
	"strings"
)

// The kinds that commands take.
const (
	HPA       = "hpa"
	Schedule  = "schedule"
	Forecast  = "forecast"
	Namespace = "namespace"
	Federated = "federatedscale"
)

// Ref names one object.
type Ref struct {
	Kind string // one of the constants above
	Name string
}

// words are the spellings of each kind, those of kubectl included.
func words(kind string) []string {
	switch kind {
	case HPA:
		return []string{HPA, "hpas", "horizontalpodautoscaler", "horizontalpodautoscalers", "horizontalpodautoscalers.autoscaling", "horizontalpodautoscaler.autoscaling"}
	case Schedule:
		return []string{Schedule, "schedules", "scaleschedule", "scaleschedules", "ss", "scaleschedules.plimsoll.dev", "scaleschedule.plimsoll.dev"}
	case Forecast:
		return []string{Forecast, "forecasts", "scaleforecast", "scaleforecasts", "sf", "scaleforecasts.plimsoll.dev", "scaleforecast.plimsoll.dev"}
	case Federated:
		return []string{Federated, "federatedscales", "fscale", "federatedscales.plimsoll.dev", "federatedscale.plimsoll.dev"}
	case Namespace:
		return []string{Namespace, "namespaces", "ns"}
	}
	return nil
}

// Parse reads arguments of the forms hpa/shop and hpa shop pay, with the kinds that the command takes. The names come
// back once each, in the order in which they were given.
func Parse(args []string, kinds ...string) ([]Ref, error) {
	var refs []Ref
	current := ""
	for i, arg := range args {
		word, name, slash := strings.Cut(arg, "/")
		switch {
		case slash && current != "":
			return nil, fmt.Errorf("%q: write either %s/NAME for each object, or %s once and then the names", arg, current, current)
		case !slash && i == 0:
			if current = kindOf(word, kinds); current == "" {
				return nil, fmt.Errorf("%q does not name an object: write %s", arg, forms(kinds))
			}
			continue
		case !slash && current == "":
			return nil, fmt.Errorf("%q does not name an object: write %s", arg, forms(kinds))
		case !slash:
			word, name = current, arg
		}
		kind := kindOf(word, kinds)
		if kind == "" || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%q does not name an object: write %s; the namespace goes into -n", arg, forms(kinds))
		}
		if ref := (Ref{Kind: kind, Name: name}); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// Only returns the kind if the arguments are that one word, as in: hpa -l app=shop.
func Only(args []string, kinds ...string) string {
	if len(args) != 1 {
		return ""
	}
	return kindOf(args[0], kinds)
}

func kindOf(word string, kinds []string) string {
	word = strings.ToLower(word)
	for _, kind := range kinds {
		if slices.Contains(words(kind), word) {
			return kind
		}
	}
	return ""
}

func forms(kinds []string) string {
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = kind + "/NAME"
	}
	return strings.Join(list, " or ")
}
