// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// maxMoments is how many moments are tried on the nodes: those at which the most pods are asked for.
const maxMoments = 50

// Options say what to look at.
type Options struct {
	Now time.Time
	// At looks at one moment only. Zero: at all intervals of the event that begin within For, or at the next one.
	At   time.Time
	For  time.Duration
	Lead time.Duration // from a decision to Ready pods; ramps begin that much earlier. 0: as measured
	Lose string        // name of a member cluster that is taken for lost; "": none
}

// State is what came of a check.
type State string

// The states. With a warning it fits all the same.
const (
	OK      State = "ok"
	Short   State = "short"
	Unknown State = "unknown"
	Warning State = "warning"
)

// Check is one question and its answer. Need and Have are quantities as in manifests.
type Check struct {
	Check  string     `json:"check"` // maxReplicas, quota, limits, nodes, ramp, target, share, members
	For    string     `json:"for"`   // namespace/name of an HPA, or namespace/name resource of a quota
	Member string     `json:"member,omitempty"`
	Need   string     `json:"need,omitempty"`
	Have   string     `json:"have,omitempty"`
	State  State      `json:"state"`
	When   *time.Time `json:"when,omitempty"` // the worst moment
	ToDo   string     `json:"toDo,omitempty"`
	Detail string     `json:"detail,omitempty"`
}

// Result is the answer.
type Result struct {
	Verdict State    `json:"verdict"` // ok, short or unknown
	Windows []Window `json:"windows"`
	Checks  []Check  `json:"checks"`
	// Divisions are those of workloads that are divided over member clusters, at the worst moment of each.
	Divisions []Division `json:"divisions,omitempty"`
	Notes     []string   `json:"notes,omitempty"`
}

// crew is what one target needs at one moment.
type crew struct {
	target   *target
	workload *Workload
	pod      *corev1.Pod
	step     step
	create   int64 // pods that do not exist yet
	place    int64 // pods that are not on a node yet
}

// checker is one Check while it runs.
type checker struct {
	*World
	options Options
	zones   *schedule.Zones
	targets []*target
	known   map[*target]crew // workload and pod of each, without a moment
	// snapshot is of the nodes and pods; nodes is what it has left.
	snapshot *capacity.Snapshot
	nodes    []fit.Node
	shapes   map[*target]shape
	// federations are the targets that are divided over members; snapshots are the members', by name.
	federations map[*target]*federation
	snapshots   map[string]*capacity.Snapshot
	hub         string // the member that is the hub; "": none is
	out         Result
}

// Examine answers. Its errors mean that the files ask for nothing that can be looked at.
func Examine(w *World, o Options) (Result, error) {
	c := checker{
		World: w, options: o, zones: &schedule.Zones{}, known: map[*target]crew{}, shapes: map[*target]shape{},
		federations: map[*target]*federation{}, snapshots: map[string]*capacity.Snapshot{},
	}
	if err := c.find(); err != nil {
		return Result{}, err
	}
	c.out.Windows = c.windowsOf(c.eventTargets(), o, c.zones)
	if len(c.out.Windows) == 0 {
		return Result{}, c.nothing()
	}
	var stretches []stretch
	for i := range c.out.Windows {
		stretches = append(stretches, c.out.Windows[i].timeline...)
	}
	if !o.At.IsZero() {
		stretches = []stretch{{o.At, o.At.Add(time.Second)}}
	}
	stretches = join(stretches)
	for _, t := range c.targets {
		t.look(stretches)
	}
	c.maxima()
	moments := c.moments()
	if slices.ContainsFunc(c.eventTargets(), func(t *target) bool { return c.federations[t] == nil }) {
		c.room(moments)
	}
	c.inMembers(moments)
	c.ramps()
	c.conclude()
	return c.out, nil
}

// find prepares the targets.
func (c *checker) find() error {
	all := slices.Concat(c.HPAs, c.workloadTargets())
	for i := range all {
		t, notes := c.targetOf(&all[i], c.options, c.zones)
		c.out.Notes = append(c.out.Notes, notes...)
		if t != nil {
			c.targets = append(c.targets, t)
		}
	}
	slices.SortFunc(c.targets, func(a, b *target) int { return cmp.Compare(a.name(), b.name()) })
	for i := range c.Event {
		s := &c.Event[i]
		if slices.ContainsFunc(c.targets, func(t *target) bool { return appliesTo(s, t.hpa) }) {
			continue
		}
		if why, unread := c.Unread[unreadScales]; unread && s.Spec.TargetRef.IsWorkload() && s.Spec.TargetRef.Kind == kindScale {
			return fmt.Errorf("the ScaleSchedule %s/%s is for the FederatedScale %s, which may not be read: %s", s.Namespace, s.Name, s.Spec.TargetRef.Name, why)
		}
		if ref := s.Spec.TargetRef; ref != nil {
			return fmt.Errorf("the ScaleSchedule %s/%s is for the %s %s, which does not exist in namespace %s, and is not among the files",
				s.Namespace, s.Name, ref.WithDefaults().Kind, ref.Name, s.Namespace)
		}
		return fmt.Errorf("no HPA in namespace %s has the labels of the targetSelector of ScaleSchedule %s/%s", s.Namespace, s.Namespace, s.Name)
	}
	for _, t := range c.targets {
		c.known[t] = c.crewOf(t)
	}
	return c.divide()
}

