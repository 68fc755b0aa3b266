// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The limits of the API.
const (
	mostRows    = 256
	mostMessage = 500
)

// status is what is to be said of a Headroom.
func (s *scene) status() v1alpha1.HeadroomStatus {
	out := v1alpha1.HeadroomStatus{ObservedGeneration: s.headroom.Generation}
	if s.invalid != "" {
		out = *s.headroom.Status.DeepCopy() // what it kept is left as it is
		out.ObservedGeneration = s.headroom.Generation
		out.Conditions = []metav1.Condition{s.condition(&out)}
		return out
	}
	var sum sums
	for _, one := range s.rows {
		out.Clusters = append(out.Clusters, s.clusterStatus(one))
		sum.add(s, one)
	}
	out.Clusters = out.Clusters[:min(len(out.Clusters), mostRows)]
	out.Reserved, out.Free, out.CostPerHour = human(sum.reserved), human(sum.free), s.cost.of(sum.reserved)
	out.Strategy = strategyOf(out.Clusters)
	out.Surges, out.Losses = s.surges(), s.losses()
	out.Conditions = []metav1.Condition{s.condition(&out)}
	return out
}

// sums are what the table shows.
type sums struct{ reserved, free fit.Resources }

func (sum *sums) add(s *scene, one *row) {
	if one.reserve == nil {
		return
	}
	sum.free = sum.free.Add(one.reserve.Base.Free)
	if !s.heldElsewhere(one) {
		sum.reserved = sum.reserved.Add(s.reserved(one))
	}
}

// heldElsewhere says whether another hub's reserve keeps this one from being written. What is only shown is shown anyway.
func (s *scene) heldElsewhere(one *row) bool { return s.plain.Enforce && one.result.foreign.hub != "" }

// reserved is what a cluster keeps: what the placeholder pods that run there request, or by other means, and in
// observation, what fits of what is wanted.
func (s *scene) reserved(one *row) fit.Resources {
	if one.strategy == v1alpha1.HeadroomPlaceholder && s.plain.Enforce {
		return one.sight.snapshot.Reserved()
	}
	return one.reserve.Held
}

func strategyOf(rows []v1alpha1.HeadroomCluster) string {
	found := ""
	for i := range rows {
		switch strategy := string(rows[i].Strategy); {
		case strategy == "" || strategy == found:
		case found == "":
			found = strategy
		default:
			return "Mixed"
		}
	}
	return found
}

func (s *scene) clusterStatus(one *row) v1alpha1.HeadroomCluster {
	if one.reserve == nil {
		out := one.before
		out.Name, out.Reason = one.cluster.Name, v1alpha1.HeadroomClusterUnknown
		out.Message = "it is not Healthy, so what it has is not known; its reserve is left as it is"
		ready := meta.FindStatusCondition(one.cluster.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case ready != nil && ready.Reason == v1alpha1.MemberDuplicateCluster: // what it has counts once
			none := amounts(nil)
			out = v1alpha1.HeadroomCluster{
				Name: one.cluster.Name, Reason: v1alpha1.HeadroomClusterUnknown, Message: clip(ready.Message), Allocatable: none, Free: none, Wanted: none, Held: none,
			}
		case one.cluster.Status.State == v1alpha1.MemberHealthy:
			out.Message = "it is not connected yet, so what it has is not known; its reserve is left as it is"
		}
		return out
	}
	base := one.reserve.Base
	out := v1alpha1.HeadroomCluster{
		Name: one.cluster.Name, Strategy: one.strategy, Nodes: narrow(int64(base.Nodes)), LeftOut: leftOut(base.Left),
		Allocatable: amounts(base.Allocatable), Free: amounts(base.Free), Wanted: amounts(one.reserve.Wanted), Held: amounts(one.reserve.Held),
		Pods: narrow(one.result.pods), Ready: narrow(one.result.ready), Short: narrow(one.reserve.Short),
		NodeGroups: one.before.NodeGroups, GrownAt: one.before.GrownAt,
	}
	if since := one.result.bufferSince; since != nil {
		out.BufferSince = &metav1.Time{Time: since.Truncate(time.Second)}
	}
	if grew := one.result.grown.grew; len(grew) > 0 {
		out.NodeGroups, out.GrownAt = clip(strings.Join(grew, ", ")), &metav1.Time{Time: s.now.Truncate(time.Second)}
	}
	if s.heldElsewhere(one) {
		out.Held = amounts(nil)
	}
	out.Reason, out.Message = s.judge(one)
	out.Message = clip(out.Message)
	return out
}

func leftOut(left map[reserve.Left]int) string {
	var all []string
	for _, why := range slices.Sorted(maps.Keys(left)) {
		all = append(all, fmt.Sprintf("%d %s", left[why], why))
	}
	return strings.Join(all, ", ")
}

func (s *scene) surges() []v1alpha1.HeadroomSurge {
	var out []v1alpha1.HeadroomSurge
	for _, surge := range s.plan.Surges {
		kept := total(surge.Next)
		out = append(out, v1alpha1.HeadroomSurge{
			Workload: surge.Workload, Ahead: narrow(kept), Refused: narrow(surge.Ahead - kept), By: surge.By, AtOnce: narrow(total(surge.AtOnce)), Together: narrow(total(surge.Together)),
		})
	}
	return out[:min(len(out), mostRows)]
}

