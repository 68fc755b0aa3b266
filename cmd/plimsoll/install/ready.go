// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// established returns nil if a CRD is served.
func (c *Cluster) established(ctx context.Context, crd *unstructured.Unstructured) error {
	live, err := c.live(ctx, crd)
	if err != nil {
		return err
	}
	if live == nil {
		return errors.New("somebody has removed it")
	}
	conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
	if err != nil {
		return fmt.Errorf("read its conditions: %w", err)
	}
	reason := "the API server has not accepted it yet"
	for _, one := range conditions {
		condition, _ := one.(map[string]any)
		switch {
		case condition["type"] == "Established" && condition["status"] == "True":
			return nil
		case condition["type"] == "NamesAccepted" && condition["status"] == "False":
			reason = fmt.Sprint(condition["message"])
		}
	}
	return errors.New(reason)
}

// rolledOut returns nil if every pod of a Deployment is of its newest version and available.
func (c *Cluster) rolledOut(ctx context.Context, object *unstructured.Unstructured) error {
	deployment, err := c.typed.AppsV1().Deployments(object.GetNamespace()).Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	wanted, status := *deployment.Spec.Replicas, deployment.Status
	if status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == wanted &&
		status.Replicas == wanted && status.AvailableReplicas == wanted {
		return nil
	}
	err = fmt.Errorf("%d of %d pods are available and up to date", min(status.AvailableReplicas, status.UpdatedReplicas), wanted)
	pods, listErr := c.typed.CoreV1().Pods(object.GetNamespace()).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(deployment.Spec.Selector),
	})
	if listErr != nil {
		return fmt.Errorf("%w, and their reasons cannot be read: %w", err, listErr)
	}
	for i := range pods.Items {
		if reason := trouble(&pods.Items[i]); reason != "" {
			return fmt.Errorf("%w; pod %s: %s", err, pods.Items[i].Name, reason)
		}
	}
	return err
}

// trouble says why a pod does not run, or "".
func trouble(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil {
			return waiting.Reason + " " + waiting.Message
		}
		if ended := status.LastTerminationState.Terminated; ended != nil && !status.Ready {
			return fmt.Sprintf("its last run ended with code %d: %s %s", ended.ExitCode, ended.Reason, ended.Message)
		}
	}
	return ""
}
