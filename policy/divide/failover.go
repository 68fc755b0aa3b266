// SPDX-License-Identifier: Apache-2.0

package divide

import "time"

// failOver marks the members whose seats move now.
func (d *decision) failOver() {
	for _, m := range d.members {
		switch {
		case m.Drain:
			d.note(m, Drained, "member %s is drained: its replicas move to the others", m.Name)
		case m.Health != Failed || m.Suspend:
		case d.Options.Failover == Never && !m.kept.Away:
			d.note(m, FailoverNever, "member %s has failed; its replicas stay where they are, as failover is Never", m.Name)
		case d.now.Sub(m.Since) < d.Options.After && !m.moved():
			d.wake(m.Since.Add(d.Options.After))
			d.note(m, FailoverWaits, "member %s has failed; its replicas move at %s unless it answers by then", m.Name, m.Since.Add(d.Options.After).Format(time.RFC3339))
		case m.Answers && !m.moved():
			d.note(m, FailoverWaits, "member %s has failed, but answers again; its replicas move only if it stops before it is Healthy", m.Name)
		default:
			m.kept.Away, m.kept.Stage, m.kept.StageSince = true, 0, time.Time{}
			d.note(m, FailedOver, "member %s has failed; its replicas have moved to the others", m.Name)
		}
	}
}

// moved: all its seats are away, none has been given back.
func (m *member) moved() bool { return m.kept.Away && m.kept.StageSince.IsZero() }

// wavers says why it may have failed, or be other than it was seen, while it has seats; "" if it does not.
func (m *member) wavers(o Options, now time.Time) string {
	switch {
	case m.Drain || !m.silent() || m.moved():
		return ""
	case m.Suspend:
		return "is suspended"
	case m.Health == Healthy:
		return "has not been read since it was written or came back"
	case m.Health == Failed && (o.Failover == Never || now.Sub(m.Since) >= o.After && !m.Answers):
		return ""
	case m.Health == Failed && m.Answers:
		return "has failed, but answers again"
	}
	return "may have failed"
}

// freeze decides how many replicas are divided, and whether anything may be lowered.
func (d *decision) freeze() {
	d.plan.Replicas = d.Replicas
	var silent, all, failing, asked int
	wavers := ""
	recent := d.Options.FreezeFor <= 0
	for _, m := range d.members {
		if m.Drain {
			continue
		}
		all++
		if m.silent() {
			silent++
			if until := m.Since.Add(d.Options.FreezeFor); m.Health != Failed || m.Suspend || d.now.Before(until) {
				recent = true
				d.wake(until)
			}
		}
		if !m.Suspend {
			asked++
			if m.Health != Healthy {
				failing++
			}
		}
		if why := m.wavers(d.Options, d.now); wavers == "" && why != "" {
			wavers = m.Name + " " + why
		}
	}
	hub := d.suspicion(failing, asked)
	d.still = hub || wavers != ""
	frozen := d.HubSuspects != "" || silent > 0 && (recent || d.still)
	settling := d.settling()
	switch {
	case settling != nil && d.before.Replicas > d.Replicas:
		d.plan.Replicas = d.before.Replicas
		d.holds = true
		d.wake(settling.Since.Add(d.Options.SettleFor))
		d.note(nil, ScaleDownFrozen, "%d replicas were asked for; they stay %d until the demand of member %s, which is back, is counted again", d.Replicas, d.plan.Replicas, settling.Name)
	case frozen && silent == 0 && d.before.Replicas > d.Replicas:
		d.plan.Replicas = d.before.Replicas
		d.note(nil, ScaleDownFrozen, "%d replicas were asked for; they stay %d while the hub suspects itself", d.Replicas, d.plan.Replicas)
	case frozen && d.before.Replicas > d.Replicas:
		d.plan.Replicas = d.before.Replicas
		d.note(nil, ScaleDownFrozen, "%d replicas were asked for; they stay %d while %d of %d members are silent", d.Replicas, d.plan.Replicas, silent, all)
	case wavers != "":
		d.note(nil, ScaleDownFrozen, "nothing is lowered while member %s", wavers)
	}
}

