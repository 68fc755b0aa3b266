// SPDX-License-Identifier: Apache-2.0

package nodegroupstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// The texts are those of cluster-autoscaler's providers.
var (
	errTooLarge    = errors.New("size increase too large")
	errNotPositive = errors.New("size increase must be positive")
	errNotNegative = errors.New("size decrease must be negative")
	errExisting    = errors.New("attempt to delete existing nodes")
)

// NodeGroups is one of the protocol's calls.
func (s *Server) NodeGroups(context.Context, *externalgrpc.NodeGroupsRequest) (*externalgrpc.NodeGroupsResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	out := &externalgrpc.NodeGroupsResponse{}
	for _, g := range s.seen {
		out.NodeGroups = append(out.NodeGroups, wire(g))
	}
	return out, nil
}

func wire(g Group) *externalgrpc.NodeGroup {
	return &externalgrpc.NodeGroup{Id: g.ID, MinSize: int32(g.Min), MaxSize: int32(g.Max), Debug: fmt.Sprintf("%s (%d:%d)", g.ID, g.Min, g.Max)}
}

// NodeGroupForNode is one of the protocol's calls.
func (s *Server) NodeGroupForNode(_ context.Context, r *externalgrpc.NodeGroupForNodeRequest) (*externalgrpc.NodeGroupForNodeResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, g := range s.groups {
		if slices.Contains(g.machines, r.GetNode().GetProviderID()) {
			return &externalgrpc.NodeGroupForNodeResponse{NodeGroup: wire(g.Group)}, nil
		}
	}
	return &externalgrpc.NodeGroupForNodeResponse{NodeGroup: &externalgrpc.NodeGroup{}}, nil
}

// GPULabel is one of the protocol's calls: no node has any.
func (s *Server) GPULabel(context.Context, *externalgrpc.GPULabelRequest) (*externalgrpc.GPULabelResponse, error) {
	return &externalgrpc.GPULabelResponse{}, nil
}

// GetAvailableGPUTypes is one of the protocol's calls: there are none.
func (s *Server) GetAvailableGPUTypes(context.Context, *externalgrpc.GetAvailableGPUTypesRequest) (*externalgrpc.GetAvailableGPUTypesResponse, error) {
	return &externalgrpc.GetAvailableGPUTypesResponse{}, nil
}

// Cleanup is one of the protocol's calls. It ends the server's work for everybody.
func (s *Server) Cleanup(context.Context, *externalgrpc.CleanupRequest) (*externalgrpc.CleanupResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.ended = true
	return &externalgrpc.CleanupResponse{}, nil
}

// Refresh is one of the protocol's calls.
func (s *Server) Refresh(context.Context, *externalgrpc.RefreshRequest) (*externalgrpc.RefreshResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.refresh()
	return &externalgrpc.RefreshResponse{}, nil
}

// NodeGroupTargetSize is one of the protocol's calls.
func (s *Server) NodeGroupTargetSize(_ context.Context, r *externalgrpc.NodeGroupTargetSizeRequest) (*externalgrpc.NodeGroupTargetSizeResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g, err := s.look(r.GetId())
	if err != nil {
		return nil, err
	}
	return &externalgrpc.NodeGroupTargetSizeResponse{TargetSize: int32(g.Target)}, nil
}

// NodeGroupIncreaseSize is one of the protocol's calls.
func (s *Server) NodeGroupIncreaseSize(ctx context.Context, r *externalgrpc.NodeGroupIncreaseSizeRequest) (*externalgrpc.NodeGroupIncreaseSizeResponse, error) {
	if err := s.increase(ctx, r.GetId(), int(r.GetDelta())); err != nil {
		return nil, err
	}
	return &externalgrpc.NodeGroupIncreaseSizeResponse{}, nil
}

// grow raises a target and has the nodes made.
func (s *Server) grow(id string, delta int, f Fault) error {
	if delta <= 0 {
		return errNotPositive
	}
	s.growing.Lock()
	defer s.growing.Unlock()
	if err := s.raise(id, delta, f); err != nil || s.options.Create == nil {
		return err
	}
	err := s.options.Create(id, delta)
	if err != nil {
		s.change(id, func(g *group) { g.resize(g.Target - delta); g.next -= delta; s.refresh() })
	}
	return err
}

func (s *Server) raise(id string, delta int, f Fault) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	g := s.find(id)
	if g == nil {
		return fmt.Errorf("node group %q not found", id)
	}
	if delta > g.Max-g.Target && f != NoMaximum {
		return errTooLarge
	}
	g.resize(g.Target + delta)
	if seen, err := s.look(id); err == nil && (f == Healthy || f == NoMaximum) {
		seen.Target = g.Target
	}
	return nil
}

