// SPDX-License-Identifier: Apache-2.0

// Package members asks the member clusters themselves, with the kubeconfigs that the hub's scaler uses. It changes nothing.
package members

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members/kubeconfig"
)

// What Options are where nobody says otherwise.
const (
	DefaultSecrets = "plimsoll-members"
	DefaultTimeout = 10 * time.Second
)

// Options say how members are asked.
type Options struct {
	Secrets string        // namespace of their kubeconfigs in the hub
	Timeout time.Duration // for each member
}

// ErrNoRight is in an error if the hub does not let whoever asks read the kubeconfigs.
var ErrNoRight = errors.New("the right to read its kubeconfig is missing")

// Ask looks at all members beside each other, each within a time of its own. Those that are not Healthy, or are suspended,
// are not asked. It returns what look found, and of every other member why nothing is known; both by the member's name.
func Ask[T any](
	ctx context.Context, hub client.Client, all []v1alpha1.MemberCluster, o Options, look func(context.Context, client.Reader) (T, error),
) (known map[string]T, unknown map[string]error) {
	type answer struct {
		name  string
		found T
		err   error
	}
	known, unknown = map[string]T{}, map[string]error{}
	answers := make(chan answer)
	asked := 0
	for i := range all {
		m := &all[i]
		if err := silent(m); err != nil {
			unknown[m.Name] = err
			continue
		}
		asked++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, o.Timeout)
			defer cancel()
			found, err := lookInto(ctx, hub, m, o.Secrets, look)
			answers <- answer{m.Name, found, err}
		}()
	}
	for range asked {
		if a := <-answers; a.err != nil {
			unknown[a.name] = a.err
		} else {
			known[a.name] = a.found
		}
	}
	return known, unknown
}

// silent says why a member is not asked; nil: it is.
func silent(m *v1alpha1.MemberCluster) error {
	switch {
	case m.Spec.Suspend:
		return errors.New("it is suspended")
	case m.Status.State == "":
		return errors.New("it is not judged yet")
	case m.Status.State == v1alpha1.MemberHealthy:
		return nil
	}
	if ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Reason == v1alpha1.MemberDuplicateCluster {
		return errors.New(ready.Message) // and its nodes count once
	}
	return fmt.Errorf("it is %s", m.Status.State)
}

func lookInto[T any](
	ctx context.Context, hub client.Client, m *v1alpha1.MemberCluster, namespace string, look func(context.Context, client.Reader) (T, error),
) (found T, err error) {
	secret, key, err := secretOf(ctx, hub, m, namespace)
	if err != nil {
		return found, err
	}
	config, err := kubeconfig.Parse(secret, key)
	if err != nil {
		return found, err
	}
	config.UserAgent = "plimsoll"
	config.QPS, config.Burst = 100, 200 // a large member's pods come in many pages
	httpClient, err := kubeconfig.Client(config)
	if err != nil {
		return found, err
	}
	c, err := client.New(config, client.Options{Scheme: hub.Scheme(), HTTPClient: httpClient})
	if err != nil {
		return found, fmt.Errorf("it does not answer: %w", err)
	}
	if found, err = look(ctx, c); err != nil {
		return found, fmt.Errorf("it does not say what it has: %w", err)
	}
	return found, nil
}

func secretOf(ctx context.Context, hub client.Client, m *v1alpha1.MemberCluster, namespace string) (*corev1.Secret, string, error) {
	names, key := []string{m.Name, m.Name + "-kubeconfig"}, ""
	if ref := m.Spec.KubeconfigSecretRef; ref != nil {
		names, key = []string{ref.Name}, ref.Key
	}
	for _, name := range names {
		secret := &corev1.Secret{}
		err := hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
		switch {
		case err == nil:
			return secret, key, nil
		case apierrors.IsForbidden(err):
			return nil, "", fmt.Errorf("%w: %w", ErrNoRight, err)
		case !apierrors.IsNotFound(err):
			return nil, "", fmt.Errorf("its kubeconfig cannot be read: %w", err)
		}
	}
	return nil, "", fmt.Errorf("namespace %s has no Secret %s with its kubeconfig", namespace, names[0])
}