// suspicion says whether most members of this workload, or of all that the hub knows, are silent at once, which is rather the
// hub's failure.
func (d *decision) suspicion(failing, asked int) bool {
	switch {
	case 2*failing > asked:
		d.note(nil, HubSuspectsItself, "%d of %d members are silent: rather the hub is cut off, so nothing is lowered anywhere", failing, asked)
	case d.HubSuspects != "":
		d.note(nil, HubSuspectsItself, "%s", d.HubSuspects)
	default:
		return false
	}
	return true
}

// settling is a member that has been Healthy again for too short a time for its demand to be in the number asked for: the metrics are read anew
// first, and then the HPA looks. nil if there is none. Whether its seats had moved does not matter: its demand was missing all the same.
func (d *decision) settling() *member {
	for _, m := range d.members {
		if d.settles(m) {
			return m
		}
	}
	return nil
}

func (d *decision) settles(m *member) bool {
	return !m.silent() && !m.Drain && d.now.Before(m.Since.Add(d.Options.SettleFor))
}

// adopt keeps what was found at first until as many are asked for, or somebody asks for fewer than before. A higher number
// that is still below what was found is none that anybody has thought of: an HPA begins with its minReplicas.
func (d *decision) adopt() {
	if len(d.before.Members) == 0 && d.before.Adoption == nil {
		d.plan.State.Adoption = &Adoption{Asked: d.Replicas, Until: stamp(d.now.Add(d.Options.AdoptFor))}
	}
	a := d.plan.State.Adoption
	if a == nil {
		return
	}
	found := a.Found
	for _, m := range d.members {
		if !m.silent() && !m.known {
			found += m.Replicas
		}
	}
	if d.Replicas < a.Asked || d.Replicas > a.Asked && d.Replicas >= found || d.Unmeasured == "" && !d.now.Before(a.Until) {
		d.plan.State.Adoption = nil
		return
	}
	d.plan.State.Adoption = &Adoption{Asked: d.Replicas, Found: found, Until: a.Until}
	d.wake(a.Until)
	if found = min(found, MaxReplicas); found > d.plan.Replicas {
		d.plan.Replicas = found
		if !d.now.Before(a.Until) {
			d.note(nil, Adopting, "%d replicas were asked for and %d found: they stay, as %s", d.Replicas, found, d.Unmeasured)
			return
		}
		d.note(nil, Adopting, "%d replicas were asked for and %d found: they stay until as many are asked for, or fewer than now, or until %s",
			d.Replicas, found, a.Until.Format(time.RFC3339))
	}
}

// giveBack lets members that were away have their seats back, step by step.
func (d *decision) giveBack() {
	for _, m := range d.members {
		if !m.kept.Away || m.silent() || m.Drain {
			continue
		}
		if at := m.Since.Add(d.Options.ReturnAfter); d.now.Before(at) && m.moved() {
			d.wake(at)
			d.note(m, Returning, "member %s is healthy again; it gets its replicas back from %s on", m.Name, at.Format(time.RFC3339))
			continue
		}
		m.back = true
	}
	for _, m := range d.members {
		if m.back {
			d.stage(m, d.share(m))
		}
	}
}

// share is what a member would have if all that are back had all their seats.
func (d *decision) share(m *member) int64 {
	return d.seats(d.plan.Replicas, func(m *member) *int64 {
		if m.back {
			return m.Max
		}
		return d.limit(m)
	})[m.Name]
}

// stage gives a member that is back the next of its seats, once it has those of before.
func (d *decision) stage(m *member, share int64) {
	step := max((share*min(max(d.Options.StepPercent, 1), 100)+99)/100, 1)
	next := m.kept.StageSince.Add(d.Options.StepEvery)
	switch {
	case m.kept.StageSince.IsZero():
		m.kept.Stage, m.kept.StageSince = step, stamp(d.now)
	case m.ready() >= m.kept.Stage && !d.now.Before(next):
		m.kept.Stage, m.kept.StageSince = m.kept.Stage+step, stamp(d.now)
	}
	m.kept.Stage = max(m.kept.Stage, m.ready())
	if m.kept.Stage >= share {
		m.kept.Away, m.kept.Stage, m.kept.StageSince, m.back = false, 0, time.Time{}, false
		d.note(m, FailedBack, "member %s has all its %d replicas back", m.Name, share)
		return
	}
	d.wake(m.kept.StageSince.Add(d.Options.StepEvery))
	d.note(m, FailingBack, "member %s has %d of its %d replicas back; more follow when these are ready", m.Name, m.kept.Stage, share)
}
