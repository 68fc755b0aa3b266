// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Cluster is a cluster to ask, without caches.
type Cluster struct {
	client.Client
	// Raw asks APIs that have no Go type here, such as the adapter's.
	Raw rest.Interface
	// Namespace is where names without a namespace are.
	Namespace string
}

// Connect prepares to ask a cluster; nothing is asked yet.
func Connect(config *rest.Config, namespace string) (*Cluster, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("the kinds of the API cannot be registered: %w", err)
	}
	raw, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", Sentence(err))
	}
	return &Cluster{Client: c, Raw: raw.RESTClient(), Namespace: namespace}, nil
}

// HPAs lists the names of the HPAs of the cluster's namespace that a label selector selects, in their order.
func (c *Cluster) HPAs(ctx context.Context, selector labels.Selector) ([]string, error) {
	return c.Names(ctx, HPA, selector)
}

// Names lists the names of objects of a kind, in the cluster's namespace where the kind has one.
func (c *Cluster) Names(ctx context.Context, kind string, selector labels.Selector) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	options := &client.ListOptions{Namespace: c.Namespace, LabelSelector: selector}
	switch kind {
	case HPA:
		list.SetGroupVersionKind(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscalerList"))
	case Schedule:
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ScaleScheduleList"))
	case Forecast:
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ScaleForecastList"))
	case Federated:
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("FederatedScaleList"))
	case Namespace:
		list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NamespaceList"})
		options.Namespace = ""
	default:
		return nil, fmt.Errorf("objects of kind %s cannot be listed", kind)
	}
	if err := c.List(ctx, list, options); err != nil {
		return nil, Sentence(err)
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, nil
}

// Sentence says what an error of the API server means, where more can be said than it says itself.
func Sentence(err error) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("the cluster does not know the kinds of plimsoll.dev: install Plimsoll first (%w)", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server does not know who you are: check the credentials of the kubeconfig's context (%w)", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("your rights do not allow it: %w", err)
	case utilnet.IsConnectionRefused(err):
		return fmt.Errorf("no API server answers at that address: name a cluster with --kubeconfig, --context or KUBECONFIG (%w)", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the API server did not answer in time; give it longer with --request-timeout (%w)", err)
	}
	return err
}

// User is who the kubeconfig's credentials belong to, as the API server knows them; "" if it does not say.
func (c *Cluster) User(ctx context.Context) string {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}
