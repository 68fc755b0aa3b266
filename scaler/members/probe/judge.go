// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/plimsoll/plimsoll/policy/health"
)

// mostChecks is how many failed checks are named.
const mostChecks = 5

// failedCheck is a line of the answer such as "[-]etcd failed: reason withheld".
var failedCheck = regexp.MustCompile(`(?m)^\[-\]([A-Za-z0-9_./-]{1,80})`)

// judge says what an answer means.
func (t *target) judge(a answer) (health.Cause, string) {
	says := fmt.Sprintf("%s answers %d %s", t.url.Host, a.status, http.StatusText(a.status))
	checks := failedChecks(a.body)
	switch {
	case a.status == http.StatusUnauthorized:
		return health.Unauthorized, says + ": renew the kubeconfig's credential" + t.expiry()
	case a.status == http.StatusForbidden:
		return health.Unauthorized, fmt.Sprintf("%s to %s: bind the ClusterRole system:public-info-viewer to the kubeconfig's user, or renew its credential%s", says, a.path, t.expiry())
	case checks != "":
		return health.Unhealthy, fmt.Sprintf("%s says that it is not ready: %s", t.url.Host, checks)
	case a.status >= 500, a.status == http.StatusTooManyRequests:
		return health.Unhealthy, says
	case a.status >= 200 && a.status < 300:
		return health.OK, ""
	}
	return health.Invalid, says + " to " + a.path + ", as no Kubernetes API server does: correct the kubeconfig's server"
}

// failedChecks names those in the answer; "": there are none.
func failedChecks(body []byte) string {
	var names []string
	found := failedCheck.FindAllSubmatch(body, -1)
	for _, match := range found[:min(len(found), mostChecks)] {
		names = append(names, string(match[1]))
	}
	text := strings.Join(names, ", ")
	if more := len(found) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
