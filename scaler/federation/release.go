// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// floorIndex is the index of a member's HPAs by the FederatedScale whose share stands in their minReplicas.
const floorIndex = "plimsoll.dev/federation.floor"

func held(object client.Object) []string {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || heldBy(hpa) == "" {
		return nil
	}
	return []string{heldBy(hpa)}
}

// waitsFor is when a floor is looked at again that cannot be given back now: its member does not answer, or its own scaler
// holds the bounds.
const waitsFor = time.Minute

// holders are the FederatedScales whose shares have been seen on HPAs of members, so that nobody looks for them in all
// members else. Each time that one is seen counts.
type holders struct {
	mu  sync.Mutex
	all map[types.NamespacedName]int
}

func (h *holders) add(key types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[key]++
}

// seen is how often one has been seen; 0: never.
func (h *holders) seen(key types.NamespacedName) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[key]
}

// remove forgets one, unless it has been seen again.
func (h *holders) remove(key types.NamespacedName, seen int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all[key] == seen {
		delete(h.all, key)
	}
}

// letGo gives the users' own minReplicas back where the share of a FederatedScale stands and is not to any more: it is gone,
// or names other clusters, another HPA, or another mode. What it still divides is told by keep. In a paused namespace all
// stays. It returns in how long to look again; 0: nothing is left to be given back.
func (r *reconciler) letGo(ctx context.Context, key types.NamespacedName, keep func(cluster, hpa string) bool) (time.Duration, error) {
	seen := r.holders.seen(key)
	if seen == 0 {
		return 0, nil
	}
	paused, err := r.namespacePaused(ctx, key.Namespace)
	if err != nil || paused {
		return waitsFor, err
	}
	hub, err := members.HubIdentity(ctx, r.client)
	if err != nil {
		return 0, err
	}
	var clusters v1alpha1.MemberClusterList
	if err := r.client.List(ctx, &clusters, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("cannot list the MemberClusters: %w", err)
	}
	found, again := make([]bool, len(clusters.Items)), make([]time.Duration, len(clusters.Items))
	var all sync.WaitGroup
	for i := range clusters.Items {
		if cluster := &clusters.Items[i]; cluster.DeletionTimestamp.IsZero() { // else it changes nothing there
			all.Go(func() { found[i], again[i] = r.letGoIn(ctx, key, hub, cluster, keep) })
		}
	}
	all.Wait()
	if !slices.Contains(found, true) {
		r.holders.remove(key, seen)
	}
	return soonest(again), nil
}

// soonest is the shortest time of those that are not 0; 0 if all are.
func soonest(all []time.Duration) time.Duration {
	var first time.Duration
	for _, d := range all {
		if d > 0 && (first == 0 || d < first) {
			first = d
		}
	}
	return first
}