// NodeGroupDeleteNodes is one of the protocol's calls: the target goes down with the nodes, but not below the minimum.
func (s *Server) NodeGroupDeleteNodes(_ context.Context, r *externalgrpc.NodeGroupDeleteNodesRequest) (*externalgrpc.NodeGroupDeleteNodesResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g := s.find(r.GetId())
	if g == nil {
		return nil, fmt.Errorf("node group %q not found", r.GetId())
	}
	if g.Target-len(r.GetNodes()) < g.Min {
		return nil, errors.New("min size reached, nodes will not be deleted")
	}
	for _, n := range r.GetNodes() {
		i := slices.Index(g.machines, n.GetProviderID())
		if i < 0 {
			return nil, fmt.Errorf("node %q is not of node group %q", n.GetProviderID(), g.ID)
		}
		g.machines = slices.Delete(g.machines, i, i+1)
		g.Target--
		if i < g.Ready {
			g.Ready--
		}
	}
	s.refresh()
	return &externalgrpc.NodeGroupDeleteNodesResponse{}, nil
}

// NodeGroupDecreaseTargetSize is one of the protocol's calls: it takes back what is not there yet.
func (s *Server) NodeGroupDecreaseTargetSize(_ context.Context, r *externalgrpc.NodeGroupDecreaseTargetSizeRequest) (*externalgrpc.NodeGroupDecreaseTargetSizeResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g := s.find(r.GetId())
	switch {
	case g == nil:
		return nil, fmt.Errorf("node group %q not found", r.GetId())
	case r.GetDelta() >= 0:
		return nil, errNotNegative
	case g.Target+int(r.GetDelta()) < g.Ready:
		return nil, errExisting
	}
	g.resize(g.Target + int(r.GetDelta()))
	s.refresh()
	return &externalgrpc.NodeGroupDecreaseTargetSizeResponse{}, nil
}

// NodeGroupNodes is one of the protocol's calls.
func (s *Server) NodeGroupNodes(_ context.Context, r *externalgrpc.NodeGroupNodesRequest) (*externalgrpc.NodeGroupNodesResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g := s.find(r.GetId())
	if g == nil {
		return nil, fmt.Errorf("node group %q not found", r.GetId())
	}
	out := &externalgrpc.NodeGroupNodesResponse{}
	for i, id := range g.machines {
		state := externalgrpc.InstanceStatus_instanceCreating
		if i < g.Ready {
			state = externalgrpc.InstanceStatus_instanceRunning
		}
		out.Instances = append(out.Instances, &externalgrpc.Instance{Id: id, Status: &externalgrpc.InstanceStatus{InstanceState: state}})
	}
	return out, nil
}

// NodeGroupTemplateNodeInfo is one of the protocol's optional calls.
func (s *Server) NodeGroupTemplateNodeInfo(_ context.Context, r *externalgrpc.NodeGroupTemplateNodeInfoRequest) (*externalgrpc.NodeGroupTemplateNodeInfoResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g, err := s.look(r.GetId())
	switch {
	case err != nil:
		return nil, err
	case s.options.NothingOptional || g.Template == nil:
		return nil, status.Error(codes.Unimplemented, "function not implemented")
	}
	encoded, err := g.Template.Marshal()
	if err != nil {
		return nil, err
	}
	out := &externalgrpc.NodeGroupTemplateNodeInfoResponse{}
	if s.options.Generation != Newest {
		out.NodeInfo = encoded
	}
	if s.options.Generation != Oldest {
		out.NodeBytes = encoded
	}
	return out, nil
}

// NodeGroupGetOptions is one of the protocol's optional calls: the defaults it is given, in the server's generation.
func (s *Server) NodeGroupGetOptions(_ context.Context, r *externalgrpc.NodeGroupAutoscalingOptionsRequest) (*externalgrpc.NodeGroupAutoscalingOptionsResponse, error) {
	if s.options.NothingOptional {
		return nil, status.Error(codes.Unimplemented, "function not implemented")
	}
	in := r.GetDefaults()
	out := &externalgrpc.NodeGroupAutoscalingOptions{
		ScaleDownUtilizationThreshold:    in.GetScaleDownUtilizationThreshold(),
		ScaleDownGpuUtilizationThreshold: in.GetScaleDownGpuUtilizationThreshold(),
		ZeroOrMaxNodeScaling:             in.GetZeroOrMaxNodeScaling(),
		IgnoreDaemonSetsUtilization:      in.GetIgnoreDaemonSetsUtilization(),
	}
	out.ScaleDownUnneededTime, out.ScaleDownUnneededDuration = s.duration(in.GetScaleDownUnneededTime(), in.GetScaleDownUnneededDuration())
	out.ScaleDownUnreadyTime, out.ScaleDownUnreadyDuration = s.duration(in.GetScaleDownUnreadyTime(), in.GetScaleDownUnreadyDuration())
	out.MaxNodeProvisionTime, out.MaxNodeProvisionDuration = s.duration(in.GetMaxNodeProvisionTime(), in.GetMaxNodeProvisionDuration())
	return &externalgrpc.NodeGroupAutoscalingOptionsResponse{NodeGroupAutoscalingOptions: out}, nil
}

// duration is a time in the fields that the generation writes; of those it is given the new one wins.
func (s *Server) duration(before *externalgrpc.Duration, now *durationpb.Duration) (*externalgrpc.Duration, *durationpb.Duration) {
	d := time.Duration(before.GetDuration())
	if now != nil {
		d = now.AsDuration()
	}
	before, now = &externalgrpc.Duration{Duration: int64(d)}, durationpb.New(d)
	switch s.options.Generation {
	case Oldest:
		return before, nil
	case Newest:
		return nil, now
	}
	return before, now
}
