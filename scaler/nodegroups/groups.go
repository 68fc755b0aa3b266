// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// Group is a node group as the server sees it.
type Group struct {
	ID       string
	Min, Max int
	// Target is how many nodes there are or will be.
	Target    int
	Instances []Instance
	// Template is a new node; nil if the server has none.
	Template *Template
	// Err is why Target, Instances or Template could not be read, in this order: the one that failed and what follows are
	// not known, and the group should not be grown.
	Err error
}

// Instance is a machine of a node group. It may have no Node yet.
type Instance struct {
	ID    string // the provider ID in its Node's spec
	State State
	// Error is the server's code for what is wrong with it, such as a quota; "": nothing.
	Error, Message string
	// Exhausted says that the cloud has no more machines of this kind.
	Exhausted bool
}

// State is what a machine is doing.
type State string

// The states of machines.
const (
	Unspecified State = ""
	Running     State = "Running"
	Creating    State = "Creating"
	Deleting    State = "Deleting"
)

const (
	outOfResources = 1 // the protocol's class of such errors
	readers        = 8 // groups that are read at once
)

// Groups reads all groups anew. It fails, without groups, if the list cannot be read; what cannot be read of one group is
// in its Err.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	groups, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	var all errgroup.Group
	all.SetLimit(readers)
	for i := range groups {
		g := &groups[i]
		if g.Err == nil {
			all.Go(func() error {
				g.Err = c.read(ctx, g)
				return nil
			})
		}
	}
	return groups, all.Wait()
}

// list is Refresh and NodeGroups.
func (c *Client) list(ctx context.Context) ([]Group, error) {
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	var answer *externalgrpc.NodeGroupsResponse
	err := c.call(ctx, "NodeGroups", "", func(ctx context.Context, server externalgrpc.CloudProviderClient) (err error) {
		answer, err = server.NodeGroups(ctx, &externalgrpc.NodeGroupsRequest{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return groupsOf(answer)
}

// groupsOf fails if groups cannot be told apart.
func groupsOf(r *externalgrpc.NodeGroupsResponse) ([]Group, error) {
	out, seen := make([]Group, 0, len(r.GetNodeGroups())), map[string]bool{}
	for _, g := range r.GetNodeGroups() {
		if g.GetId() == "" || seen[g.GetId()] {
			return nil, invalid("the node group server names two groups %q, or one without a name: nothing is done with any", g.GetId())
		}
		seen[g.GetId()] = true
		group := Group{ID: g.GetId(), Min: int(g.GetMinSize()), Max: int(g.GetMaxSize())}
		if group.Min < 0 || group.Max < group.Min {
			group.Err = invalid("node group %q has a minimum of %d and a maximum of %d nodes", group.ID, group.Min, group.Max)
		}
		out = append(out, group)
	}
	return out, nil
}

// read fills in a group.
func (c *Client) read(ctx context.Context, g *Group) error {
	var err error
	if g.Target, err = c.target(ctx, g.ID); err != nil {
		return err
	}
	err = c.call(ctx, "NodeGroupNodes", g.ID, func(ctx context.Context, server externalgrpc.CloudProviderClient) error {
		answer, err := server.NodeGroupNodes(ctx, &externalgrpc.NodeGroupNodesRequest{Id: g.ID})
		g.Instances = instancesOf(answer)
		return err
	})
	if err != nil {
		return err
	}
	var answer *externalgrpc.NodeGroupTemplateNodeInfoResponse
	err = c.call(ctx, "NodeGroupTemplateNodeInfo", g.ID, func(ctx context.Context, server externalgrpc.CloudProviderClient) (err error) {
		answer, err = server.NodeGroupTemplateNodeInfo(ctx, &externalgrpc.NodeGroupTemplateNodeInfoRequest{Id: g.ID})
		return err
	})
	switch {
	case ReasonOf(err) == Unimplemented:
		return nil
	case err != nil:
		return err
	}
	g.Template, err = templateOf(answer, g.ID)
	return err
}

// target is a group's target, as fresh as the last Refresh.
func (c *Client) target(ctx context.Context, id string) (int, error) {
	var target int32
	err := c.call(ctx, "NodeGroupTargetSize", id, func(ctx context.Context, server externalgrpc.CloudProviderClient) error {
		answer, err := server.NodeGroupTargetSize(ctx, &externalgrpc.NodeGroupTargetSizeRequest{Id: id})
		target = answer.GetTargetSize()
		return err
	})
	if err == nil && target < 0 {
		return 0, invalid("node group %q has a target of %d nodes", id, target)
	}
	return int(target), err
}

func instancesOf(r *externalgrpc.NodeGroupNodesResponse) []Instance {
	out := make([]Instance, 0, len(r.GetInstances()))
	for _, i := range r.GetInstances() {
		one := Instance{ID: i.GetId()}
		switch i.GetStatus().GetInstanceState() {
		case externalgrpc.InstanceStatus_instanceRunning:
			one.State = Running
		case externalgrpc.InstanceStatus_instanceCreating:
			one.State = Creating
		case externalgrpc.InstanceStatus_instanceDeleting:
			one.State = Deleting
		}
		if wrong := i.GetStatus().GetErrorInfo(); wrong.GetErrorCode() != "" {
			one.Error, one.Message = oneLine(wrong.GetErrorCode()), oneLine(wrong.GetErrorMessage())
			one.Exhausted = wrong.GetInstanceErrorClass() == outOfResources
		}
		out = append(out, one)
	}
	return out
}

// Pending is how many nodes are on their way: those of the target that are not there yet, by their provider IDs, and of
// which the server does not say that they failed.
func (g Group) Pending(there func(id string) bool) int {
	pending := g.Target
	for _, i := range g.Instances {
		if i.State != Deleting && (there(i.ID) || i.Error != "") {
			pending--
		}
	}
	return max(pending, 0)
}
