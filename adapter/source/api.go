// SPDX-License-Identifier: Apache-2.0

package source

import "strings"

// Endpoint says which endpoint of Prometheus' HTTP API a path leads to, without the /api/v1/ in front: "query",
// "query_range", "series", "labels" or "label". Other paths, and those that are not in their simplest form, are not served
// by any source: ok is false.
func Endpoint(path string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok {
		return "", false
	}
	switch rest {
	case "query", "query_range", "series", "labels":
		return rest, true
	}
	label, ok := strings.CutPrefix(rest, "label/")
	if !ok {
		return "", false
	}
	label, ok = strings.CutSuffix(label, "/values")
	ok = ok && label != "" && label != "." && label != ".." && !strings.ContainsAny(label, "/\\?#%")
	return "label", ok
}
