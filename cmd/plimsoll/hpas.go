// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
)

// hpaNames are the HPAs of one namespace that a command is for: by name, or by labels.
type hpaNames struct{ selector string }

// check says what is wrong with the arguments, before anything is asked of the cluster.
func (n hpaNames) check(args []string) error {
	if n.selector != "" {
		if _, err := labels.Parse(n.selector); err != nil {
			return fmt.Errorf("-l %s: %w", n.selector, err)
		}
		if len(args) > 0 && target.Only(args, target.HPA) == "" {
			return errors.New("give names or -l, not both: hpa/NAME... or hpa -l app=shop")
		}
		return nil
	}
	refs, err := target.Parse(args, target.HPA)
	if err == nil && len(refs) == 0 {
		err = errors.New("no HPA named: write hpa/NAME... or hpa -l app=shop")
	}
	return err
}

// find returns the HPAs; by name also those that are not there.
func (n hpaNames) find(ctx context.Context, c *target.Cluster, args []string) ([]types.NamespacedName, error) {
	var keys []types.NamespacedName
	if n.selector == "" {
		refs, err := target.Parse(args, target.HPA)
		for _, ref := range refs {
			keys = append(keys, types.NamespacedName{Namespace: c.Namespace, Name: ref.Name})
		}
		return keys, err
	}
	selector, err := labels.Parse(n.selector)
	if err != nil {
		return nil, fmt.Errorf("-l %s: %w", n.selector, err)
	}
	names, err := c.HPAs(ctx, selector)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		keys = append(keys, types.NamespacedName{Namespace: c.Namespace, Name: name})
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("namespace %s has no HPA with the labels %s", c.Namespace, n.selector)
	}
	return keys, nil
}
