// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members/kubeconfig"
)

// way is how a member is reached, or why that is not known.
type way struct {
	config *rest.Config
	hash   string // changes with the kubeconfig

	reason, problem string // a reason of the Ready condition and what is wrong; "": nothing
}

// secretNames are the Secrets that may have a member's kubeconfig: the first that exists has it.
func secretNames(member *v1alpha1.MemberCluster) []string {
	if ref := member.Spec.KubeconfigSecretRef; ref != nil {
		return []string{ref.Name}
	}
	return []string{member.Name, member.Name + "-kubeconfig"}
}

// wayTo reads a member's kubeconfig. Its error is the hub's: then nothing is known anew.
func (c *fleetController) wayTo(ctx context.Context, member *v1alpha1.MemberCluster) (way, error) {
	names, key := secretNames(member), ""
	if ref := member.Spec.KubeconfigSecretRef; ref != nil {
		key = ref.Key
	}
	for _, name := range names {
		secret := &corev1.Secret{}
		err := c.client.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return way{}, fmt.Errorf("cannot read Secret %s/%s with the kubeconfig of member %s: %w", c.namespace, name, member.Name, err)
		}
		config, err := kubeconfig.Parse(secret, key)
		if err != nil {
			return way{reason: v1alpha1.MemberInvalidKubeconfig, problem: err.Error()}, nil //nolint:nilerr // the status says it
		}
		return way{config: config, hash: kubeconfig.Hash(secret, key)}, nil
	}
	return way{
		reason:  v1alpha1.MemberNoKubeconfig,
		problem: fmt.Sprintf("namespace %s has no Secret %s: create it with the cluster's kubeconfig in the key %q", c.namespace, strings.Join(names, " or "), kubeconfig.Keys()[0]),
	}, nil
}
