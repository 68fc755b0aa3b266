// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// Where the scaler's Lease is, and how long it counts that its holder does not renew it, if it does not say.
const (
	leaseNamespace = "plimsoll-system"
	leaseName      = "plimsoll-scaler"
	leaseDuration  = 15 * time.Second
)

const lookForScaler = "look with: kubectl get pods,lease -n " + leaseNamespace

// scalerOf asks whether a scaler holds its Lease.
func scalerOf(ctx context.Context, c client.Reader, now time.Time) Scaler {
	lease := &coordinationv1.Lease{}
	err := c.Get(ctx, types.NamespacedName{Namespace: leaseNamespace, Name: leaseName}, lease)
	switch {
	case apierrors.IsNotFound(err):
		return Scaler{State: Silent, Message: fmt.Sprintf("There is no Lease %s/%s, so no scaler has ever run; %s", leaseNamespace, leaseName, lookForScaler)}
	case err != nil:
		return Scaler{State: Unknown, Message: fmt.Sprintf("Whether it runs could not be seen: %v", err)}
	}
	return stateOf(lease, now)
}

// stateOf reads a Lease.
func stateOf(lease *coordinationv1.Lease, now time.Time) Scaler {
	s := Scaler{State: Silent}
	if lease.Spec.HolderIdentity != nil {
		s.Holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.RenewTime == nil || s.Holder == "" {
		s.Message = "Nobody holds the scaler's Lease; " + lookForScaler
		return s
	}
	renewed := lease.Spec.RenewTime.UTC()
	s.Renewed = &renewed
	valid := leaseDuration
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
		valid = time.Duration(*seconds) * time.Second
	}
	age := now.Sub(renewed)
	if age > 2*valid {
		s.Message = fmt.Sprintf("It last renewed its Lease %s ago; %s", human.Age(age), lookForScaler)
		return s
	}
	s.State, s.Message = Running, fmt.Sprintf("It runs (%s, seen %s ago); kubectl logs -n %s deployment/%s says what keeps it", s.Holder, human.Age(max(age, 0)), leaseNamespace, leaseName)
	return s
}
