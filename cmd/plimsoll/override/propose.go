// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Proposal is an override that may be written.
type Proposal struct {
	Override
	key     types.NamespacedName
	version string // of the HPA that it was worked out for
	text    string // of the annotation; "" removes it
}

// Present says what override an HPA has now and what that comes to.
func Present(ctx context.Context, s *snapshot.Snapshot, key types.NamespacedName, now time.Time) (Override, error) {
	present, err := s.Observe(ctx, key, now)
	if err != nil {
		return Override{}, err
	}
	out := present.Decide(now)
	o := Override{Namespace: key.Namespace, HPA: key.Name, Action: Show, Override: present.Override(), Before: decisionOf(out)}
	o.After, o.Warnings = o.Before, present.Problems
	o.Overruled = overruled(out)
	return o, nil
}

// Propose works out what an override of an HPA would change. With nil, the present one is ended. The error says why
// it is refused.
func Propose(ctx context.Context, s *snapshot.Snapshot, key types.NamespacedName, wish *record.Override, now time.Time) (Proposal, error) {
	before, err := s.Observe(ctx, key, now)
	if err != nil {
		return Proposal{}, err
	}
	if err := refuse(before, wish, now); err != nil {
		return Proposal{}, fmt.Errorf("hpa/%s: %w", key.Name, err)
	}
	p := Proposal{key: key, version: before.HPA.ResourceVersion}
	changed := before.HPA.DeepCopy()
	if wish == nil {
		delete(changed.Annotations, record.OverrideAnnotation)
	} else {
		p.text = wish.Format()
		if changed.Annotations == nil {
			changed.Annotations = map[string]string{}
		}
		changed.Annotations[record.OverrideAnnotation] = p.text
	}
	after, err := imagine(ctx, s, before, changed, now)
	if err != nil {
		return Proposal{}, err
	}
	was, will := before.Decide(now), after.Decide(now)
	p.Override = Override{
		Namespace: key.Namespace, HPA: key.Name, Action: Set, Override: wish, Previous: before.Override(),
		Before: decisionOf(was), After: decisionOf(will), Overruled: overruled(will), Warnings: warnings(before, wish, was, will),
	}
	if wish == nil {
		p.Action = End
	} else {
		p.Consent = consent(before, *wish, was.Result.Bounds.Max)
	}
	return p, nil
}

// imagine observes an HPA as if it were another one.
func imagine(ctx context.Context, s *snapshot.Snapshot, present *situation.Situation, changed *hpa, now time.Time) (*situation.Situation, error) {
	if err := s.Put(changed); err != nil {
		return nil, err
	}
	after, err := s.Observe(ctx, types.NamespacedName{Namespace: changed.Namespace, Name: changed.Name}, now)
	return after, errors.Join(err, s.Put(present.HPA))
}

func decisionOf(out situation.Outcome) Decision {
	r := out.Result
	return Decision{Bounds: upcoming.Bounds(r.Bounds), MinBy: upcoming.Source(r.FloorBy), MaxBy: upcoming.Source(r.MaxBy), Notes: upcoming.NotesOf(r.Notes)}
}

// refuse says why an override is not written at all.
func refuse(s *situation.Situation, wish *record.Override, now time.Time) error {
	switch {
	case wish == nil && s.HPA.Annotations[record.OverrideAnnotation] == "":
		return errors.New("it has no override that could be ended")
	case wish == nil:
		return nil
	case s.Owner != "":
		return fmt.Errorf("%s owns this HPA and would write its own bounds back; change them there", s.Owner)
	case s.Unreadable:
		return fmt.Errorf("its bounds are left alone: %s", s.Problems[0])
	case !wish.Until.After(now):
		return fmt.Errorf("the override would have ended already, at %s", wish.Until.Format(time.RFC3339))
	}
	return wish.Validate()
}

// overruled are those that ask for something and do not get it because an override does.
func overruled(out situation.Outcome) []upcoming.Overruled {
	if out.Override == nil {
		return nil
	}
	var found []upcoming.Overruled
	for _, v := range out.Result.Verdicts {
		if v.Source.Kind != bounds.KindOverride && !v.Won && v.Why != "" {
			found = append(found, upcoming.Overruled{Source: upcoming.Source(v.Source), Why: v.Why})
		}
	}
	return found
}

// warnings are about what may not be meant.
func warnings(s *situation.Situation, wish *record.Override, was, will situation.Outcome) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if will.Result.Has(bounds.Paused) {
		add("%s is paused, so nothing changes before it is resumed with: plimsoll resume", s.PausedBy)
	}
	if was.Adoption.Change == bounds.Contested {
		add("somebody else keeps writing the HPA's own bounds back, so the scaler leaves them alone for now")
	}
	if wish == nil {
		return all
	}
	base := will.Adoption.Base
	if floor := wish.Min; floor != nil && wish.Max == nil && *floor > will.Result.Bounds.Max {
		add("the floor %d is above the maximum %d, which caps it; to raise that too, add --max %d", *floor, will.Result.Bounds.Max, *floor)
	}
	if wish.HardMax && wish.Replicas == nil && *wish.Max > base.Max {
		add("--hard-max changes nothing where the maximum is raised")
	}
	if p := s.Override(); p != nil && p.Until.After(wish.Since) {
		add("it replaces %s", Sentence(*p))
	}
	if ceilingOf(*wish) != nil && s.Wanted() == nil {
		add("what the HPA's metrics ask for is unknown, so nobody can say whether these bounds leave room for it")
	}
	return all
}

// consent are the consequences that a person has to agree to: the HPA gets less than it wants.
func consent(s *situation.Situation, wish record.Override, present int32) []string {
	ceiling, wanted := ceilingOf(wish), s.Wanted()
	switch {
	case ceiling == nil || *ceiling >= present && !wish.HardMax:
		return nil
	case wish.HardMax && *ceiling < s.Replicas:
		return []string{fmt.Sprintf("the maximum %d is below the %d replicas that run now, and --hard-max removes %d of them at once", *ceiling, s.Replicas, s.Replicas-*ceiling)}
	case wanted != nil && *ceiling < *wanted:
		return []string{fmt.Sprintf("the maximum %d is below the %d replicas that the HPA's metrics ask for now", *ceiling, *wanted)}
	case wanted == nil && *ceiling < s.Replicas:
		return []string{fmt.Sprintf("the maximum %d is below the %d replicas that run now, and what the metrics ask for is unknown", *ceiling, s.Replicas)}
	}
	return nil
}

// ceilingOf is the maximum that an override states; nil: none.
func ceilingOf(o record.Override) *int32 {
	if o.Replicas != nil {
		return o.Replicas
	}
	return o.Max
}