func (c *checker) eventTargets() []*target {
	return slices.DeleteFunc(slices.Clone(c.targets), func(t *target) bool { return !t.event })
}

// nothing says why there is nothing to look at.
func (c *checker) nothing() error {
	if !c.options.At.IsZero() {
		return fmt.Errorf("at %s the event asks for nothing: no window of it is on or ramps then", clock(c.options.At))
	}
	return errors.New("the event asks for nothing any more: its windows are over, suspended or never begin; see plimsoll lint")
}

// crewOf finds the workload and the pods of a target.
func (c *checker) crewOf(t *target) crew {
	out := crew{target: t, workload: c.workload(t.hpa.Namespace, t.hpa.Spec.ScaleTargetRef.Kind, t.hpa.Spec.ScaleTargetRef.Name)}
	if out.workload == nil {
		return out
	}
	pods := c.podsOf(out.workload)
	out.pod = c.podOf(out.workload, pods)
	out.create, out.place = -pods.all, -pods.bound
	return out
}

// moment is a time at which the event is on, and what is needed then.
type moment struct {
	at      time.Time
	crews   []crew
	divided []crew // over members: only target and step are set
	pods    int64
}

// moments are the times at which the most is needed: every other time needs no more of anything than one of them.
func (c *checker) moments() []moment {
	var times []time.Time
	for _, t := range c.targets {
		for _, s := range t.steps {
			times = append(times, s.at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var all []moment
	for _, at := range slices.CompactFunc(times, time.Time.Equal) {
		m := moment{at: at}
		for _, t := range c.targets {
			one := c.known[t]
			one.step = t.at(at)
			if divided := c.federations[t]; divided != nil {
				m.divided = append(m.divided, one)
				m.pods += max(int64(one.step.want)-divided.has(), 0)
				continue
			}
			if one.pod == nil {
				continue
			}
			one.create, one.place = max(int64(one.step.want)+one.create, 0), max(int64(one.step.want)+one.place, 0)
			m.crews = append(m.crews, one)
			m.pods += one.place
		}
		all = append(all, m)
	}
	// A moment that needs no more of anything than another has nothing to add; the largest come first.
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(b.pods, a.pods) })
	var out []moment
	for _, m := range all {
		if !slices.ContainsFunc(out, m.within) {
			out = append(out, m)
		}
		if len(out) == maxMoments {
			c.out.Notes = append(c.out.Notes, fmt.Sprintf("only the %d moments at which the most pods are asked for were tried on quotas and nodes", maxMoments))
			break
		}
	}
	return out
}

// within says whether another moment needs at least as much of everything.
func (m moment) within(other moment) bool {
	return !asksMore(m.crews, other.crews) && !asksMore(m.divided, other.divided)
}

// asksMore says whether any of the crews asks for more than at another moment, at which they are the same ones.
func asksMore(crews, other []crew) bool {
	for i := range crews {
		if crews[i].step.want > other[i].step.want {
			return true
		}
	}
	return false
}

func (c *checker) add(check Check) { c.out.Checks = append(c.out.Checks, check) }

// conclude sums up.
func (c *checker) conclude() {
	c.out.Verdict = OK
	for _, check := range c.out.Checks {
		switch {
		case check.State == Short:
			c.out.Verdict = Short
		case check.State == Unknown && c.out.Verdict == OK:
			c.out.Verdict = Unknown
		}
	}
	if slices.ContainsFunc(c.eventTargets(), func(t *target) bool { return t.obs.Lead == 0 }) {
		c.out.Notes = append(c.out.Notes, "how long pods take to be Ready is not known of every target; ramps begin that much earlier (--lead 5m shows it)")
	}
	c.out.Notes = append(c.out.Notes,
		"counted is what schedules and overrides ask for; the HPA may go higher by itself, up to its maximum. Forecasts and other workloads are counted as they are now",
		"pods of lower priority are counted as staying (no preemption), and nodes that an autoscaler might add are not counted")
}
