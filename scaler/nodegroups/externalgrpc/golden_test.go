// SPDX-License-Identifier: Apache-2.0

package externalgrpc_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// Messages by hand, field by field: what is on the wire, without the generated code.

func message(fields ...[]byte) []byte {
	out := []byte{}
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

func number(field protowire.Number, n int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), uint64(n))
}

func text(field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), s)
}

func inner(field protowire.Number, fields ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), message(fields...))
}

func double(field protowire.Number, f float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, field, protowire.Fixed64Type), math.Float64bits(f))
}

// A core/v1 Node, in which the fields that we do not read are there, too.
var nodeBytes = message(
	inner(1, text(1, "template"), inner(8, number(1, 1_700_000_000)), inner(11, text(1, "zone"), text(2, "a")), inner(12, text(1, "note"), text(2, "x"))),
	inner(2, text(3, "cloud:///1"), inner(5, text(1, "dedicated"), text(2, "shop"), text(3, "NoSchedule"))),
	inner(3,
		inner(1, text(1, "cpu"), inner(2, text(1, "4"))),
		inner(2, text(1, "cpu"), inner(2, text(1, "3920m"))),
		text(3, "Running")),
)

var (
	nodeWire    = message(text(1, "cloud:///1"), text(2, "n1"), inner(3, text(1, "zone"), text(2, "a")), inner(4, text(1, "note"), text(2, "x")))
	nodeMessage = &externalgrpc.ExternalGrpcNode{
		ProviderID: "cloud:///1", Name: "n1", Labels: map[string]string{"zone": "a"}, Annotations: map[string]string{"note": "x"},
	}
	groupWire    = message(text(1, "pool"), number(2, 1), number(3, 10), text(4, "pool (1:10)"))
	groupMessage = &externalgrpc.NodeGroup{Id: "pool", MinSize: 1, MaxSize: 10, Debug: "pool (1:10)"}

	start, end = int64(1_700_000_000), int64(1_700_003_600)
)

// What a generation writes, and what it is to us.
type golden struct {
	name string
	wire []byte
	want proto.Message
}

// Messages that are the same in all generations.
func same() []golden {
	machine := message(text(1, "cloud:///1"), inner(2, number(1, 2), inner(2, text(1, "QUOTA"), text(2, "none left"), number(3, 1))))
	return []golden{
		{"NodeGroupsRequest", nil, &externalgrpc.NodeGroupsRequest{}},
		{"NodeGroupsResponse", message(inner(1, groupWire), inner(1, text(1, "empty"))),
			&externalgrpc.NodeGroupsResponse{NodeGroups: []*externalgrpc.NodeGroup{groupMessage, {Id: "empty"}}}},
		{"NodeGroupForNodeRequest", inner(1, nodeWire), &externalgrpc.NodeGroupForNodeRequest{Node: nodeMessage}},
		{"NodeGroupForNodeResponse", inner(1, groupWire), &externalgrpc.NodeGroupForNodeResponse{NodeGroup: groupMessage}},
		{"NodeGroupForNodeResponse of none", inner(1), &externalgrpc.NodeGroupForNodeResponse{NodeGroup: &externalgrpc.NodeGroup{}}},
		{"PricingNodePriceResponse", double(1, 0.25), &externalgrpc.PricingNodePriceResponse{Price: 0.25}},
		{"PricingPodPriceResponse", double(1, 0.25), &externalgrpc.PricingPodPriceResponse{Price: 0.25}},
		{"GPULabelRequest", nil, &externalgrpc.GPULabelRequest{}},
		{"GPULabelResponse", text(1, "gpu"), &externalgrpc.GPULabelResponse{Label: "gpu"}},
		{"GetAvailableGPUTypesRequest", nil, &externalgrpc.GetAvailableGPUTypesRequest{}},
		{"GetAvailableGPUTypesResponse", inner(1, text(1, "t4"), inner(2)),
			&externalgrpc.GetAvailableGPUTypesResponse{GpuTypes: map[string]*anypb.Any{"t4": {}}}},
		{"CleanupRequest", nil, &externalgrpc.CleanupRequest{}},
		{"CleanupResponse", nil, &externalgrpc.CleanupResponse{}},
		{"RefreshRequest", nil, &externalgrpc.RefreshRequest{}},
		{"RefreshResponse", nil, &externalgrpc.RefreshResponse{}},
		{"NodeGroupTargetSizeRequest", text(1, "pool"), &externalgrpc.NodeGroupTargetSizeRequest{Id: "pool"}},
		{"NodeGroupTargetSizeResponse", number(1, 3), &externalgrpc.NodeGroupTargetSizeResponse{TargetSize: 3}},
		{"NodeGroupIncreaseSizeRequest", message(number(1, 2), text(2, "pool")), &externalgrpc.NodeGroupIncreaseSizeRequest{Delta: 2, Id: "pool"}},
		{"NodeGroupIncreaseSizeResponse", nil, &externalgrpc.NodeGroupIncreaseSizeResponse{}},
		{"NodeGroupDeleteNodesRequest", message(inner(1, nodeWire), text(2, "pool")),
			&externalgrpc.NodeGroupDeleteNodesRequest{Nodes: []*externalgrpc.ExternalGrpcNode{nodeMessage}, Id: "pool"}},
		{"NodeGroupDeleteNodesResponse", nil, &externalgrpc.NodeGroupDeleteNodesResponse{}},
		{"NodeGroupDecreaseTargetSizeRequest", message(number(1, -2), text(2, "pool")),
			&externalgrpc.NodeGroupDecreaseTargetSizeRequest{Delta: -2, Id: "pool"}},
		{"NodeGroupDecreaseTargetSizeResponse", nil, &externalgrpc.NodeGroupDecreaseTargetSizeResponse{}},
		{"NodeGroupNodesRequest", text(1, "pool"), &externalgrpc.NodeGroupNodesRequest{Id: "pool"}},
		{"NodeGroupNodesResponse", message(inner(1, machine), inner(1, text(1, "cloud:///2"), inner(2, number(1, 3)))),
			&externalgrpc.NodeGroupNodesResponse{Instances: []*externalgrpc.Instance{
				{Id: "cloud:///1", Status: &externalgrpc.InstanceStatus{
					InstanceState: externalgrpc.InstanceStatus_instanceCreating,
					ErrorInfo:     &externalgrpc.InstanceErrorInfo{ErrorCode: "QUOTA", ErrorMessage: "none left", InstanceErrorClass: 1},
				}},
				{Id: "cloud:///2", Status: &externalgrpc.InstanceStatus{InstanceState: externalgrpc.InstanceStatus_instanceDeleting}},
			}}},
		{"NodeGroupTemplateNodeInfoRequest", text(1, "pool"), &externalgrpc.NodeGroupTemplateNodeInfoRequest{Id: "pool"}},
	}
}

