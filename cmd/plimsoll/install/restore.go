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
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
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

// restore gives every HPA its own bounds back and lets go of workloads, and says of each what is done or would be done.
// It returns how many HPAs keep a raised maximum.
func (c *Cluster) restore(ctx context.Context, found []types.NamespacedName, dryRun bool) (raised int, err error) {
	direct, err := c.direct()
	if err != nil {
		return 0, err
	}
	var problems []error
	for _, key := range found {
		released, err := target.Release(ctx, direct, key, time.Now(), dryRun)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if released.MaxKept {
			raised++
		}
		c.tellReleased(released.Changed, dryRun, "HorizontalPodAutoscaler "+key.String(), released.Message)
	}
	return raised, errors.Join(append(problems, c.restoreWorkloads(ctx, direct, dryRun))...)
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

// restoreWorkloads lets go of the workloads without an HPA whose replicas the scaler holds. A number that was raised
// stays, because lowering it would take pods away that may be needed; what is said of it has the command.
func (c *Cluster) restoreWorkloads(ctx context.Context, direct client.Client, dryRun bool) error {
	c.discoverer.Invalidate()
	held, err := workloads.Held(ctx, c.discoverer, direct)
	if err != nil || len(held) == 0 {
		return err
	}
	observer, err := workloads.NewObserver(c.config, direct, direct, c.mapper)
	if err != nil {
		return err
	}
	writer := workloads.Writer{Client: direct, Scales: observer.Scales}
	for _, key := range held {
		released, err := workloads.Release(ctx, observer, writer, key, dryRun)
		if err != nil {
			return err
		}
		c.tellReleased(released.Changed, dryRun, fmt.Sprintf("%s %s/%s", key.Kind, key.Namespace, key.Name), released.Message)
	}
	return nil
}

// tellReleased writes one line: what became, or would become, of something that was held.
func (c *Cluster) tellReleased(changed, dryRun bool, name, message string) {
	done := "restored"
	switch {
	case !changed:
		done = "left"
	case dryRun:
		done = "would restore"
	}
	fmt.Fprintf(c.out, "%-13s %s: %s\n", done, name, message)
}

// direct is a client that reads what Release reads, without a cache. It has no limits of its own either (Connect): the
// API server has limits enough, and there may be thousands of HPAs.
func (c *Cluster) direct() (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	direct, err := client.New(c.config, client.Options{Scheme: scheme})
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
