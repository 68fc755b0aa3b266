// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/plimsoll/plimsoll/adapter/certs"
)

// Options say how to install or uninstall.
type Options struct {
	// DryRun only says what would be done.
	DryRun bool
	// NoWait does not wait for Deployments to serve, or for removed objects to be gone.
	NoWait bool
	// ForceConflicts takes over fields that others have set.
	ForceConflicts bool
	// Rules lets uninstall remove the CRDs, and with them the users' rules.
	Rules bool
	// KeepBounds lets uninstall leave the bounds of HPAs as they are.
	KeepBounds bool
}

// change is one object to write and what there is of it.
type change struct {
	object, live *unstructured.Unstructured
}

// Install writes the content, waits until it serves, and removes what an earlier installation wrote and this one does
// not need. Nothing has been written if it refuses.
func (c *Cluster) Install(ctx context.Context, content Content, options Options) error {
	objects, err := Render(content)
	if err != nil {
		return err
	}
	if err := c.checkOwner(ctx, objects); err != nil {
		return err
	}
	changes, err := c.compare(ctx, objects)
	if err != nil {
		return err
	}
	obsolete, err := c.obsolete(ctx, objects)
	if err != nil {
		return err
	}
	if options.DryRun {
		c.tellPlan(changes, obsolete)
		return nil
	}
	if err := c.write(ctx, changes, options); err != nil {
		return err
	}
	if err := c.remove(ctx, obsolete); err != nil {
		return err
	}
	fmt.Fprint(c.out, next(content, objects))
	return nil
}

// checkOwner refuses APIServices that belong to another adapter.
func (c *Cluster) checkOwner(ctx context.Context, objects []*unstructured.Unstructured) error {
	var names []string
	for _, object := range objects {
		if object.GetKind() == kindAPIService {
			names = append(names, object.GetName())
		}
	}
	if err := certs.CheckOwner(ctx, c.config, adapter(), names); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	return nil
}

// compare reads what there is of the objects.
func (c *Cluster) compare(ctx context.Context, objects []*unstructured.Unstructured) ([]change, error) {
	var changes []change
	for _, object := range objects {
		live, err := c.live(ctx, object)
		if err != nil {
			return nil, fmt.Errorf("nothing was written: %w", err)
		}
		if live != nil && live.GetDeletionTimestamp() != nil {
			return nil, fmt.Errorf("nothing was written: %s is still being removed; try again when it is gone", title(object))
		}
		if live != nil && !marked(live) {
			unmark(object)
		}
		changes = append(changes, change{object, live})
	}
	return changes, nil
}

// unmark lets an object that was there before stay when Plimsoll is uninstalled.
func unmark(object *unstructured.Unstructured) {
	labels := object.GetLabels()
	delete(labels, markLabel)
	object.SetLabels(labels)
}

// obsolete are the objects that an earlier installation created and this one does not have. The CRDs hold the users'
// rules and the volume holds history: uninstall alone removes them.
func (c *Cluster) obsolete(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	found, err := c.installed(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(one *unstructured.Unstructured) bool {
		return one.GetKind() == kindCRD || one.GetKind() == kindVolume || one.GetKind() == kindNamespace ||
			(one.GetKind() == kindAPIService && ownerOf(one) != "") ||
			slices.ContainsFunc(objects, func(object *unstructured.Unstructured) bool { return title(object) == title(one) })
	}), nil
}

func (c *Cluster) tellPlan(changes []change, obsolete []*unstructured.Unstructured) {
	for _, change := range changes {
		if change.live == nil {
			c.tell("would create", change.object)
		} else {
			c.tell("would update", change.object)
		}
	}
	for _, object := range obsolete {
		c.tell("would remove", object)
	}
}

// write applies the objects. CRDs are served before anything else is written, and Deployments serve before the
// APIServices lead to them.
func (c *Cluster) write(ctx context.Context, changes []change, options Options) error {
	for len(changes) > 0 {
		now := changes
		if end := slices.IndexFunc(changes, func(one change) bool { return turn(one.object) != turn(changes[0].object) }); end > 0 {
			now = changes[:end]
		}
		changes = changes[len(now):]
		for _, change := range now {
			if err := c.apply(ctx, change, options.ForceConflicts); err != nil {
				return err
			}
		}
		if err := c.waitFor(ctx, now, options.NoWait); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) apply(ctx context.Context, change change, force bool) error {
	resource, err := c.resourceOf(change.object)
	if err != nil {
		return err
	}
	applied, err := resource.Apply(ctx, change.object.GetName(), change.object, metav1.ApplyOptions{FieldManager: fieldManager, Force: force})
	switch {
	case apierrors.IsConflict(err) && !force:
		return fmt.Errorf("write %s: somebody else has set fields of it: %w; --force-conflicts takes them over", title(change.object), err)
	case err != nil:
		return fmt.Errorf("write %s: %w", title(change.object), err)
	case change.live == nil:
		c.tell("created", change.object)
	case change.live.GetResourceVersion() == applied.GetResourceVersion():
		c.tell("unchanged", change.object)
	default:
		c.tell("updated", change.object)
	}
	return nil
}

// waitFor waits until CRDs are served and, unless noWait, Deployments are rolled out.
func (c *Cluster) waitFor(ctx context.Context, changes []change, noWait bool) error {
	for _, change := range changes {
		object := change.object
		switch {
		case object.GetKind() == kindCRD:
			err := eventually(ctx, "wait until "+title(object)+" is served", func(ctx context.Context) error { return c.established(ctx, object) })
			if err != nil {
				return err
			}
		case object.GetKind() == kindDeployment && !noWait:
			fmt.Fprintf(c.out, "%-13s %s\n", "waiting for", title(object))
			err := eventually(ctx, "wait for "+title(object), func(ctx context.Context) error { return c.rolledOut(ctx, object) })
			if err != nil {
				return fmt.Errorf("%w; no APIService was written: mend that and run install again, or uninstall", err)
			}
		}
	}
	return nil
}
