// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// hubLabel says which hub keeps an object in a member. Two hubs that wrote the same objects would correct each other for
// ever, so what another hub keeps is left alone. An object without the label is from before there was one, or was released by
// somebody: it belongs to a hub that wants a reserve there, or had one. To others it may be that of a hub of an older version.
const hubLabel = "plimsoll.dev/hub"

// foreign is what another hub keeps in a member.
type foreign struct {
	hub   string // "": nobody else keeps anything there
	first string // one of its objects
	kinds string // as kubectl names them
}

// of says whether an object is another hub's.
func (one *sight) of(another metav1.Object) bool {
	hub := another.GetLabels()[hubLabel]
	return hub != "" && hub != one.hub
}

// ours says whether an object is this hub's to change and to remove.
func (one *sight) ours(object metav1.Object) bool {
	hub := object.GetLabels()[hubLabel]
	return hub == one.hub || hub == "" && one.heir
}

// inherit says of which members what has no hub's label is this hub's: where a Headroom is enforced, and where the status of
// one, or memory, says that something was written that has not been removed since.
func (w *world) inherit() {
	for _, s := range w.scenes {
		for i := range s.headroom.Status.Clusters { // also those that the spec does not name any more
			before := &s.headroom.Status.Clusters[i]
			if sight := w.members[before.Name]; sight != nil && wrote(before) {
				sight.memo.wrote = true
			}
		}
		for _, one := range s.rows {
			if one.sight != nil && s.acts() {
				one.sight.heir = true
			}
		}
	}
	for _, sight := range w.members {
		sight.heir = sight.heir || sight.memo.wrote
	}
}

// leave removes everything that is ours from a member.
func (one *sight) leave(ctx context.Context) error {
	if err := one.clear(ctx, true, true); err != nil {
		return err
	}
	one.memo.wrote = false
	return nil
}

// wrote says whether a row speaks of objects that this hub had written: in a pause pods are counted that may never have been.
func wrote(before *v1alpha1.HeadroomCluster) bool {
	return before.Ready > 0 || before.Pods > 0 && before.Reason != v1alpha1.HeadroomPaused
}

// foreign finds what another hub keeps in a member.
func (one *sight) foreign(ctx context.Context) (foreign, error) {
	deployments, err := one.deployments(ctx)
	if err != nil {
		return foreign{}, err
	}
	for i := range deployments {
		if d := &deployments[i]; one.of(d) {
			return foreign{d.Labels[hubLabel], "Deployment " + d.Name, "deployments"}, nil
		}
	}
	version := one.bufferVersion()
	if version == "" {
		return foreign{}, nil
	}
	buffers, err := one.allBuffers(ctx, version)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return foreign{}, nil // whoever wants to write some finds that out
	}
	if err != nil {
		return foreign{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(buffers)) {
		if b := buffers[name]; one.of(b) {
			return foreign{b.GetLabels()[hubLabel], "CapacityBuffer " + name, "podtemplates,capacitybuffers"}, nil
		}
	}
	return foreign{}, nil
}

// message says what is there, and how to let go of it.
func (f foreign) message() string {
	return fmt.Sprintf("another hub (%s) keeps a reserve there, such as %s, so nothing is written: let one hub only have a Headroom for this cluster; "+
		"if that hub is gone, let this one take over: kubectl -n %s label %s -l %s=%s %s-", f.hub, f.first, capacity.HeadroomNamespace, f.kinds, hubLabel, f.hub, hubLabel)
}

// deployments are those of all reserves in a member.
func (one *sight) deployments(ctx context.Context) ([]appsv1.Deployment, error) {
	var list appsv1.DeploymentList
	if err := one.member.List(ctx, &list, client.InNamespace(capacity.HeadroomNamespace), client.HasLabels{reserveLabel}); err != nil {
		return nil, fmt.Errorf("list the placeholders of member %s: %w", one.member.Name(), err)
	}
	return list.Items, nil
}

// allBuffers are those of all reserves in a member, by name: as they were when this look first asked.
func (one *sight) allBuffers(ctx context.Context, version string) (map[string]*unstructured.Unstructured, error) {
	if one.buffers != nil {
		return one.buffers, nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(bufferKind(version).GroupVersion().WithKind("CapacityBufferList"))
	if err := one.member.List(ctx, list, client.InNamespace(capacity.HeadroomNamespace), client.HasLabels{reserveLabel}); err != nil {
		return nil, fmt.Errorf("list the CapacityBuffers of member %s: %w", one.member.Name(), err)
	}
	one.buffers = make(map[string]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		one.buffers[list.Items[i].GetName()] = &list.Items[i]
	}
	return one.buffers, nil
}

// leavesTemplate returns an error if a buffer's PodTemplate is another hub's. There is no right to list them.
func (one *sight) leavesTemplate(ctx context.Context, name string) error {
	template := &corev1.PodTemplate{}
	err := one.member.Get(ctx, types.NamespacedName{Namespace: capacity.HeadroomNamespace, Name: name}, template)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read PodTemplate %s/%s of member %s: %w", capacity.HeadroomNamespace, name, one.member.Name(), err)
	case one.of(template):
		return fmt.Errorf("PodTemplate %s/%s of member %s is kept by another hub (%s): delete it if that hub is gone",
			capacity.HeadroomNamespace, name, one.member.Name(), template.Labels[hubLabel])
	}
	return nil
}
