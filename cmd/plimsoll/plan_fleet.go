// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
)

// runFleet ranks every HPA of a cluster. It reads only.
func (f *planFlags) runFleet(ctx context.Context, out, stderr io.Writer) error {
	if f.prometheus == "" || f.trace != "" || f.query != "" || len(f.manifests) > 0 || f.report != "" {
		return errors.New("--all-hpas goes with --prometheus, and without --trace, --query, --filename and --report")
	}
	in, err := f.input()
	if err != nil {
		return err
	}
	config, err := f.kube.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	candidates, err := candidatesOf(ctx, client, *f.kube.Namespace)
	if err != nil {
		return err
	}
	progress, finish := progressOn(stderr)
	in.Progress = progress
	now := time.Now().Truncate(f.step)
	ranking, err := plan.Fleet(ctx, candidates, in, func(ctx context.Context, query string) (plan.Trace, error) {
		return plan.Query{URL: f.prometheus, Expr: query, From: now.Add(-f.history), To: now, Step: f.step}.Fetch(ctx, nil)
	})
	finish()
	if err != nil {
		return err
	}
	if f.output == "json" {
		return plan.WriteFleetJSON(out, ranking)
	}
	return plan.WriteFleetTable(out, ranking)
}

// candidatesOf lists the HPAs with the requests of their workloads. An empty namespace means all.
func candidatesOf(ctx context.Context, client kubernetes.Interface, namespace string) ([]plan.Candidate, error) {
	list, err := client.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the HPAs: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("the cluster has no HPA to judge")
	}
	var out []plan.Candidate
	for i := range list.Items {
		object := &list.Items[i]
		var requests plan.Resources
		if template := templateOf(ctx, client, object); template != nil {
			requests = plan.RequestsOf(template.Spec)
		}
		out = append(out, plan.CandidateOf(object, requests))
	}
	return out, nil
}

// templateOf returns the pods' template of an HPA's target, nil if it cannot be read.
func templateOf(ctx context.Context, client kubernetes.Interface, object *autoscalingv2.HorizontalPodAutoscaler) *corev1.PodTemplateSpec {
	apps, name := client.AppsV1(), object.Spec.ScaleTargetRef.Name
	switch object.Spec.ScaleTargetRef.Kind {
	case "Deployment":
		if d, err := apps.Deployments(object.Namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			return &d.Spec.Template
		}
	case "StatefulSet":
		if s, err := apps.StatefulSets(object.Namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			return &s.Spec.Template
		}
	}
	return nil
}
