// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"errors"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// told is an error of a member's in words for the status of a FederatedScale, which a tenant reads: what an API server
// answered as it is, but of the way to it no more than that there was no answer. Addresses of members, and what is wrong
// with them, are in the MemberCluster's status and the log.
func told(err error) string {
	var answer apierrors.APIStatus
	var way net.Error // also a time-out of our own
	if errors.As(err, &answer) || !errors.As(err, &way) {
		return err.Error()
	}
	why := "it cannot be reached"
	if way.Timeout() {
		why = "it did not answer in time"
	}
	doing, _, _ := strings.Cut(err.Error(), way.Error()) // our own words: "set the replicas of Deployment shop from 3 to 5: "
	return doing + why + "; the MemberCluster's status has more"
}
