// SPDX-License-Identifier: Apache-2.0

// Package clusters shows the member clusters and what is divided over them, and simulates a loss or a surge, from what the
// hub says and the members have. It changes nothing.
package clusters

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Hub is what the hub says.
type Hub struct {
	Members   []v1alpha1.MemberCluster
	Scales    []v1alpha1.FederatedScale
	Headrooms []v1alpha1.Headroom
}

// Load reads the hub's objects of all namespaces, each kind by name.
func Load(ctx context.Context, c client.Reader) (*Hub, error) {
	var members v1alpha1.MemberClusterList
	var scales v1alpha1.FederatedScaleList
	var headrooms v1alpha1.HeadroomList
	for _, list := range []client.ObjectList{&members, &scales, &headrooms} {
		if err := c.List(ctx, list); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(members.Items, func(a, b v1alpha1.MemberCluster) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(scales.Items, func(a, b v1alpha1.FederatedScale) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(headrooms.Items, func(a, b v1alpha1.Headroom) int { return cmp.Compare(a.Name, b.Name) })
	return &Hub{Members: members.Items, Scales: scales.Items, Headrooms: headrooms.Items}, nil
}

// member finds a member by name; the error lists those that there are.
func (h *Hub) member(name string) (*v1alpha1.MemberCluster, error) {
	var names []string
	for i := range h.Members {
		if h.Members[i].Name == name {
			return &h.Members[i], nil
		}
		names = append(names, h.Members[i].Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no MemberCluster at all, so none named %s", name)
	}
	return nil, fmt.Errorf("there is no MemberCluster %s; there are: %v", name, names)
}

// reserveOf is the reserve of a member, and the Headroom that keeps it; nil if none does.
func (h *Hub) reserveOf(member string) (*v1alpha1.HeadroomCluster, *v1alpha1.Headroom) {
	for i := range h.Headrooms {
		for j := range h.Headrooms[i].Status.Clusters {
			if one := &h.Headrooms[i].Status.Clusters[j]; one.Name == member {
				return one, &h.Headrooms[i]
			}
		}
	}
	return nil, nil
}

// lossOf is what the hub thinks of a member's loss; nil if it has not worked it out.
func (h *Hub) lossOf(member string) *v1alpha1.HeadroomLoss {
	for i := range h.Headrooms {
		for j := range h.Headrooms[i].Status.Losses {
			if one := &h.Headrooms[i].Status.Losses[j]; one.Cluster == member {
				return one
			}
		}
	}
	return nil
}
