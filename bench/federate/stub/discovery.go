// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"encoding/json"
	"net/http"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
)

// DiscoveryType is what the paths of discovery answer with.
const DiscoveryType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// groupsIn are the names of the groups that discovery has.
func groupsIn(discovery map[string][]byte) map[string]bool {
	names := map[string]bool{}
	for _, body := range discovery {
		var list apidiscoveryv2.APIGroupDiscoveryList
		if json.Unmarshal(body, &list) != nil {
			continue // a client will say so
		}
		for i := range list.Items {
			names[list.Items[i].Name] = true
		}
	}
	return names
}

// hasGroup says whether discovery has the group of a path. Of another one there is nothing to be served.
func (c *Cluster) hasGroup(path string) bool {
	rest, grouped := strings.CutPrefix(path, "/apis/")
	if !grouped {
		return true
	}
	group, _, _ := strings.Cut(rest, "/")
	return c.groups[group]
}

// discover answers with what the cluster has.
func (c *Cluster) discover(w http.ResponseWriter, r *http.Request, body []byte) {
	c.count("discovery")
	write(w, r, http.StatusOK, DiscoveryType, body)
}
