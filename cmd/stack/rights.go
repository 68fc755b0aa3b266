// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// right is what an account may do.
type right = authorizationv1.ResourceAttributes

// adapterRights and scalerRights are some of what each manifest with rights gives. The API server learns of roles by watches,
// and the aggregated ones are filled by a controller: a process that starts before that is refused at first.
var (
	adapterRights = []right{
		{Group: "plimsoll.dev", Resource: "metricrules", Verb: "list"},
		{Group: "apps", Resource: "deployments", Verb: "list"}, // aggregated
		{Resource: "configmaps", Namespace: "kube-system", Name: "extension-apiserver-authentication", Verb: "get"},
	}
	scalerRights = []right{
		{Group: "autoscaling", Resource: "horizontalpodautoscalers", Verb: "list"},
		{Group: "apps", Resource: "deployments", Subresource: "scale", Verb: "update"}, // aggregated
		{Group: "coordination.k8s.io", Resource: "leases", Namespace: Namespace, Verb: "create"},
	}
)

// untilMay returns when the API server gives the account these rights.
func (i *identity) untilMay(ctx context.Context, rights []right) error {
	config, err := clientcmd.BuildConfigFromFlags("", i.kubeconfig)
	if err != nil {
		return fmt.Errorf("read the account's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the cluster as ServiceAccount %s: %w", i.account, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("ServiceAccount %s/%s did not have its rights within %s", i.namespace, i.account, startWithin))
	defer cancel()
	return eventually(ctx, func(ctx context.Context) error {
		for _, r := range rights {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &r}}
			answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("ask what ServiceAccount %s/%s may do: %w", i.namespace, i.account, err)
			}
			if !answer.Status.Allowed {
				return fmt.Errorf("it may not %s %s", r.Verb, strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/"))
			}
		}
		return nil
	})
}