// letGoIn is letGo in one member. It says whether a share stands there, or may: what cannot be seen may.
func (r *reconciler) letGoIn(
	ctx context.Context, key types.NamespacedName, hub string, cluster *v1alpha1.MemberCluster, keep func(cluster, hpa string) bool,
) (found bool, again time.Duration) {
	member := r.fleet.Member(cluster.Name)
	switch {
	case member != nil:
	case cluster.Status.State == v1alpha1.MemberHealthy && !cluster.Spec.Suspend:
		return true, settled // its caches are being filled
	default:
		return true, waitsFor
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	err := member.List(ctx, &hpas, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{floorIndex: key.Name})
	if err != nil {
		klog.FromContext(ctx).Error(err, "The HPAs of a member cannot be read from its cache", "member", cluster.Name)
		return true, waitsFor
	}
	var next []time.Duration
	for i := range hpas.Items {
		hpa := &hpas.Items[i]
		if share, err := record.ParseShare(hpa.Annotations); err != nil || share.Hub != hub {
			continue // it is not ours to give back
		}
		found = true
		switch {
		case keep(cluster.Name, hpa.Name):
		case cluster.Spec.Suspend || cluster.Status.State != v1alpha1.MemberHealthy || r.hung.is(cluster.Name):
			next = append(next, waitsFor)
		default:
			next = append(next, r.letGoOne(ctx, hub, member, hpa))
		}
	}
	return found, soonest(next)
}

// letGoOne takes the next step with one HPA, and returns in how long the one after it is due; 0: there is none.
func (r *reconciler) letGoOne(ctx context.Context, hub string, member *members.Member, hpa *autoscalingv2.HorizontalPodAutoscaler) time.Duration {
	now := r.now()
	t := &target{hpa: hpa, replicas: floorNow(hpa), held: hpa.Annotations[record.BaseAnnotation] != "", annotations: hpa.Annotations}
	t.judgeFloor(hub, now)
	if t.held || t.paused() {
		return waitsFor
	}
	live := t.own
	to, over, next := t.share.Floor.Release(live, now)
	if to == live && !over && !t.share.Floor.Lowered.IsZero() {
		return max(next.Sub(now), atOnce)
	}
	timed, cancel := context.WithTimeout(ctx, r.answerWithin)
	defer cancel()
	write := t.sink
	if over {
		write = t.handBack
	}
	err := write(timed, member, to, now)
	r.hung.note(ctx, member.Name(), err)
	log := klog.FromContext(ctx).WithValues("member", member.Name(), "hpa", hpa.Name, "from", live, "to", to)
	switch {
	case apierrors.IsConflict(err):
		return settled // by then the cache shows what was written
	case apierrors.IsNotFound(err):
		return 0
	case err != nil:
		log.Info("The minReplicas of an HPA cannot be given back", "err", err)
		return waitsFor
	}
	log.Info("The minReplicas of an HPA goes back to its own", "base", t.share.Floor.Base, "over", over)
	if over {
		return 0
	}
	return max(next.Sub(now), atOnce)
}

func floorNow(hpa *autoscalingv2.HorizontalPodAutoscaler) int64 { return orOne(hpa.Spec.MinReplicas) }

// sink is a step on the way back.
func (t *target) sink(ctx context.Context, member *members.Member, to int64, now time.Time) error {
	kept := *t.share.Floor
	kept.Applied, kept.Lowered = to, now
	share := record.Share{Hub: t.share.Hub, Scale: t.share.Scale, Floor: &kept, Owners: t.share.Owners}
	_, err := floorPatch{metadata: metadata(share.Format(), nil), minReplicas: &to}.send(ctx, member, t.hpa, record.HubManager)
	return err
}

// handBack is the last step: the base is there again, nothing is kept, and the field is whose it was. Where one manager
// had it the base is written in his name, so that the API server itself makes it his; else a second patch gives it back.
func (t *target) handBack(ctx context.Context, member *members.Member, to int64, now time.Time) error {
	hpa := t.hpa
	owners := ownership.Note(record.HubManager, t.share.Owners, hpa.ManagedFields, nil)
	if to == t.replicas {
		return t.giveField(ctx, member, hpa, owners, now)
	}
	if len(owners) == 1 && ownership.Patches(owners[0]) {
		if entries, err := ownership.HandBack(record.HubManager, hpa.ManagedFields, owners, now); err == nil {
			_, err := floorPatch{metadata: metadata("", withoutUs(entries)), minReplicas: &to}.send(ctx, member, hpa, owners[0].Manager)
			return err
		}
	}
	kept := *t.share.Floor
	kept.Applied = to
	share := record.Share{Hub: t.share.Hub, Scale: t.share.Scale, Floor: &kept, Owners: owners}
	written, err := floorPatch{metadata: metadata(share.Format(), nil), minReplicas: &to}.send(ctx, member, hpa, record.HubManager)
	if err != nil {
		return err
	}
	return t.giveField(ctx, member, written, owners, now)
}

// giveField gives the field back and forgets who had it.
func (t *target) giveField(ctx context.Context, member *members.Member, hpa *autoscalingv2.HorizontalPodAutoscaler, owners []record.Owner, now time.Time) error {
	entries, err := ownership.HandBack(record.HubManager, hpa.ManagedFields, owners, now)
	if err != nil {
		entries = nil // the annotation goes at least
	}
	_, err = floorPatch{metadata: metadata("", withoutUs(entries))}.send(ctx, member, hpa, record.HubManager)
	return err
}

// metadata is that of a patch: with the annotation of a share ("" removes it) and, if there are any, managed fields.
func metadata(share string, entries []metav1.ManagedFieldsEntry) map[string]any {
	out := map[string]any{"annotations": map[string]any{record.FederatedAnnotation: any(share)}}
	if share == "" {
		out["annotations"] = map[string]any{record.FederatedAnnotation: nil}
	}
	if len(entries) > 0 {
		out["managedFields"] = entries
	}
	return out
}

// withoutUs are managed fields without our entry: with the annotation nothing is ours any more.
func withoutUs(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	return slices.DeleteFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == record.HubManager })
}
