// SPDX-License-Identifier: Apache-2.0

package nodegroups_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// short is the time-out where a call is meant to run into it: long enough for the healthy calls around it on a busy machine.
const short = 10 * time.Second

// timeout is that of a client's calls, by what is to become of one: short if it is meant to run into it, else dial's own.
func timeout(want nodegroups.Reason) time.Duration {
	if want == nodegroups.TimedOut {
		return short
	}
	return 0
}

func template() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "template", Labels: map[string]string{"node.kubernetes.io/instance-type": "large"}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "dedicated", Value: "shop", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("16Gi"), "pods": resource.MustParse("110")},
			Allocatable: corev1.ResourceList{
				"cpu": resource.MustParse("3920m"), "memory": resource.MustParse("15Gi"), "pods": resource.MustParse("110"), "example.com/gpu": resource.MustParse("2"),
			},
		},
	}
}

// start runs a server; that it was never ended and lost no node is looked at when the test is over.
func start(t *testing.T, o nodegroupstest.Options) *nodegroupstest.Server {
	t.Helper()
	if o.Groups == nil {
		o.Groups = []nodegroupstest.Group{{ID: "pool", Min: 1, Max: 5, Target: 2, Ready: 1, Template: template()}, {ID: "other", Max: 3}}
	}
	server, err := nodegroupstest.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		server.Stop()
		require.False(t, server.Ended(), "Cleanup was called")
		for _, before := range o.Groups {
			after, _ := server.Group(before.ID)
			require.GreaterOrEqual(t, after.Target, before.Target)
		}
	})
	return server
}

func dial(t *testing.T, o nodegroups.Options) *nodegroups.Client {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second // a healthy call on a busy machine
	}
	client, err := nodegroups.Dial(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// requireReason also looks at the sentence.
func requireReason(t *testing.T, want nodegroups.Reason, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, nodegroups.ReasonOf(err), err.Error())
	require.NotContains(t, err.Error(), "\n")
}

func TestGroups(t *testing.T) {
	for name, generation := range map[string]nodegroupstest.Generation{
		"up to 1.33": nodegroupstest.Oldest, "1.34": nodegroupstest.Both, "1.35 and later": nodegroupstest.Newest,
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, nodegroupstest.Options{Generation: generation})
			groups, err := dial(t, nodegroups.Options{Address: server.Address()}).Groups(t.Context())
			require.NoError(t, err)
			require.Equal(t, []nodegroups.Group{
				{
					ID: "pool", Min: 1, Max: 5, Target: 2,
					Instances: []nodegroups.Instance{{ID: "test://pool/0", State: nodegroups.Running}, {ID: "test://pool/1", State: nodegroups.Creating}},
					Template: &nodegroups.Template{
						Node:   fit.Node{Free: fit.Resources{"cpu": 3920, "memory": 15 << 30, "example.com/gpu": 2}, Pods: 110},
						Labels: map[string]string{"node.kubernetes.io/instance-type": "large"},
						Taints: []corev1.Taint{{Key: "dedicated", Value: "shop", Effect: corev1.TaintEffectNoSchedule}},
					},
				},
				{ID: "other", Max: 3, Instances: []nodegroups.Instance{}}, // its template is Unimplemented
			}, groups)
		})
	}
}

func TestGroupsAreReadAnew(t *testing.T) {
	server := start(t, nodegroupstest.Options{})
	client := dial(t, nodegroups.Options{Address: server.Address()})
	_, err := client.Groups(t.Context())
	require.NoError(t, err)
	server.SetTarget("pool", 4)
	server.SetMax("pool", 9)
	groups, err := client.Groups(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, groups[0].Target)
	require.Equal(t, 9, groups[0].Max)
	require.Len(t, groups[0].Instances, 4)
}

func TestGroupsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	for fault, want := range map[nodegroupstest.Fault]nodegroups.Reason{
		nodegroupstest.PlainErrors: nodegroups.Refused, nodegroupstest.Hangs: nodegroups.TimedOut,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server := start(t, nodegroupstest.Options{})
			server.Fail("", fault)
			groups, err := dial(t, nodegroups.Options{Address: server.Address(), Timeout: timeout(want)}).Groups(t.Context())
			requireReason(t, want, err)
			require.Nil(t, groups)
		})
	}
}

// What is wrong with one group is no trouble of the other.
func TestOneGroupFails(t *testing.T) {
	t.Parallel()
	for fault, want := range map[nodegroupstest.Fault]nodegroups.Reason{
		nodegroupstest.PlainErrors: nodegroups.Refused, nodegroupstest.Hangs: nodegroups.TimedOut,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server := start(t, nodegroupstest.Options{})
			server.Fail("other", fault)
			groups, err := dial(t, nodegroups.Options{Address: server.Address(), Timeout: timeout(want)}).Groups(t.Context())
			require.NoError(t, err)
			require.NoError(t, groups[0].Err)
			require.Equal(t, 2, groups[0].Target)
			requireReason(t, want, groups[1].Err)
			require.ErrorContains(t, groups[1].Err, `"other"`)
		})
	}
}

func TestServerIsGoneAndComesBack(t *testing.T) {
	server := start(t, nodegroupstest.Options{Address: "127.0.0.2:0"}) // an address of its own: nobody else takes the port meanwhile
	client := dial(t, nodegroups.Options{Address: server.Address()})
	_, err := client.Groups(t.Context())
	require.NoError(t, err)
	server.Stop()
	_, err = client.Groups(t.Context())
	requireReason(t, nodegroups.Unreachable, err)
	start(t, nodegroupstest.Options{Address: server.Address()})
	require.Eventually(t, func() bool {
		_, err := client.Groups(t.Context())
		return err == nil
	}, time.Minute, 100*time.Millisecond)
}

func TestSomethingElseListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer() // without our service
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); require.NoError(t, <-done) })
	_, err = dial(t, nodegroups.Options{Address: listener.Addr().String()}).Groups(t.Context())
	requireReason(t, nodegroups.Unimplemented, err)
}

func TestPending(t *testing.T) {
	g := nodegroups.Group{Target: 7, Instances: []nodegroups.Instance{
		{ID: "there", State: nodegroups.Running}, {ID: "booting", State: nodegroups.Running}, {ID: "made", State: nodegroups.Creating},
		{ID: "failed", State: nodegroups.Creating, Error: "QUOTA"}, {ID: "going", State: nodegroups.Deleting}, {ID: "broken", State: nodegroups.Running, Error: "DISK"},
	}}
	there := func(ids ...string) func(string) bool {
		return func(id string) bool { return strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") }
	}
	require.Equal(t, 4, g.Pending(there("there", "going", "broken")))
	require.Equal(t, 5, g.Pending(there()))
	g.Target = 1
	require.Zero(t, g.Pending(there("there", "booting")), "more are there than should be")
}
