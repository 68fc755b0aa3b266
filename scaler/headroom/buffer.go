// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// bufferPhase is how far a cluster's CapacityBuffers are.
type bufferPhase int

const (
	bufferNone    bufferPhase = iota // not asked for, or the cluster does not know the kind
	bufferWaiting                    // no node autoscaler has accepted all of them yet
	bufferReady
	bufferGivenUp // none has in time
)

const (
	// bufferPatience is how long a node autoscaler has to accept a buffer.
	bufferPatience = 5 * time.Minute
	// bufferRetry is how long after that it is tried again, if the strategy may be chosen.
	bufferRetry = time.Hour
	// versionFor is how long a cluster is not asked again whether it knows the kind.
	versionFor = 5 * time.Minute
)

const bufferGroup = "autoscaling.x-k8s.io"

// bufferMemo is what is remembered of a cluster's CapacityBuffers.
type bufferMemo struct {
	version string // "": it does not know them
	asked   time.Time
}

// bufferVersion is the newest version of CapacityBuffer that the cluster serves; "": none, or it does not say.
func (one *sight) bufferVersion() string {
	m, now := &one.memo.buffers, one.now
	if age := now.Sub(m.asked); !m.asked.IsZero() && age >= 0 && age < versionFor {
		return m.version
	}
	version := ""
	for _, v := range []string{"v1beta1", "v1alpha1"} {
		if _, err := one.member.RESTMapper().RESTMapping(schema.GroupKind{Group: bufferGroup, Kind: "CapacityBuffer"}, v); err == nil {
			version = v
			break
		} else if !meta.IsNoMatchError(err) {
			return m.version // it did not say
		}
	}
	m.version, m.asked = version, now
	return version
}

// phase is how far buffers are that have been waiting since a time, and since when they count as waiting from now on.
// giveUp says that another means is used then, and the buffers are tried again later.
func phase(since *time.Time, ready, giveUp bool, now time.Time) (bufferPhase, *time.Time) {
	switch {
	case ready:
		return bufferReady, nil
	case since == nil || since.After(now) || giveUp && now.Sub(*since) >= bufferPatience+bufferRetry:
		return bufferWaiting, &now
	case now.Sub(*since) < bufferPatience:
		return bufferWaiting, since
	}
	return bufferGivenUp, since
}

// buffers applies CapacityBuffers where they are asked for and the cluster knows them, and finds out whether a node
// autoscaler accepts them.
func (r *reconciler) buffers(ctx context.Context, s *scene, one *row) error {
	auto := s.plain.Strategy == v1alpha1.HeadroomAuto
	if !auto && s.plain.Strategy != v1alpha1.HeadroomCapacityBuffer {
		return nil
	}
	version := one.sight.bufferVersion()
	if version == "" {
		one.result.bufferReason = "the cluster does not know CapacityBuffers"
		return nil
	}
	var since *time.Time
	if one.before.BufferSince != nil {
		since = &one.before.BufferSince.Time
	}
	res := &one.result
	if res.buffer, res.bufferSince = phase(since, false, auto, s.now); auto && res.buffer == bufferGivenUp {
		res.bufferReason = fmt.Sprintf("no node autoscaler accepted a CapacityBuffer in %s", bufferPatience)
		return nil // whoever is used instead removes them
	}
	frame, err := s.frame(ctx, one)
	if err != nil {
		return err
	}
	there, err := one.sight.listBuffers(ctx, version)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		one.sight.memo.buffers = bufferMemo{}
		res.buffer, res.bufferSince, res.bufferReason = bufferNone, nil, "the cluster does not know CapacityBuffers any more"
		return nil
	}
	if err != nil {
		return err
	}
	ready, wanted := true, map[string]bool{}
	for _, b := range one.blocks {
		wanted[b.name] = b.count > 0
	}
	if err := one.sight.removeBuffers(ctx, wanted); err != nil {
		return err
	}
	for _, b := range fallingFirst(one.blocks, there) {
		if err := one.sight.applyBuffer(ctx, frame.meta(b), frame.template(b, one.shapes[b.Workload]), b.count, there[b.name]); err != nil {
			return err
		}
		accepted, why := acceptance(there[b.name])
		if !accepted {
			ready, res.bufferReason = false, why
		}
		res.pods += b.count
		res.ready += min(b.Fits, b.count)
	}
	res.buffer, res.bufferSince = phase(since, ready, auto, s.now)
	return nil
}

