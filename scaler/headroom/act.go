// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// answerWithin is how long all writes to one member may take in one look.
const answerWithin = 10 * time.Second

// result is what became of a row.
type result struct {
	err          error
	foreign      foreign
	pods, ready  int64
	waits        bool   // a pod waits that would fit in a placeholder's place
	yields       bool   // placeholder pods have yet to go before others come in their place
	refused      string // why the API server makes no placeholder pods
	buffer       bufferPhase
	bufferSince  *time.Time
	bufferReason string
	grown        growth
}

// memo is what is remembered of a member between two looks. It may be lost.
type memo struct {
	kept       map[string]*kept
	groups     groupMemo
	buffers    bufferMemo
	shortSince time.Time
	nudged     time.Time
	nudges     map[types.UID]int // how often for a pod that waits
	wrote      bool              // this hub has written something there, as far as is known
	yields     time.Time         // since when placeholder pods are waited for that are to go
}

func newMemo() *memo { return &memo{kept: map[string]*kept{}, nudges: map[types.UID]int{}} }

// act brings every member that is known to what was decided: several beside each other, so that one that hangs delays the
// others for no longer than answerWithin.
func (r *reconciler) act(ctx context.Context, w *world) {
	var group errgroup.Group
	group.SetLimit(r.options.Concurrency)
	owned, same := map[string]bool{}, map[string]bool{} // by the name of the MemberCluster, and by the ID of what it is
	for _, s := range w.scenes {
		for _, one := range s.rows {
			owned[one.cluster.Name] = true
			same[one.cluster.Status.ClusterID] = one.cluster.Status.ClusterID != ""
			if one.sight == nil || s.invalid != "" {
				continue
			}
			group.Go(func() error {
				timed, cancel := context.WithTimeout(ctx, answerWithin)
				defer cancel()
				one.result.err = r.bring(timed, s, one)
				return nil
			})
		}
	}
	for _, c := range w.clusters {
		name, sight := c.Name, w.members[c.Name]
		if sight == nil || owned[name] || same[c.Status.ClusterID] {
			continue
		}
		group.Go(func() error { // no Headroom is left that wants anything there
			timed, cancel := context.WithTimeout(ctx, answerWithin)
			defer cancel()
			if err := sight.leave(timed); err != nil {
				logger(ctx, name).Info("What is left of a Headroom cannot be removed yet", "err", err)
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in the rows
	for name := range r.memos {
		if w.members[name] == nil && !w.has(name) {
			r.memos[name].groups.close()
			delete(r.memos, name)
		}
	}
}

// has says whether there is a MemberCluster of this name.
func (w *world) has(name string) bool {
	for _, c := range w.clusters {
		if c.Name == name {
			return true
		}
	}
	return false
}

// bring has the reserve kept in one cluster, by one means, and removes the others' objects.
func (r *reconciler) bring(ctx context.Context, s *scene, one *row) error {
	if paused(s.headroom) {
		one.strategy = one.before.Strategy
		return one.sight.count(ctx, one)
	}
	var err error
	if one.result.foreign, err = one.sight.foreign(ctx); err != nil {
		return err
	}
	if !s.acts() {
		one.strategy = s.foreseen(one)
		return one.sight.leave(ctx)
	}
	if one.result.foreign.hub != "" {
		return nil
	}
	one.sight.memo.wrote = true // from here on it may have
	if err := r.buffers(ctx, s, one); err != nil {
		return err
	}
	one.strategy = choose(s.plain.Strategy, one.result.buffer, one.cluster.Spec.NodeGroups != nil)
	switch one.strategy {
	case v1alpha1.HeadroomCapacityBuffer:
		if one.result.buffer != bufferReady {
			return nil // what was there before stays until a node autoscaler keeps its promise
		}
		return one.sight.clear(ctx, true, false)
	case v1alpha1.HeadroomNodeGroups:
		if err := one.sight.clear(ctx, true, true); err != nil {
			return err
		}
		one.result.grown = r.grow(ctx, s, one)
		return nil
	}
	if err := one.sight.clear(ctx, false, true); err != nil {
		return err
	}
	frame, err := s.frame(ctx, one)
	if err != nil {
		return err
	}
	var wanted []*appsv1.Deployment
	for _, b := range one.blocks {
		if b.count > 0 {
			wanted = append(wanted, frame.deployment(b, one.shapes[b.Workload]))
		}
	}
	if one.result.yields, err = one.sight.hold(ctx, wanted); err != nil {
		return err
	}
	if err := s.nudge(ctx, one); err != nil {
		return err
	}
	return one.sight.count(ctx, one)
}

// choose says by what means room is kept.
func choose(asked v1alpha1.HeadroomStrategy, buffer bufferPhase, hasGroups bool) v1alpha1.HeadroomStrategy {
	switch {
	case asked != v1alpha1.HeadroomAuto:
		return asked
	case buffer == bufferReady || buffer == bufferWaiting:
		return v1alpha1.HeadroomCapacityBuffer
	case hasGroups:
		return v1alpha1.HeadroomNodeGroups
	}
	return v1alpha1.HeadroomPlaceholder
}

// foreseen is the means that would be used, as far as that is known without trying.
func (s *scene) foreseen(one *row) v1alpha1.HeadroomStrategy {
	buffer := bufferNone
	if one.sight.bufferVersion() != "" {
		buffer = bufferWaiting
	}
	return choose(s.plain.Strategy, buffer, one.cluster.Spec.NodeGroups != nil)
}

// clear removes what other means have left.
func (one *sight) clear(ctx context.Context, placeholders, buffers bool) error {
	if placeholders {
		if _, err := one.hold(ctx, nil); err != nil {
			return err
		}
	}
	if buffers {
		return one.removeBuffers(ctx, nil)
	}
	return nil
}

// count counts the placeholder pods that hold their place.
func (one *sight) count(ctx context.Context, c *row) error {
	there, err := one.placeholders(ctx)
	if err != nil {
		return err
	}
	for _, b := range c.blocks {
		c.result.pods += b.count
	}
	for _, d := range there {
		c.result.ready += int64(d.Status.ReadyReplicas)
		for _, condition := range d.Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == "True" {
				c.result.refused = fmt.Sprintf("its API server makes no pods of Deployment %s/%s: %s", d.Namespace, d.Name, condition.Message)
			}
		}
	}
	return nil
}
