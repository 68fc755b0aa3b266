// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/override"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/pause"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

const (
	nextShown = 3
	nextAhead = 48 * time.Hour
	// moment is how long the scaler may take to write what is decided before that is worth a word.
	moment = 3 * time.Second
)

// Explain looks at an HPA and around it.
func Explain(ctx context.Context, c *target.Cluster, name string) (Document, error) {
	seen, err := snapshot.Take(ctx, c, c.Namespace)
	if err != nil {
		return Document{}, err
	}
	key := types.NamespacedName{Namespace: c.Namespace, Name: name}
	now := time.Now()
	s, err := seen.Observe(ctx, key, now)
	if apierrors.IsNotFound(err) {
		return Document{}, fmt.Errorf("there is no HorizontalPodAutoscaler %s in namespace %s; see which there are with: kubectl get hpa -n %s", name, c.Namespace, c.Namespace)
	}
	if err != nil {
		return Document{}, err
	}
	out := s.Decide(now)
	settled := override.Settled(s, out)
	if !settled { // perhaps we came between a change and the scaler
		if settled, err = override.Wait(ctx, c, seen, key, moment); err != nil {
			return Document{}, err
		}
		now = time.Now()
		if s, err = seen.Observe(ctx, key, now); err != nil {
			return Document{}, err
		}
		out = s.Decide(now)
	}
	d := Describe(s, out, now)
	d.Scaler = scalerOf(ctx, c, now)
	d.Scaler.Settled = settled
	a := asker{raw: c.Raw, namespace: c.Namespace, pods: seen.PodNames(c.Namespace, d.Workload.Kind, d.Workload.Name)}
	d.Metrics = a.metrics(ctx, s.HPA)
	d.Problems = append(d.Problems, problems(s, d)...)
	return d, nil
}

// Describe says everything that the situation and its outcome tell.
func Describe(s *situation.Situation, out situation.Outcome, now time.Time) Document {
	r := out.Result
	d := Document{
		Namespace: s.HPA.Namespace, HPA: s.HPA.Name, Time: now.UTC(),
		Workload: Workload{Kind: s.HPA.Spec.ScaleTargetRef.Kind, Name: s.HPA.Spec.ScaleTargetRef.Name},
		Replicas: Replicas{
			Current: s.Replicas, Desired: s.HPA.Status.DesiredReplicas, Ready: s.Pods.Ready, Pending: s.Pods.Pending,
			Looked: len(s.HPA.Status.Conditions) > 0, Unschedulable: s.Pods.Unschedulable, LeadSeconds: s.Pods.Lead.Seconds(), LeadSamples: s.Pods.LeadSamples,
		},
		Wanted: s.Wanted(),
		Live:   upcoming.Bounds(situation.LiveBounds(s.HPA)), Decided: upcoming.Bounds(r.Bounds),
		MinBy: upcoming.Source(r.FloorBy), MaxBy: upcoming.Source(r.MaxBy),
		Base:          Base{Bounds: upcoming.Bounds(out.Adoption.Base), Owners: owners(s)},
		Contributions: contributions(s, out, now), Override: out.Override, Notes: upcoming.NotesOf(r.Notes),
		Without: Without{Bounds: upcoming.Bounds(r.Without.Bounds), Replicas: r.Without.Replicas},
		Left:    out.Leave, PausedBy: s.PausedBy, PauseNote: s.HPA.Annotations[pause.NoteAnnotation],
	}
	switch share, err := record.ParseShare(s.HPA.Annotations); {
	case err != nil:
		d.Problems = append(d.Problems, err.Error())
	case share.Floor != nil:
		d.Share = &Share{Scale: share.Scale, Base: share.Floor.Base}
	}
	d.Next = upcoming.From(s, out).Changes(now, now.Add(nextAhead))
	d.Next = d.Next[:min(len(d.Next), nextShown)]
	for _, p := range upcoming.Problems(s, out) {
		d.Problems = append(d.Problems, p.Message)
	}
	return d
}

// problems are what is wrong with what was found.
func problems(s *situation.Situation, d Document) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if d.Left == "" && !d.Scaler.Settled {
		add("the bounds are %d..%d but should be %d..%d: the scaler has not written them. %s", d.Live.Min, d.Live.Max, d.Decided.Min, d.Decided.Max, d.Scaler.Message)
	} else if d.Scaler.State == Silent && len(d.Contributions) > 0 {
		add("the scaler does not run, so nothing that is planned will happen: %s", d.Scaler.Message)
	}
	r := d.Replicas
	if short := d.Live.Min - r.Ready; short > 0 && r.Ready < r.Current && s.Pods.Total > 0 {
		text := fmt.Sprintf("the floor of %d is not reached: %d Ready", d.Live.Min, r.Ready)
		if r.Pending > 0 {
			text += fmt.Sprintf(", %d pending", r.Pending)
		}
		if r.Unschedulable > 0 {
			text += fmt.Sprintf(", for %d of which no node has room", r.Unschedulable)
		}
		all = append(all, text)
	}
	for _, c := range s.HPA.Status.Conditions {
		if (c.Type == autoscalingv2.AbleToScale || c.Type == autoscalingv2.ScalingActive) && c.Status == "False" {
			add("the HPA says: %s (%s)", c.Message, c.Reason)
		}
	}
	return all
}