// Up to 1.33: embedded messages of Kubernetes, and the two options that 1.33 added.
func oldest() []golden {
	podWire := message(inner(1, text(1, "pod")))
	options := message(double(1, 0.5), double(2, 0.6), inner(3, number(1, 600e9)), inner(4, number(1, 1200e9)), inner(5, number(1, 900e9)), number(6, 1), number(7, 1))
	times := message(inner(2, number(1, start), number(2, 5)), inner(3, number(1, end)))
	from, to := &externalgrpc.Time{Seconds: start, Nanos: 5}, &externalgrpc.Time{Seconds: end}
	return []golden{
		{"PricingNodePriceRequest", message(inner(1, nodeWire), times),
			&externalgrpc.PricingNodePriceRequest{Node: nodeMessage, StartTime: from, EndTime: to}},
		{"PricingPodPriceRequest", message(inner(1, podWire), times), &externalgrpc.PricingPodPriceRequest{Pod: podWire, StartTime: from, EndTime: to}},
		{"NodeGroupTemplateNodeInfoResponse", inner(1, nodeBytes), &externalgrpc.NodeGroupTemplateNodeInfoResponse{NodeInfo: nodeBytes}},
		{"NodeGroupAutoscalingOptionsRequest", message(text(1, "pool"), inner(2, options)),
			&externalgrpc.NodeGroupAutoscalingOptionsRequest{Id: "pool", Defaults: optionsMessage(true, false)}},
		{"NodeGroupAutoscalingOptionsResponse", inner(1, options),
			&externalgrpc.NodeGroupAutoscalingOptionsResponse{NodeGroupAutoscalingOptions: optionsMessage(true, false)}},
	}
}

