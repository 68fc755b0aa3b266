// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[string]struct{ cpu, other int64 }{
		"4": {4000, 4}, "3920m": {3920, 4}, "1.5": {1500, 2}, "0": {0, 0}, "16Gi": {16 << 30 * 1000, 16 << 30}, "2e3": {2_000_000, 2000},
		"1n": {1, 1}, "1e-99": {1, 1},
		"999999999999999999E": {largest * 1000, largest}, "9000Pi": {largest * 1000, largest}, "1e99": {largest * 1000, largest},
	} {
		for name, want := range map[string]int64{"cpu": want.cpu, "memory": want.other} {
			got, ok := amountOf(name, text)
			require.True(t, ok, text)
			require.Equal(t, want, got, "%s of %s", text, name)
		}
	}
	for _, text := range []string{"", "-1", "+1", "x", "1e-99999999", "1e999", "1KiB", "1 Gi", ".", "1.", "0x10", strings.Repeat("9", 19)} {
		_, ok := amountOf("memory", text)
		require.False(t, ok, text)
	}
}

// What Kubernetes itself writes is understood.
func TestTemplateOfKubernetesNode(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b", "": ""}},
		Status: corev1.NodeStatus{Capacity: corev1.ResourceList{
			"cpu": *resource.NewMilliQuantity(1930, resource.DecimalSI), "memory": *resource.NewQuantity(3<<30, resource.BinarySI),
			"pods": *resource.NewQuantity(58, resource.DecimalSI), "ephemeral-storage": *resource.NewScaledQuantity(47, resource.Giga),
		}},
	}
	encoded, err := node.Marshal()
	require.NoError(t, err)
	for name, response := range map[string]*externalgrpc.NodeGroupTemplateNodeInfoResponse{
		"old": {NodeInfo: encoded}, "new": {NodeBytes: encoded}, "the new field wins": {NodeBytes: encoded, NodeInfo: []byte("x")},
	} {
		got, err := templateOf(response, "pool")
		require.NoError(t, err, name)
		require.Equal(t, &Template{
			Node:   fit.Node{Free: fit.Resources{"cpu": 1930, "memory": 3 << 30, "ephemeral-storage": 47e9}, Pods: 58},
			Labels: map[string]string{"a": "b", "": ""},
		}, got, "capacity stands in for allocatable")
	}
	got, err := templateOf(&externalgrpc.NodeGroupTemplateNodeInfoResponse{}, "pool")
	require.NoError(t, err)
	require.Nil(t, got)
	for name, bad := range map[string]*externalgrpc.NodeGroupTemplateNodeInfoResponse{
		"no Node":        {NodeBytes: []byte("x")},
		"a bad quantity": {NodeBytes: nodeOf("cpu", "1e-99999999")},
		"a negative one": {NodeBytes: nodeOf("memory", "-1")},
	} {
		got, err := templateOf(bad, "pool")
		require.Equal(t, Invalid, ReasonOf(err), name)
		require.Nil(t, got)
	}
}

func nodeOf(name, quantity string) []byte {
	encoded, err := proto.Marshal(&externalgrpc.Node{Status: &externalgrpc.NodeStatus{
		Allocatable: map[string]*externalgrpc.Quantity{name: {Text: quantity}},
	}})
	if err != nil {
		return nil
	}
	return encoded
}

func TestGroupsThatCannotBeToldApart(t *testing.T) {
	for _, ids := range [][]string{{""}, {"a", "b", "a"}} {
		r := &externalgrpc.NodeGroupsResponse{}
		for _, id := range ids {
			r.NodeGroups = append(r.NodeGroups, &externalgrpc.NodeGroup{Id: id})
		}
		_, err := groupsOf(r)
		require.Equal(t, Invalid, ReasonOf(err))
	}
}

func TestOneLine(t *testing.T) {
	require.Equal(t, "a b c ?", oneLine("a\n\tb  c \xff"))
	require.Len(t, oneLine(strings.Repeat("é", 1000)), longest+3)
	require.True(t, utf8.ValidString(oneLine("x"+strings.Repeat("é", 1000))))
}

func FuzzTemplate(f *testing.F) {
	real, err := (&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "template", Labels: map[string]string{"zone": "a"}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "dedicated", Value: "shop", Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse("3920m"), "pods": resource.MustParse("110")}},
	}).Marshal()
	require.NoError(f, err)
	for _, r := range []*externalgrpc.NodeGroupTemplateNodeInfoResponse{
		{NodeInfo: real}, {NodeInfo: real, NodeBytes: real}, {NodeBytes: real}, {NodeBytes: nodeOf("cpu", "1e-99999999")}, {NodeBytes: nodeOf("memory", "9000Pi")},
	} {
		encoded, err := proto.Marshal(r)
		require.NoError(f, err)
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var r externalgrpc.NodeGroupTemplateNodeInfoResponse
		if proto.Unmarshal(encoded, &r) != nil {
			return
		}
		got, err := templateOf(&r, "pool")
		if err != nil {
			require.Equal(t, Invalid, ReasonOf(err))
			require.NotContains(t, err.Error(), "\n")
			return
		}
		if got == nil {
			return
		}
		require.GreaterOrEqual(t, got.Node.Pods, int64(0))
		for name, amount := range got.Node.Free {
			require.GreaterOrEqual(t, amount, int64(0), name)
		}
	})
}

func FuzzGroups(f *testing.F) {
	for _, m := range []proto.Message{
		&externalgrpc.NodeGroupsResponse{NodeGroups: []*externalgrpc.NodeGroup{{Id: "a", MaxSize: 5}, {Id: "b", MinSize: -1}}},
		&externalgrpc.NodeGroupNodesResponse{Instances: []*externalgrpc.Instance{
			{Id: "a", Status: &externalgrpc.InstanceStatus{InstanceState: 2, ErrorInfo: &externalgrpc.InstanceErrorInfo{ErrorCode: "x", InstanceErrorClass: 1}}},
		}},
	} {
		encoded, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(encoded, int32(3))
	}
	f.Fuzz(func(t *testing.T, encoded []byte, target int32) {
		var list externalgrpc.NodeGroupsResponse
		if proto.Unmarshal(encoded, &list) == nil {
			groups, err := groupsOf(&list)
			for _, g := range groups {
				require.NotEmpty(t, g.ID)
				require.True(t, g.Err != nil || 0 <= g.Min && g.Min <= g.Max && g.Max <= math.MaxInt32)
			}
			if err != nil {
				require.Empty(t, groups)
			}
		}
		var machines externalgrpc.NodeGroupNodesResponse
		if proto.Unmarshal(encoded, &machines) == nil {
			g := Group{Target: int(max(target, 0)), Instances: instancesOf(&machines)}
			require.Len(t, g.Instances, len(machines.GetInstances()))
			for _, there := range []bool{false, true} {
				pending := g.Pending(func(string) bool { return there })
				require.True(t, 0 <= pending && pending <= g.Target)
			}
		}
	})
}
