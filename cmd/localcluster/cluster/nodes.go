// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// createNodes creates the cluster's nodes as API objects; kwok brings them to life.
func (s *State) createNodes(ctx context.Context, client kubernetes.Interface) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(20)
	for i := range s.Options.Nodes {
		group.Go(func() error {
			if _, err := client.CoreV1().Nodes().Create(ctx, s.node(i), metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("create node %d: %w", i, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// node returns the i-th node. Zones take turns: zone-a, zone-b, and so on.
func (s *State) node(i int) *corev1.Node {
	name := fmt.Sprintf("%s-node-%d", s.Options.Name, i)
	zone := "zone-" + zoneName(i%s.Options.Zones)
	annotation, value, _ := strings.Cut(nodeAnnotation, "=")
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(s.Options.NodeCPU),
		corev1.ResourceMemory: resource.MustParse(s.Options.NodeMemory),
		corev1.ResourcePods:   resource.MustParse(strconv.Itoa(s.Options.NodePods)),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{annotation: value},
			Labels: map[string]string{
				corev1.LabelHostname:           name,
				corev1.LabelOSStable:           "linux",
				corev1.LabelArchStable:         "amd64",
				corev1.LabelTopologyRegion:     "local",
				corev1.LabelTopologyZone:       zone,
				corev1.LabelInstanceTypeStable: "kwok",
			},
		},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}
}

// zoneName counts a, b, ... z, ba, bb and so on.
func zoneName(i int) string {
	letter := string(rune('a' + i%26))
	if i < 26 {
		return letter
	}
	return zoneName(i/26) + letter
}

// nodesReady returns nil once pods can be scheduled on every node.
func (s *State) nodesReady(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	ready := 0
	for _, node := range nodes.Items {
		if isReady(node) && len(node.Spec.Taints) == 0 {
			ready++
		}
	}
	if ready < s.Options.Nodes {
		return fmt.Errorf("%d of %d nodes are ready", ready, s.Options.Nodes)
	}
	return nil
}

func isReady(node corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
