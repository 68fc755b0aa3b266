// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
)

// nudgeEvery is the time between two nudges of one APIService.
const nudgeEvery = time.Second

// waiter waits for APIServices.
type waiter struct {
	client aggregator.Interface
	nudged time.Time
}

// WaitAvailable returns when the API server reaches the adapters by every APIService that leads to them.
//
// An API server that failed to reach an APIService tries again after up to 30 s, and at once when the APIService changes:
// so that nobody has to wait, those that are not available get an annotation with the time, which is a change.
func (s *Stack) WaitAvailable(ctx context.Context) error {
	client, err := aggregator.NewForConfig(s.RESTConfig)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the API server did not reach the adapters within %s", startWithin))
	defer cancel()
	return eventually(ctx, (&waiter{client: client, nudged: time.Now()}).check)
}

// check returns nil if all APIServices that lead to the adapters are available.
func (w *waiter) check(ctx context.Context) error {
	services, err := w.client.ApiregistrationV1().APIServices().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list APIServices: %w", err)
	}
	nudge := time.Since(w.nudged) > nudgeEvery
	if nudge {
		w.nudged = time.Now()
	}
	var problems []error
	for _, service := range services.Items {
		err := available(service)
		if err != nil && nudge {
			err = errors.Join(err, w.nudge(ctx, service.Name))
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (w *waiter) nudge(ctx context.Context, name string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"plimsoll.dev/nudged":%q}}}`, w.nudged.Format(time.RFC3339Nano))
	_, err := w.client.ApiregistrationV1().APIServices().Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("nudge APIService %s: %w", name, err)
	}
	return nil
}

// available returns nil if an APIService is not ours or is available.
func available(service apiregistrationv1.APIService) error {
	if service.Spec.Service == nil || service.Spec.Service.Namespace != Namespace || service.Spec.Service.Name != Adapter {
		return nil
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type != apiregistrationv1.Available {
			continue
		}
		if condition.Status == apiregistrationv1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("APIService %s is not available: %s: %s", service.Name, condition.Reason, condition.Message)
	}
	return fmt.Errorf("APIService %s says nothing about its availability yet", service.Name)
}