// fallingFirst are the blocks that want buffers, those first that want fewer pods than there are: a node autoscaler that
// looks between two writes must not see more than is wanted before or after.
func fallingFirst(blocks []block, there map[string]*unstructured.Unstructured) []block {
	var falling, rising []block
	for _, b := range blocks {
		replicas := int64(0)
		if old := there[b.name]; old != nil {
			replicas, _, _ = unstructured.NestedInt64(old.Object, "spec", "replicas") // what cannot be read counts as none
		}
		switch {
		case b.count == 0:
		case b.count < replicas:
			falling = append(falling, b)
		default:
			rising = append(rising, b)
		}
	}
	return append(falling, rising...)
}

func bufferKind(version string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: bufferGroup, Version: version, Kind: "CapacityBuffer"}
}

// listBuffers are our buffers in a member, by name.
func (one *sight) listBuffers(ctx context.Context, version string) (map[string]*unstructured.Unstructured, error) {
	all, err := one.allBuffers(ctx, version)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*unstructured.Unstructured, len(all))
	for name, buffer := range all {
		if one.ours(buffer) {
			out[name] = buffer
		}
	}
	return out, nil
}

// applyBuffer writes a block's PodTemplate and CapacityBuffer unless they are as they should be. Only podTemplateRef and
// replicas are used: what a percentage means differs between versions.
func (one *sight) applyBuffer(ctx context.Context, m metav1.ObjectMeta, pods corev1.PodTemplateSpec, count int64, old *unstructured.Unstructured) error {
	sum := hash(pods)
	if old != nil && old.GetAnnotations()[hashAnnotation] == sum && old.GetLabels()[hubLabel] == m.Labels[hubLabel] {
		if replicas, _, err := unstructured.NestedInt64(old.Object, "spec", "replicas"); err == nil && replicas == count {
			return nil
		}
	}
	if err := one.leavesTemplate(ctx, m.Name); err != nil {
		return err
	}
	if err := one.apply(ctx, corev1.SchemeGroupVersion.WithKind("PodTemplate"), &corev1.PodTemplate{ObjectMeta: m, Template: pods}); err != nil {
		return err
	}
	buffer := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"podTemplateRef": map[string]any{"name": m.Name}, "replicas": count},
	}}
	m.Annotations[hashAnnotation] = sum
	buffer.SetNamespace(m.Namespace)
	buffer.SetName(m.Name)
	buffer.SetLabels(m.Labels)
	buffer.SetAnnotations(m.Annotations)
	return one.apply(ctx, bufferKind(one.bufferVersion()), buffer)
}

// acceptance says whether a node autoscaler has accepted a buffer, and why not.
func acceptance(buffer *unstructured.Unstructured) (bool, string) {
	const nobody = "no node autoscaler has accepted the CapacityBuffers yet"
	if buffer == nil {
		return false, nobody
	}
	conditions, _, err := unstructured.NestedSlice(buffer.Object, "status", "conditions")
	if err != nil {
		return false, nobody
	}
	for _, each := range conditions {
		condition, is := each.(map[string]any)
		if !is || condition["type"] != "ReadyForProvisioning" {
			continue
		}
		if condition["status"] == "True" {
			return true, ""
		}
		return false, fmt.Sprintf("CapacityBuffer %s is not ReadyForProvisioning: %v: %v", buffer.GetName(), condition["reason"], condition["message"])
	}
	return false, nobody
}

// removeBuffers removes our buffers except the wanted ones. A PodTemplate goes before its buffer, by whose name it is
// found: there is no right to list them.
func (one *sight) removeBuffers(ctx context.Context, wanted map[string]bool) error {
	version := one.bufferVersion()
	if version == "" {
		return nil
	}
	there, err := one.listBuffers(ctx, version)
	if err != nil {
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			one.memo.buffers = bufferMemo{}
			return nil
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if wanted[name] {
			continue
		}
		if err := one.leavesTemplate(ctx, name); err != nil {
			return err
		}
		template := &corev1.PodTemplate{}
		template.Namespace, template.Name = capacity.HeadroomNamespace, name
		for _, object := range []client.Object{template, there[name]} {
			if err := one.member.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete %T %s/%s of member %s: %w", object, capacity.HeadroomNamespace, name, one.member.Name(), err)
			}
		}
	}
	return nil
}
