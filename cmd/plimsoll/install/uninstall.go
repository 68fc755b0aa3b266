// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// kept is an object that stays and why.
type kept struct {
	object *unstructured.Unstructured
	why    string
}

// Uninstall stops the scaler, gives every HPA its own bounds back unless options.KeepBounds, and then removes what
// Install created: APIServices first, so that no client's discovery meets an API without a server. CRDs stay unless
// options.Rules; a Namespace stays if it holds what somebody else put there.
func (c *Cluster) Uninstall(ctx context.Context, options Options) error {
	found, err := c.installed(ctx)
	if err != nil {
		return fmt.Errorf("nothing was removed: %w", err)
	}
	var held []types.NamespacedName
	if !options.KeepBounds {
		if held, err = c.held(ctx); err != nil {
			return fmt.Errorf("nothing was removed: %w", err)
		}
	}
	if len(found)+len(held) == 0 {
		fmt.Fprintln(c.out, "There is nothing of `plimsoll install` in this cluster.")
		return nil
	}
	goes, stays, err := c.sort(ctx, found, options)
	if err != nil {
		return fmt.Errorf("nothing was removed: %w", err)
	}
	raised, left, err := c.letGo(ctx, goes, held, options)
	if err != nil {
		return err
	}
	if options.DryRun {
		for _, object := range left {
			c.tell("would remove", object)
		}
	} else if err := c.remove(ctx, left); err != nil {
		return err
	}
	for _, one := range stays {
		c.tell("kept", one.object, one.why)
	}
	if options.DryRun || options.NoWait {
		return nil
	}
	return c.untilGone(ctx, goes, raised)
}

// letGo stops the scaler and restores the HPAs. It returns how many keep a raised maximum, and what is left to remove.
func (c *Cluster) letGo(ctx context.Context, goes []*unstructured.Unstructured, held []types.NamespacedName, options Options) (raised int, left []*unstructured.Unstructured, err error) {
	if options.KeepBounds {
		return 0, goes, nil
	}
	left = goes
	if err := c.tellMembers(ctx); err != nil {
		return 0, nil, fmt.Errorf("nothing was removed: %w", err)
	}
	if !options.DryRun {
		if left, err = c.stopScaler(ctx, goes); err != nil {
			return 0, nil, fmt.Errorf("no bounds were given back, and nothing else was removed: %w", err)
		}
	}
	if raised, err = c.restore(ctx, held, options.DryRun); err != nil {
		return 0, nil, fmt.Errorf("nothing else was removed, because not every HPA has its own bounds back: %w; run uninstall again, or with --keep-bounds", err)
	}
	return raised, left, nil
}

// untilGone waits for the objects to go, and says what remains to do.
func (c *Cluster) untilGone(ctx context.Context, goes []*unstructured.Unstructured, raised int) error {
	for _, object := range goes {
		err := eventually(ctx, "wait until "+title(object)+" is gone", func(ctx context.Context) error { return c.gone(ctx, object) })
		if err != nil {
			return err
		}
	}
	if raised > 0 {
		fmt.Fprintf(c.out, "%s with a raised maxReplicas, as said above, because the replicas are needed now.\n", human.Things(raised, "HPA"))
	}
	if len(goes) > 0 {
		fmt.Fprintln(c.out, "Plimsoll is uninstalled. HPAs that read its metrics keep their replicas until another adapter serves them.")
	}
	return nil
}

// sort tells what goes from what stays.
func (c *Cluster) sort(ctx context.Context, found []*unstructured.Unstructured, options Options) (goes []*unstructured.Unstructured, stays []kept, err error) {
	for _, object := range found {
		why := ""
		switch object.GetKind() {
		case kindAPIService:
			if owner := ownerOf(object); owner != "" {
				why = "it now belongs to " + owner
			}
		case kindCRD:
			why, err = c.whyKeepCRD(ctx, object, options.Rules)
		case kindNamespace:
			why, err = c.whyKeepNamespace(ctx, object, found, options.Rules)
		}
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			stays = append(stays, kept{object, why})
		} else {
			goes = append(goes, object)
		}
	}
	return goes, stays, nil
}

// whyKeepCRD is "" if a CRD may go. It says how many rules go with it.
func (c *Cluster) whyKeepCRD(ctx context.Context, crd *unstructured.Unstructured, rules bool) (string, error) {
	count, err := c.count(ctx, crd)
	if err != nil {
		return "", err
	}
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	switch {
	case !rules:
		return fmt.Sprintf("with %s; --rules removes it and them", things(count, kind)), nil
	case count > 0:
		c.tell("takes along", crd, "all "+things(count, kind))
	}
	return "", nil
}

// whyKeepNamespace is "" if a Namespace holds nothing that somebody else put there.
func (c *Cluster) whyKeepNamespace(ctx context.Context, namespace *unstructured.Unstructured, ours []*unstructured.Unstructured, rules bool) (string, error) {
	others, err := c.contents(ctx, namespace.GetName(), ours, rules)
	if err != nil || len(others) == 0 {
		return "", err
	}
	const most = 5
	if len(others) > most {
		others = append(others[:most], fmt.Sprintf("%d more", len(others)-most))
	}
	return "others put there " + strings.Join(others, ", "), nil
}

// gone returns nil if an object, or the one of its name that was removed, exists no more.
func (c *Cluster) gone(ctx context.Context, object *unstructured.Unstructured) error {
	live, err := c.live(ctx, object)
	if err != nil {
		return err
	}
	if live == nil || live.GetUID() != object.GetUID() {
		return nil
	}
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, one := range conditions {
		condition, _ := one.(map[string]any)
		if condition["status"] == "True" && object.GetKind() == kindNamespace {
			return fmt.Errorf("it is still there: %v", condition["message"])
		}
	}
	if finalizers := live.GetFinalizers(); len(finalizers) > 0 {
		return fmt.Errorf("it is still there, held by %s", strings.Join(finalizers, ", "))
	}
	return fmt.Errorf("it is still there")
}