// 1.34: both.
func both() []golden {
	podWire := message(inner(1, text(1, "pod")))
	options := message(double(1, 0.5), double(2, 0.6), inner(3, number(1, 600e9)), inner(4, number(1, 1200e9)), inner(5, number(1, 900e9)), number(6, 1), number(7, 1),
		inner(8, number(1, 600)), inner(9, number(1, 1200)), inner(10, number(1, 900)))
	from, to := &externalgrpc.Time{Seconds: start, Nanos: 5}, &externalgrpc.Time{Seconds: end}
	fromNew, toNew := &timestamppb.Timestamp{Seconds: start, Nanos: 5}, &timestamppb.Timestamp{Seconds: end}
	times := message(inner(2, number(1, start), number(2, 5)), inner(3, number(1, end)))
	return []golden{
		{"PricingNodePriceRequest", message(inner(1, nodeWire), times, inner(4, number(1, start), number(2, 5)), inner(5, number(1, end))),
			&externalgrpc.PricingNodePriceRequest{Node: nodeMessage, StartTime: from, EndTime: to, StartTimestamp: fromNew, EndTimestamp: toNew}},
		{"PricingPodPriceRequest", message(inner(1, podWire), times, inner(4, podWire), inner(5, number(1, start), number(2, 5)), inner(6, number(1, end))),
			&externalgrpc.PricingPodPriceRequest{Pod: podWire, PodBytes: podWire, StartTime: from, EndTime: to, StartTimestamp: fromNew, EndTimestamp: toNew}},
		{"NodeGroupTemplateNodeInfoResponse", message(inner(1, nodeBytes), inner(2, nodeBytes)),
			&externalgrpc.NodeGroupTemplateNodeInfoResponse{NodeInfo: nodeBytes, NodeBytes: nodeBytes}},
		{"NodeGroupAutoscalingOptionsRequest", message(text(1, "pool"), inner(2, options)),
			&externalgrpc.NodeGroupAutoscalingOptionsRequest{Id: "pool", Defaults: optionsMessage(true, true)}},
		{"NodeGroupAutoscalingOptionsResponse", inner(1, options),
			&externalgrpc.NodeGroupAutoscalingOptionsResponse{NodeGroupAutoscalingOptions: optionsMessage(true, true)}},
	}
}

// 1.35 and later: only the new fields, and those that came later still.
func newest() []golden {
	podWire := message(inner(1, text(1, "pod")))
	options := message(double(1, 0.5), double(2, 0.6), number(6, 1), number(7, 1),
		inner(8, number(1, 600)), inner(9, number(1, 1200)), inner(10, number(1, 900)), inner(11, number(1, 300)), number(12, 1))
	later := optionsMessage(false, true)
	later.MaxNodeStartupDuration, later.AllowNonAtomicScaleUpToMax = &durationpb.Duration{Seconds: 300}, true
	from, to := &timestamppb.Timestamp{Seconds: start, Nanos: 5}, &timestamppb.Timestamp{Seconds: end}
	return []golden{
		{"PricingNodePriceRequest", message(inner(1, nodeWire), inner(4, number(1, start), number(2, 5)), inner(5, number(1, end))),
			&externalgrpc.PricingNodePriceRequest{Node: nodeMessage, StartTimestamp: from, EndTimestamp: to}},
		{"PricingPodPriceRequest", message(inner(4, podWire), inner(5, number(1, start), number(2, 5)), inner(6, number(1, end))),
			&externalgrpc.PricingPodPriceRequest{PodBytes: podWire, StartTimestamp: from, EndTimestamp: to}},
		{"NodeGroupTemplateNodeInfoResponse", message(inner(2, nodeBytes), text(3, "slice")),
			&externalgrpc.NodeGroupTemplateNodeInfoResponse{NodeBytes: nodeBytes, ResourceSliceBytes: [][]byte{[]byte("slice")}}},
		{"NodeGroupAutoscalingOptionsRequest", message(text(1, "pool"), inner(2, options)),
			&externalgrpc.NodeGroupAutoscalingOptionsRequest{Id: "pool", Defaults: later}},
		{"NodeGroupAutoscalingOptionsResponse", inner(1, options), &externalgrpc.NodeGroupAutoscalingOptionsResponse{NodeGroupAutoscalingOptions: later}},
	}
}

func optionsMessage(old, fresh bool) *externalgrpc.NodeGroupAutoscalingOptions {
	o := &externalgrpc.NodeGroupAutoscalingOptions{
		ScaleDownUtilizationThreshold: 0.5, ScaleDownGpuUtilizationThreshold: 0.6, ZeroOrMaxNodeScaling: true, IgnoreDaemonSetsUtilization: true,
	}
	if old {
		o.ScaleDownUnneededTime = &externalgrpc.Duration{Duration: 600e9}
		o.ScaleDownUnreadyTime = &externalgrpc.Duration{Duration: 1200e9}
		o.MaxNodeProvisionTime = &externalgrpc.Duration{Duration: 900e9}
	}
	if fresh {
		o.ScaleDownUnneededDuration = &durationpb.Duration{Seconds: 600}
		o.ScaleDownUnreadyDuration = &durationpb.Duration{Seconds: 1200}
		o.MaxNodeProvisionDuration = &durationpb.Duration{Seconds: 900}
	}
	return o
}

