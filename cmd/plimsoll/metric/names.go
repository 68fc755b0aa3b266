// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Resources lists the resources of an API group version, as discovery serves them.
type Resources func(groupVersion string) (*metav1.APIResourceList, error)

// Names lists the metrics that the cluster serves, by discovery, without duplicates. A group that is not served
// contributes nothing: this is for shell completion, where an error has no place.
func Names(resources Resources) []string {
	names := map[string]bool{}
	for _, groupVersion := range []string{"custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"} {
		list, err := resources(groupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			_, name, slash := strings.Cut(r.Name, "/") // pods/online_users; external metrics have no slash
			if !slash {
				name = r.Name
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
