// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// podsPerNode is how many pods of the shop a node has room for.
	podsPerNode = 4
	// hpaSync is the time between two decisions of the hub's HPA controller.
	hpaSync = 5 * time.Second
	// mostNodes bounds what a cluster may grow to.
	mostNodes = 12
)

// grower plays the node autoscaler of one cluster: when pods find no room it orders nodes, which come after a delay.
type grower struct {
	client client.Client
	delay  time.Duration
	orders []time.Time // when each node that was ordered comes
	made   int
}

// run grows the cluster until the context ends. A cluster that does not answer is asked again.
func (g *grower) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		timed, cancel := context.WithTimeout(ctx, 5*time.Second)
		_ = g.look(timed) // it is looked again in a second
		cancel()
	}
}

func (g *grower) look(ctx context.Context) error {
	if len(g.orders) > 0 && !time.Now().Before(g.orders[0]) {
		if err := g.create(ctx); err != nil {
			return err
		}
		g.orders = g.orders[1:]
		return nil
	}
	var pods corev1.PodList
	var list corev1.NodeList
	if err := g.client.List(ctx, &pods); err != nil {
		return err
	}
	if err := g.client.List(ctx, &list); err != nil {
		return err
	}
	waiting := int64(0) // in thousandths of a cpu
	for i := range pods.Items {
		if unschedulable(&pods.Items[i]) {
			for _, c := range pods.Items[i].Spec.Containers {
				waiting += c.Resources.Requests.Cpu().MilliValue()
			}
		}
	}
	const node = podsPerNode * 1000
	for needed := int((waiting + node - 1) / node); len(g.orders) < needed && len(list.Items)+len(g.orders) < mostNodes; {
		g.orders = append(g.orders, time.Now().Add(g.delay))
	}
	return nil
}

// unschedulable says whether a pod waits for a node and for nobody to leave one.
func unschedulable(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Spec.NodeName != "" || pod.Status.NominatedNodeName != "" {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return true
		}
	}
	return false
}

// create creates a node like the first one there is; kwok brings it to life.
func (g *grower) create(ctx context.Context) error {
	var list corev1.NodeList
	if err := g.client.List(ctx, &list); err != nil || len(list.Items) == 0 {
		return fmt.Errorf("there is no node to copy: %w", err)
	}
	from := &list.Items[0]
	g.made++
	base, _, _ := strings.Cut(from.Name, "-node-")
	name := fmt.Sprintf("%s-node-new-%d", base, g.made)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: from.Labels, Annotations: from.Annotations},
		Status:     corev1.NodeStatus{Capacity: from.Status.Capacity, Allocatable: from.Status.Allocatable},
	}
	node.Labels[corev1.LabelHostname] = name
	return g.client.Create(ctx, node)
}