func TestGoldenBytes(t *testing.T) {
	for generation, messages := range map[string][]golden{"all": same(), "up to 1.33": oldest(), "1.34": both(), "1.35 and later": newest()} {
		for _, g := range messages {
			t.Run(generation+"/"+g.name, func(t *testing.T) {
				read := g.want.ProtoReflect().New().Interface()
				require.NoError(t, proto.Unmarshal(g.wire, read))
				require.Empty(t, read.ProtoReflect().GetUnknown())
				require.True(t, proto.Equal(g.want, read), "read: %v\nwant: %v", read, g.want)
				written, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.want)
				require.NoError(t, err)
				require.Equal(t, message(g.wire), message(written))
			})
		}
	}
}

// A message that we do not have, or a field too many, would be one that no golden bytes hold.
func TestAllMessagesHaveGoldenBytes(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range append(append(append(same(), oldest()...), both()...), newest()...) {
		seen[string(g.want.ProtoReflect().Descriptor().Name())] = true
	}
	services := externalgrpc.File_scaler_nodegroups_externalgrpc_externalgrpc_proto.Services()
	require.Equal(t, 1, services.Len())
	calls := services.Get(0).Methods()
	require.Equal(t, 15, calls.Len())
	for i := range calls.Len() {
		require.True(t, seen[string(calls.Get(i).Input().Name())], calls.Get(i).Input().Name())
		require.True(t, seen[string(calls.Get(i).Output().Name())], calls.Get(i).Output().Name())
		require.False(t, calls.Get(i).IsStreamingClient() || calls.Get(i).IsStreamingServer())
	}
}

// The paths of the calls are on the wire, too.
func TestPaths(t *testing.T) {
	const service = "/clusterautoscaler.cloudprovider.v1.externalgrpc.CloudProvider/"
	var paths []string
	for _, m := range externalgrpc.CloudProvider_ServiceDesc.Methods {
		paths = append(paths, "/"+externalgrpc.CloudProvider_ServiceDesc.ServiceName+"/"+m.MethodName)
	}
	require.ElementsMatch(t, []string{
		service + "NodeGroups", service + "NodeGroupForNode", service + "PricingNodePrice", service + "PricingPodPrice",
		service + "GPULabel", service + "GetAvailableGPUTypes", service + "Cleanup", service + "Refresh",
		service + "NodeGroupTargetSize", service + "NodeGroupIncreaseSize", service + "NodeGroupDeleteNodes",
		service + "NodeGroupDecreaseTargetSize", service + "NodeGroupNodes", service + "NodeGroupTemplateNodeInfo", service + "NodeGroupGetOptions",
	}, paths)
}

// The Node of the golden bytes is Kubernetes' own, and what we read of it is the same.
func TestNodeIsKubernetes(t *testing.T) {
	var node corev1.Node
	require.NoError(t, node.Unmarshal(nodeBytes))
	require.Equal(t, "a", node.Labels["zone"])
	require.Equal(t, []corev1.Taint{{Key: "dedicated", Value: "shop", Effect: corev1.TaintEffectNoSchedule}}, node.Spec.Taints)
	require.Equal(t, resource.MustParse("3920m"), node.Status.Allocatable[corev1.ResourceCPU])

	written, err := node.Marshal()
	require.NoError(t, err)
	for _, wire := range [][]byte{nodeBytes, written} {
		var read externalgrpc.Node
		require.NoError(t, proto.Unmarshal(wire, &read))
		require.Equal(t, map[string]string{"zone": "a"}, read.GetMetadata().GetLabels())
		require.Len(t, read.GetSpec().GetTaints(), 1)
		taint := read.GetSpec().GetTaints()[0]
		require.Equal(t, []string{"dedicated", "shop", "NoSchedule"}, []string{taint.GetKey(), taint.GetValue(), taint.GetEffect()})
		require.Equal(t, "3920m", read.GetStatus().GetAllocatable()["cpu"].GetText())
		require.Equal(t, "4", read.GetStatus().GetCapacity()["cpu"].GetText())
	}
}

// The times and durations of the golden bytes are Kubernetes' own.
func TestTimesAreKubernetes(t *testing.T) {
	var at metav1.Time
	require.NoError(t, at.Unmarshal(message(number(1, start))))
	require.Equal(t, start, at.Unix())
	var d metav1.Duration
	require.NoError(t, d.Unmarshal(number(1, 600e9)))
	require.Equal(t, 10*time.Minute, d.Duration)
}
