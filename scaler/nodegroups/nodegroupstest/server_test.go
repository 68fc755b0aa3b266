// SPDX-License-Identifier: Apache-2.0

package nodegroupstest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// talk starts a server and returns a plain client of the generated code.
func talk(t *testing.T, o nodegroupstest.Options) (*nodegroupstest.Server, externalgrpc.CloudProviderClient) {
	t.Helper()
	o.Groups = []nodegroupstest.Group{{ID: "pool", Min: 1, Max: 5, Target: 3, Ready: 2, Template: &corev1.Node{}}}
	server, err := nodegroupstest.Start(o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("dns:///"+server.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return server, externalgrpc.NewCloudProviderClient(conn)
}

func TestGenerations(t *testing.T) {
	for generation, want := range map[nodegroupstest.Generation]struct{ old, fresh bool }{
		nodegroupstest.Oldest: {true, false}, nodegroupstest.Both: {true, true}, nodegroupstest.Newest: {false, true},
	} {
		_, client := talk(t, nodegroupstest.Options{Generation: generation})
		template, err := client.NodeGroupTemplateNodeInfo(t.Context(), &externalgrpc.NodeGroupTemplateNodeInfoRequest{Id: "pool"})
		require.NoError(t, err)
		require.Equal(t, want.old, len(template.GetNodeInfo()) > 0)
		require.Equal(t, want.fresh, len(template.GetNodeBytes()) > 0)
		for _, defaults := range []*externalgrpc.NodeGroupAutoscalingOptions{
			{ScaleDownUnneededTime: &externalgrpc.Duration{Duration: int64(time.Minute)}},
			{ScaleDownUnneededDuration: durationpb.New(time.Minute), ScaleDownUnneededTime: &externalgrpc.Duration{Duration: 1}},
		} {
			answer, err := client.NodeGroupGetOptions(t.Context(), &externalgrpc.NodeGroupAutoscalingOptionsRequest{Id: "pool", Defaults: defaults})
			require.NoError(t, err)
			options := answer.GetNodeGroupAutoscalingOptions()
			require.Equal(t, want.old, options.GetScaleDownUnneededTime().GetDuration() == int64(time.Minute))
			require.Equal(t, want.fresh, options.GetScaleDownUnneededDuration().AsDuration() == time.Minute)
		}
	}
}

func TestNothingOptional(t *testing.T) {
	_, client := talk(t, nodegroupstest.Options{NothingOptional: true})
	_, err := client.NodeGroupTemplateNodeInfo(t.Context(), &externalgrpc.NodeGroupTemplateNodeInfoRequest{Id: "pool"})
	require.Equal(t, codes.Unimplemented, status.Code(err))
	_, err = client.NodeGroupGetOptions(t.Context(), &externalgrpc.NodeGroupAutoscalingOptionsRequest{Id: "pool"})
	require.Equal(t, codes.Unimplemented, status.Code(err))
	_, err = client.PricingNodePrice(t.Context(), &externalgrpc.PricingNodePriceRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestIncrease(t *testing.T) {
	for name, tc := range map[string]struct {
		delta int32
		want  string
	}{"none": {0, "size increase must be positive"}, "downwards": {-1, "size increase must be positive"}, "too many": {3, "size increase too large"}} {
		t.Run(name, func(t *testing.T) {
			server, client := talk(t, nodegroupstest.Options{})
			_, err := client.NodeGroupIncreaseSize(t.Context(), &externalgrpc.NodeGroupIncreaseSizeRequest{Id: "pool", Delta: tc.delta})
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, codes.Unknown, status.Code(err), "servers give plain errors")
			requireSizes(t, server, 3, 2)
		})
	}
	broken := true
	server, client := talk(t, nodegroupstest.Options{Create: func(string, int) error {
		if broken {
			return errors.New("broken")
		}
		return nil
	}})
	increase := &externalgrpc.NodeGroupIncreaseSizeRequest{Id: "pool", Delta: 2}
	_, err := client.NodeGroupIncreaseSize(t.Context(), increase)
	require.ErrorContains(t, err, "broken")
	requireSizes(t, server, 3, 2)
	broken = false
	_, err = client.NodeGroupIncreaseSize(t.Context(), increase)
	require.NoError(t, err)
	server.SetReady("pool", 4)
	requireSizes(t, server, 5, 4)
	nodes, err := client.NodeGroupNodes(t.Context(), &externalgrpc.NodeGroupNodesRequest{Id: "pool"})
	require.NoError(t, err)
	require.Equal(t, nodegroupstest.ProviderID("pool", 4), nodes.GetInstances()[4].GetId(), "what was not made does not count")
	require.Equal(t, externalgrpc.InstanceStatus_instanceCreating, nodes.GetInstances()[4].GetStatus().GetInstanceState())
	group, err := client.NodeGroupForNode(t.Context(), &externalgrpc.NodeGroupForNodeRequest{
		Node: &externalgrpc.ExternalGrpcNode{ProviderID: nodegroupstest.ProviderID("pool", 3)},
	})
	require.NoError(t, err)
	require.Equal(t, "pool", group.GetNodeGroup().GetId())
}

func requireSizes(t *testing.T, server *nodegroupstest.Server, target, ready int) {
	t.Helper()
	g, there := server.Group("pool")
	require.True(t, there)
	require.Equal(t, []int{target, ready}, []int{g.Target, g.Ready})
}

// What nobody here calls, but a node autoscaler beside us might.
func TestDecrease(t *testing.T) {
	server, client := talk(t, nodegroupstest.Options{})
	decrease := func(delta int32) error {
		_, err := client.NodeGroupDecreaseTargetSize(t.Context(), &externalgrpc.NodeGroupDecreaseTargetSizeRequest{Id: "pool", Delta: delta})
		return err
	}
	remove := func(n int) error {
		_, err := client.NodeGroupDeleteNodes(t.Context(), &externalgrpc.NodeGroupDeleteNodesRequest{
			Id: "pool", Nodes: []*externalgrpc.ExternalGrpcNode{{ProviderID: nodegroupstest.ProviderID("pool", n)}},
		})
		return err
	}
	require.ErrorContains(t, decrease(1), "must be negative")
	require.ErrorContains(t, decrease(-2), "existing nodes")
	require.NoError(t, decrease(-1))
	requireSizes(t, server, 2, 2)
	require.ErrorContains(t, remove(7), "is not of node group")
	require.NoError(t, remove(0))
	requireSizes(t, server, 1, 1)
	require.ErrorContains(t, remove(1), "min size reached")
}

// One client's Cleanup ends the server for all.
func TestCleanup(t *testing.T) {
	server, client := talk(t, nodegroupstest.Options{})
	_, err := client.Cleanup(t.Context(), &externalgrpc.CleanupRequest{})
	require.NoError(t, err)
	require.True(t, server.Ended())
	_, err = client.NodeGroups(t.Context(), &externalgrpc.NodeGroupsRequest{})
	require.Error(t, err)
}

// Sizes are as old as the last Refresh.
func TestRefresh(t *testing.T) {
	server, client := talk(t, nodegroupstest.Options{})
	server.SetTarget("pool", 4)
	target := func() int32 {
		answer, err := client.NodeGroupTargetSize(t.Context(), &externalgrpc.NodeGroupTargetSizeRequest{Id: "pool"})
		require.NoError(t, err)
		return answer.GetTargetSize()
	}
	require.EqualValues(t, 3, target())
	_, err := client.Refresh(t.Context(), &externalgrpc.RefreshRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 4, target())
}
