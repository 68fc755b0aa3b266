// SPDX-License-Identifier: Apache-2.0

// Package metric asks the adapter where a metric's numbers come from, and writes the answer for people.
package metric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/adapter/explain"
)

// Question is which metric to explain, and for which object.
type Question struct {
	Namespace string
	Metric    string
	Resource  string // plural, with its group after a dot if it has one; "" is any
	Object    string // "" is all
}

// Parse reads NAMESPACE/METRIC, or METRIC alone, which is in the default namespace.
func Parse(argument, defaultNamespace string) (Question, error) {
	namespace, name, found := strings.Cut(argument, "/")
	if !found {
		namespace, name = defaultNamespace, argument
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return Question{}, fmt.Errorf("%q does not name a metric: write NAMESPACE/METRIC, for example shop/online_users", argument)
	}
	return Question{Namespace: namespace, Metric: name}, nil
}

// Ask asks the adapter through the API server. Its errors say in one sentence what is wrong and what to do.
func Ask(ctx context.Context, client rest.Interface, q Question) (*explain.Metric, error) {
	request := client.Get().AbsPath("/apis/query.plimsoll.dev/v1alpha1/namespaces", q.Namespace, "metrics", q.Metric, "explain")
	if q.Resource != "" {
		request.Param("resource", q.Resource)
	}
	if q.Object != "" {
		request.Param("name", q.Object)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, sentence(err, q)
	}
	body, err := result.Raw()
	if err != nil {
		return nil, sentence(err, q)
	}
	m := &explain.Metric{}
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("the answer about %s/%s cannot be read; is plimsoll of the same version as the adapter? %w", q.Namespace, q.Metric, err)
	}
	return m, nil
}

const seeService = "look with: kubectl describe apiservice v1alpha1.query.plimsoll.dev"

// sentence says what an error of the API server means for the question.
func sentence(err error, q Question) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not explain metrics in namespace %s: ask for the role view or plimsoll-view there, which allows metrics/explain of "+
			"the API group query.plimsoll.dev, and try: kubectl auth can-i get metrics.query.plimsoll.dev/%s --subresource=explain -n %s (%w)",
			q.Namespace, q.Metric, q.Namespace, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server does not know who you are: check the credentials of the kubeconfig's context (%w)", err)
	case apierrors.IsNotFound(err) && unserved(err):
		return fmt.Errorf("this cluster does not serve query.plimsoll.dev: Plimsoll's adapter is not installed, or not in this context; %s", seeService)
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), "kubectl"): // the adapter says what to do
		return err
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w; see what is defined with: kubectl get metricrules -n %s; kubectl get clustermetricrules", err, q.Namespace)
	case apierrors.IsServiceUnavailable(err):
		return fmt.Errorf("the adapter of Plimsoll does not answer: %s; kubectl get pods -n plimsoll-system (%w)", seeService, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer about %s/%s in time: %s (%w)", q.Namespace, q.Metric, seeService, err)
	case utilnet.IsConnectionRefused(err):
		return fmt.Errorf("no API server answers at that address: name a cluster with --kubeconfig, --context or KUBECONFIG (%w)", err)
	default:
		return fmt.Errorf("metric %s/%s cannot be explained: %w", q.Namespace, q.Metric, err)
	}
}

// unserved tells the API server's own 404, for a group it does not know, from the adapter's, which is a Status.
func unserved(err error) bool {
	_, unexpected := apierrors.StatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
	return unexpected
}
