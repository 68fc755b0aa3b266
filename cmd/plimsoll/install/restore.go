// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/target"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// scaler is the name of the scaler's Deployment and Lease.
func scaler() types.NamespacedName {
	return types.NamespacedName{Namespace: "plimsoll-system", Name: "plimsoll-scaler"}
}

// stopScaler removes the scaler's Deployment, if install created it, and waits until no scaler acts any more: one that
// does would raise again what is given back. It returns what is left of the objects to remove.
func (c *Cluster) stopScaler(ctx context.Context, goes []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	ours := func(object *unstructured.Unstructured) bool {
		return object.GetKind() == kindDeployment && object.GetName() == scaler().Name
	}
	if i := slices.IndexFunc(goes, ours); i >= 0 {
		if err := c.remove(ctx, goes[i:i+1]); err != nil {
			return nil, err
		}
		goes = slices.Delete(slices.Clone(goes), i, i+1)
	}
	return goes, eventually(ctx, "wait until no scaler runs any more", c.scalerIsGone)
}

// scalerIsGone returns nil if no scaler's pod is left and nobody holds the Lease.
func (c *Cluster) scalerIsGone(ctx context.Context) error {
	name := scaler()
	_, err := c.typed.AppsV1().Deployments(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		return fmt.Errorf("Deployment %s was not created by install: remove it, or use --keep-bounds", name) //nolint:staticcheck // a kind's name
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read Deployment %s: %w", name, err)
	}
	pods, err := c.typed.CoreV1().Pods(name.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=plimsoll,app.kubernetes.io/component=scaler"})
	if err != nil {
		return fmt.Errorf("list the pods of the scaler: %w", err)
	}
	if len(pods.Items) > 0 {
		return fmt.Errorf("pod %s is still there", pods.Items[0].Name)
	}
	lease, err := c.typed.CoordinationV1().Leases(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read Lease %s: %w", name, err)
	}
	return lapsed(lease, time.Now())
}

// lapsed returns nil if nobody holds a Lease.
func lapsed(lease *coordinationv1.Lease, now time.Time) error {
	spec := lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil || spec.LeaseDurationSeconds == nil {
		return nil
	}
	if until := spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds) * time.Second); now.Before(until) {
		return fmt.Errorf("scaler %s holds Lease %s/%s until %s", *spec.HolderIdentity, lease.Namespace, lease.Name, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// restore gives every HPA its own bounds back, and says of each what is done or would be done. It returns how many
// keep a raised maximum.
func (c *Cluster) restore(ctx context.Context, found []types.NamespacedName, dryRun bool) (raised int, err error) {
	if len(found) == 0 {
		return 0, nil
	}
	direct, err := c.direct()
	if err != nil {
		return 0, err
	}
	done := map[bool]string{false: "restored", true: "would restore"}[dryRun]
	var problems []error
	for _, key := range found {
		released, err := target.Release(ctx, direct, key, time.Now(), dryRun)
		switch {
		case err != nil:
			problems = append(problems, err)
			continue
		case !released.Changed:
			fmt.Fprintf(c.out, "%-13s HorizontalPodAutoscaler %s: %s\n", "left", key, released.Message)
			continue
		case released.MaxKept:
			raised++
		}
		fmt.Fprintf(c.out, "%-13s HorizontalPodAutoscaler %s: %s\n", done, key, released.Message)
	}
	return raised, errors.Join(problems...)
}

// held are the HPAs on which the scaler has left something.
func (c *Cluster) held(ctx context.Context) ([]types.NamespacedName, error) {
	var found []types.NamespacedName
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.typed.AutoscalingV2().HorizontalPodAutoscalers("").List(ctx, options)
	}
	err := pager.New(list).EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
		if ok && touched(hpa) {
			found = append(found, types.NamespacedName{Namespace: hpa.Namespace, Name: hpa.Name})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the HPAs to see which bounds are Plimsoll's: %w", err)
	}
	return found, nil
}

// touched says whether something of Plimsoll is on an HPA.
func touched(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, name := range []string{record.BaseAnnotation, record.AppliedAnnotation, record.OverrideAnnotation} {
		if _, there := hpa.Annotations[name]; there {
			return true
		}
	}
	return slices.ContainsFunc(hpa.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == record.Manager })
}

// tellWorkloads names the workloads without an HPA whose replicas the scaler holds. Setting their own number at once
// would take pods away, so that is left to whoever knows when.
func (c *Cluster) tellWorkloads(ctx context.Context) error {
	for _, resource := range []string{"deployments", "statefulsets"} {
		list, err := c.metadata.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}).
			List(ctx, metav1.ListOptions{LabelSelector: workloads.HeldLabel})
		if err != nil {
			return fmt.Errorf("list the %s whose replicas are Plimsoll's: %w", resource, err)
		}
		for i := range list.Items {
			one := &list.Items[i]
			kept, err := record.Parse(one.Annotations)
			if err != nil {
				return fmt.Errorf("read what is kept on %s/%s of the %s: %w", one.Namespace, one.Name, resource, err)
			}
			fmt.Fprintf(c.out, "%-13s %s %s/%s: its replicas stay as they are; its own number is %d: kubectl -n %s scale %s/%s --replicas=%d\n",
				"left", resource, one.Namespace, one.Name, kept.Base.Min, one.Namespace, resource, one.Name, kept.Base.Min)
		}
	}
	return nil
}

// direct is a client that reads what Release reads, without a cache and without limits of its own: the API server has
// limits enough, and there may be thousands of HPAs.
func (c *Cluster) direct() (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	config := rest.CopyConfig(c.config)
	config.QPS = -1
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	return withoutMissingKinds{direct}, nil
}

// withoutMissingKinds takes a kind that the cluster does not know for one of which there are no objects: the CRDs may
// be gone already, and the HPAs are to be restored all the same.
type withoutMissingKinds struct{ client.Client }

// List lists nothing of an unknown kind.
func (w withoutMissingKinds) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := w.Client.List(ctx, list, options...); !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}