func (s *scene) losses() []v1alpha1.HeadroomLoss {
	var out []v1alpha1.HeadroomLoss
	for _, loss := range s.plan.Losses {
		row := v1alpha1.HeadroomLoss{Cluster: loss.Cluster, Verdict: string(loss.Verdict)}
		var replicas, fits, needNodes, homeless int64
		for _, m := range loss.Workloads {
			replicas, fits, needNodes, homeless = replicas+m.Replicas, fits+m.Fit, needNodes+m.NeedNodes, homeless+m.Homeless
		}
		row.Replicas, row.Fit, row.NeedNodes, row.Homeless = narrow(replicas), narrow(fits), narrow(needNodes), narrow(homeless)
		out = append(out, row)
	}
	return out[:min(len(out), mostRows)]
}

// urgency is the order of the reasons, the most urgent last.
func urgency() []string {
	return []string{
		v1alpha1.HeadroomHeld, v1alpha1.HeadroomPeakAhead, v1alpha1.HeadroomFilling, v1alpha1.HeadroomClusterUnknown, v1alpha1.HeadroomShort,
		v1alpha1.HeadroomNodeGroupsAtMaximum, v1alpha1.HeadroomBufferNotProvisioned, v1alpha1.HeadroomNodeGroupFailed, v1alpha1.HeadroomHeldByOtherHub,
		v1alpha1.HeadroomWriteFailed,
	}
}

// condition is the Ready condition of a status whose other parts are there.
func (s *scene) condition(status *v1alpha1.HeadroomStatus) metav1.Condition {
	reason, message := s.verdict(status)
	ready := metav1.ConditionFalse
	switch reason {
	case v1alpha1.HeadroomHeld, v1alpha1.HeadroomPeakAhead:
		ready = metav1.ConditionTrue
	case v1alpha1.HeadroomObserving, v1alpha1.HeadroomFilling, v1alpha1.HeadroomPaused:
		ready = metav1.ConditionUnknown
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: message,
		ObservedGeneration: s.headroom.Generation, LastTransitionTime: metav1.NewTime(s.now.Truncate(time.Second)),
	}
}

func (s *scene) verdict(status *v1alpha1.HeadroomStatus) (reason, message string) {
	if s.invalid != "" {
		return v1alpha1.HeadroomInvalid, s.invalid + "; nothing is changed"
	}
	if len(s.rows) == 0 {
		return v1alpha1.HeadroomNoClusters, s.without()
	}
	worst := slices.MaxFunc(status.Clusters, func(a, b v1alpha1.HeadroomCluster) int {
		return cmp.Compare(slices.Index(urgency(), a.Reason), slices.Index(urgency(), b.Reason))
	})
	amount := fmt.Sprintf("%d %% of %s", s.plain.Options.Percent, counted(len(s.rows), "cluster"))
	switch {
	case paused(s.headroom):
		return v1alpha1.HeadroomPaused, "the annotation plimsoll.dev/paused is set: nothing is written, and what is reserved stays"
	case !s.plain.Enforce:
		return v1alpha1.HeadroomObserving, s.and(fmt.Sprintf("would keep %s (%s of %s); set mode: Enforce to have it kept", status.Reserved, amount, "cpu and memory"))
	case worst.Reason == v1alpha1.HeadroomHeld:
		return worst.Reason, s.and(fmt.Sprintf("%s is kept, %s; any pod of priority 0 or more may take it", status.Reserved, amount))
	case worst.Reason == v1alpha1.HeadroomPeakAhead:
		return worst.Reason, s.and(fmt.Sprintf("%s is kept, more than %s because of %s; any pod of priority 0 or more may take it", status.Reserved, amount, s.peak()))
	}
	return worst.Reason, s.and(fmt.Sprintf("cluster %s: %s", worst.Name, worst.Message))
}

// without says why a Headroom has no clusters.
func (s *scene) without() string {
	if len(s.taken) > 0 {
		names := slices.Sorted(maps.Keys(s.taken))
		return fmt.Sprintf("cluster %s belongs to Headroom %s, which is older: a cluster has one Headroom; name others in spec.clusters", names[0], s.taken[names[0]])
	}
	if len(s.headroom.Spec.Clusters) > 0 {
		return "none of the MemberClusters in spec.clusters exists: create one, or correct the names"
	}
	return "there is no MemberCluster: create one for each cluster"
}

// and adds what should be said besides.
func (s *scene) and(message string) string {
	if len(s.taken) > 0 {
		message += fmt.Sprintf("; without %s, which other Headrooms have", strings.Join(slices.Sorted(maps.Keys(s.taken)), ", "))
	}
	for _, w := range s.workloads {
		if w.unknown != "" {
			return message + "; " + w.unknown
		}
	}
	return message
}

// peak names what asks for the most room ahead.
func (s *scene) peak() string {
	best := reserve.Surge{}
	for _, surge := range s.plan.Surges {
		if surge.By != "" && surge.Ahead > best.Ahead {
			best = surge
		}
	}
	kept := total(best.Next)
	text := fmt.Sprintf("%s, for %d more replicas of %s", best.By, kept, best.Workload)
	if best.Ahead > kept {
		text += fmt.Sprintf(" (without %d beyond them: a ResourceQuota or maxReplicas refuses them, or spec.peaks.maxPercent is reached)", best.Ahead-kept)
	}
	return text
}
