// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/bench/observe"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

const (
	// poll is how often it is looked whether a step is done. When something happened is known more exactly.
	poll = 50 * time.Millisecond
	// afterwards is how long what belongs to a step may still be written: events come in batches.
	afterwards = 5 * time.Second
	// calm is how long after the first division the scaler is left alone before it is watched at rest.
	calm = 20 * time.Second
)

// measure goes through the steps, and checks at the end that everything is as it should be.
func (s *stage) measure(ctx context.Context, r *Result) error {
	pid := s.hub.ScalerPID(scaler)
	settled, err := s.settle(ctx, r)
	if err != nil {
		return err
	}
	if err := s.idle(ctx, &r.Idle); err != nil {
		return err
	}
	resting := r.Idle.CPUPercent / 100
	r.Settle.Costs = s.costs(settled[0], settled[1], s.options.Scales, resting)
	if r.Changes, err = s.changes(ctx, resting); err != nil {
		return err
	}
	if err := s.hang(ctx, &r.Hang); err != nil {
		return err
	}
	victim, err := s.fail(ctx, &r.Failure, resting)
	if err != nil {
		return err
	}
	if now := s.hub.ScalerPID(scaler); now != pid {
		return errors.New("the scaler ended meanwhile and was started again: this machine is too busy to renew its Lease")
	}
	r.ResidentMiB, r.PeakMiB = observe.ResidentMiB(pid), observe.PeakMiB(pid)
	return s.check(ctx, victim)
}

// until polls until a condition holds.
func (s *stage) until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Within)
	defer cancel()
	for {
		is, err := holds()
		if err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w; %d scales have not got their numbers; the hub says %s", what, ctx.Err(), s.numbers.waiting(), s.said.summary())
		case <-time.After(poll):
		}
	}
}

// written waits until every scale that is waited for has its numbers.
func (s *stage) written(ctx context.Context) error {
	return s.until(ctx, "all numbers are in the members", func() (bool, error) { return s.numbers.waiting() == 0, nil })
}

// divided waits until scales say that they are.
func (s *stage) divided(ctx context.Context, keys []types.NamespacedName, replicas int32) error {
	return s.until(ctx, fmt.Sprintf("%d scales say that %d replicas are divided and Ready", len(keys), replicas), func() (bool, error) {
		return s.said.divided(keys, replicas) == len(keys), nil
	})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func keysOf(scales []int) []types.NamespacedName {
	keys := make([]types.NamespacedName, len(scales))
	for i, scale := range scales {
		keys[i] = scaleKey(scale)
	}
	return keys
}

func everyone(types.NamespacedName) bool { return true }

// settle makes the FederatedScales once all members are Healthy.
func (s *stage) settle(ctx context.Context, r *Result) ([2]counters, error) {
	var c [2]counters
	err := s.until(ctx, "all members are Healthy", func() (bool, error) { return s.said.are(v1alpha1.MemberHealthy) == len(s.members), nil })
	if err != nil {
		return c, err
	}
	r.Settle.HealthySeconds = time.Since(s.began).Seconds()
	s.say("all %d members are Healthy after %.1f s; making %d FederatedScales over %d clusters each", len(s.members), r.Settle.HealthySeconds, s.options.Scales, s.options.PerScale)
	if c[0], err = s.counters(ctx); err != nil {
		return c, err
	}
	began, all := time.Now(), upTo(s.options.Scales)
	err = each(ctx, all, func(ctx context.Context, i int) error {
		s.numbers.aim(scaleKey(i), aim{total: s.options.asked(), sent: time.Now()})
		return s.client.Create(ctx, s.federatedScale(i))
	})
	if err != nil {
		return c, fmt.Errorf("making FederatedScales: %w", err)
	}
	if err := s.written(ctx); err != nil {
		return c, err
	}
	r.Settle.WrittenSeconds = time.Since(began).Seconds()
	if err := s.divided(ctx, keysOf(all), s.options.asked()); err != nil {
		return c, err
	}
	r.Settle.ReadySeconds = time.Since(began).Seconds()
	if err := pause(ctx, afterwards); err != nil {
		return c, err
	}
	if c[1], err = s.counters(ctx); err != nil {
		return c, err
	}
	s.numbers.forget()
	for _, key := range keysOf(all) {
		s.numbers.floor(key, s.options.asked())
	}
	s.say("all is divided and Ready after %.1f s", r.Settle.ReadySeconds)
	return c, nil
}

func (s *stage) federatedScale(i int) *v1alpha1.FederatedScale {
	key := scaleKey(i)
	scale := &v1alpha1.FederatedScale{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec:       v1alpha1.FederatedScaleSpec{Replicas: new(s.options.asked()), Mode: v1alpha1.ModeEnforce},
	}
	// On a slow machine a hang is long enough for a failover, whose way back would take minutes by default.
	scale.Spec.Failover.ReturnAfter = &metav1.Duration{Duration: returnAfter}
	for _, m := range s.spread[i] {
		scale.Spec.Clusters = append(scale.Spec.Clusters, v1alpha1.FederatedCluster{Name: s.members[m].name})
	}
	return scale
}

// idle watches while nothing changes.
func (s *stage) idle(ctx context.Context, r *Idle) error {
	if err := pause(ctx, calm); err != nil {
		return err
	}
	before, err := s.counters(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, s.options.Idle); err != nil {
		return err
	}
	after, err := s.counters(ctx)
	if err != nil {
		return err
	}
	took := after.at.Sub(before.at)
	pid := s.hub.ScalerPID(scaler)
	*r = Idle{
		Seconds: took.Seconds(), CPUPercent: 100 * (after.cpuSeconds - before.cpuSeconds) / took.Seconds(),
		ResidentMiB: observe.ResidentMiB(pid), PeakMiB: observe.PeakMiB(pid), LooksPerMinute: (after.looks - before.looks) / took.Minutes(),
		BusyPercent: 100 * (after.waited - before.waited).Seconds() / took.Seconds(),
		RealMember:  s.trafficOf("real", before, after), StubbedMember: s.trafficOf("stubbed", before, after),
		Hub: *traffic(before, after, []string{""}, []string{s.wire.Addr().String()}),
	}
	s.say("at rest the scaler uses %.1f %% of a core and %.0f MiB", r.CPUPercent, r.ResidentMiB)
	return nil
}

// changes raise and lower one scale at a time, a hundred at once, and all.
func (s *stage) changes(ctx context.Context, resting float64) ([]Change, error) {
	const single, some = 5, 100
	var ones [][]int
	for i := range min(single, s.options.Scales) {
		ones = append(ones, []int{i * s.options.Scales / single})
	}
	kinds := [][][]int{ones, {upTo(s.options.Scales)}}
	if s.options.Scales > some {
		hundred := upTo(some)
		for i := range hundred {
			hundred[i] = i * s.options.Scales / some
		}
		kinds = [][][]int{ones, {hundred}, {upTo(s.options.Scales)}}
	}
	var all []Change
	for _, rounds := range kinds {
		for _, way := range [][2]int32{{s.options.asked(), s.options.raised()}, {s.options.raised(), s.options.asked()}} {
			one, err := s.change(ctx, rounds, way[0], way[1], resting)
			if err != nil {
				return all, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// change changes the scales of each round at once, one round after the other.
func (s *stage) change(ctx context.Context, rounds [][]int, from, to int32, resting float64) (Change, error) {
	c := Change{Scales: len(rounds[0]), Rounds: len(rounds), From: from, To: to}
	before, err := s.counters(ctx)
	if err != nil {
		return c, err
	}
	var took []float64
	changed := 0
	for _, scales := range rounds {
		began := time.Now()
		for _, key := range keysOf(scales) {
			s.numbers.floor(key, min(from, to))
		}
		if err := s.send(ctx, scales, to, aim{total: to, lower: to < from}); err != nil {
			return c, err
		}
		c.SentSeconds += time.Since(began).Seconds() / float64(len(rounds))
		if err := s.written(ctx); err != nil {
			return c, err
		}
		if err := s.divided(ctx, keysOf(scales), to); err != nil {
			return c, err
		}
		c.StatusSeconds += time.Since(began).Seconds() / float64(len(rounds))
		took, changed = append(took, s.numbers.took(everyone)...), changed+len(scales)
		s.numbers.forget()
		for _, key := range keysOf(scales) {
			s.numbers.floor(key, to)
		}
	}
	if err := pause(ctx, afterwards); err != nil {
		return c, err
	}
	after, err := s.counters(ctx)
	if err != nil {
		return c, err
	}
	c.Times = timesOf(took)
	if costs := s.costs(before, after, changed, resting); c.Rounds == 1 {
		c.Costs = &costs
	}
	s.say("%d scales from %d to %d: in all members after %.2f s at the latest, half after %.2f s", c.Scales, from, to, c.MaxSeconds, c.P50Seconds)
	return c, nil
}

// send gives the hub a new number for some scales, and begins to wait for the members to have it.
func (s *stage) send(ctx context.Context, scales []int, replicas int32, a aim) error {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas))
	err := each(ctx, scales, func(ctx context.Context, i int) error {
		key, one := scaleKey(i), a
		one.sent = time.Now()
		s.numbers.aim(key, one)
		scale := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		return s.client.Patch(ctx, scale, patch)
	})
	if err != nil {
		return fmt.Errorf("changing FederatedScales: %w", err)
	}
	return nil
}

// sharing are the scales that have a member, and the others.
func (s *stage) sharing(member int) (shared, others []int) {
	for i, members := range s.spread {
		has := false
		for _, m := range members {
			has = has || m == member
		}
		if has {
			shared = append(shared, i)
		} else {
			others = append(others, i)
		}
	}
	return shared, others
}

// among says whether a scale is one of some.
func among(scales []int) func(types.NamespacedName) bool {
	is := map[types.NamespacedName]bool{}
	for _, key := range keysOf(scales) {
		is[key] = true
	}
	return func(key types.NamespacedName) bool { return is[key] }
}

// hang raises all scales while the last member, a stub if there are any, accepts connections and never answers.
func (s *stage) hang(ctx context.Context, r *Hang) error {
	last := len(s.members) - 1
	m, to := s.members[last], s.options.raised()
	shared, others := s.sharing(last)
	m.wire.Hold()
	defer m.wire.Release()
	// The other members of a scale shall have one more each, whatever becomes of this one.
	rest := to / int32(s.options.PerScale) * int32(s.options.PerScale-1)
	sent := make(chan error, 1)
	go func() { sent <- s.send(ctx, others, to, aim{total: to}) }()
	err := s.send(ctx, shared, to, aim{total: rest, without: m.name})
	if err = errors.Join(err, <-sent); err != nil {
		return err
	}
	if err := s.written(ctx); err != nil {
		return err
	}
	*r = Hang{Scales: s.options.Scales, Others: timesOf(s.numbers.took(among(others))), Shared: timesOf(s.numbers.took(among(shared)))}
	m.wire.Release()
	began := time.Now()
	s.say("with a member that hangs: all others have their numbers after %.2f s at the latest, half after %.2f s", r.Others.MaxSeconds, r.Others.P50Seconds)
	s.numbers.forget()
	if err := s.divided(ctx, keysOf(upTo(s.options.Scales)), to); err != nil {
		return err
	}
	r.BackSeconds = time.Since(began).Seconds()
	for _, key := range keysOf(upTo(s.options.Scales)) {
		s.numbers.floor(key, to)
	}
	return s.until(ctx, "all members are Healthy", func() (bool, error) { return s.said.are(v1alpha1.MemberHealthy) == len(s.members), nil })
}

// fail ends the first member, a real one if there are any, and returns it.
func (s *stage) fail(ctx context.Context, r *Failure, resting float64) (*member, error) {
	m, to := s.members[0], s.options.raised()
	shared, _ := s.sharing(0)
	r.Kind, r.Scales = m.kind(), len(shared)
	before, err := s.counters(ctx)
	if err != nil {
		return m, err
	}
	began := time.Now()
	for _, key := range keysOf(shared) {
		s.numbers.aim(key, aim{total: to, without: m.name, sent: began})
	}
	s.numbers.leave(m.name, keysOf(shared))
	if err := m.die(ctx); err != nil {
		return m, fmt.Errorf("ending member %s: %w", m.name, err)
	}
	s.say("member %s has ended", m.name)
	if err := s.written(ctx); err != nil {
		return m, err
	}
	failed := s.said.turnedAt(m.name, v1alpha1.MemberFailed)
	due := failed.since.Add(moveAfter)
	if due.Before(failed.seen) {
		due = failed.seen
	}
	r.FailedSeconds, r.DueSeconds = failed.seen.Sub(began).Seconds(), due.Sub(began).Seconds()
	r.FromFailed = timesOf(s.numbers.since(everyone, func(*aim) time.Time { return failed.seen }))
	r.FromDue = timesOf(s.numbers.since(everyone, func(*aim) time.Time { return due }))
	err = s.until(ctx, "the other members have as many Ready as before", func() (bool, error) {
		return s.said.moved(keysOf(shared), to) == len(shared), nil
	})
	if err != nil {
		return m, err
	}
	r.ReadySeconds = time.Since(due).Seconds()
	if err := pause(ctx, afterwards); err != nil {
		return m, err
	}
	after, err := s.counters(ctx)
	if err != nil {
		return m, err
	}
	r.Costs = s.costs(before, after, len(shared), resting)
	s.say("failed after %.1f s, its %d scales moved within %.2f s of when they might", r.FailedSeconds, len(shared), r.FromDue.MaxSeconds)
	return m, nil
}

const (
	// moveAfter is failover.after where nothing is said.
	moveAfter = time.Minute
	// returnAfter is failover.returnAfter of all scales.
	returnAfter = 10 * time.Second
)

// check says what is wrong in the end: a number in a member, too few at any time, or a request that a stub did not know.
func (s *stage) check(ctx context.Context, gone *member) error {
	keys, now := keysOf(upTo(s.options.Scales)), newNumbers()
	var wrong []string
	for _, m := range s.members {
		if m == gone {
			continue
		}
		replicas, err := m.replicas(ctx, keys)
		if err != nil {
			return fmt.Errorf("reading the numbers of member %s: %w", m.name, err)
		}
		for key, n := range replicas {
			now.see(m.name, key, n, time.Now())
		}
		if m.stub != nil && len(m.stub.Unserved()) > 0 {
			wrong = append(wrong, fmt.Sprintf("the stub %s was asked for what it does not serve: %s", m.name, m.stub.Unserved()[0]))
		}
	}
	wrong = append(append(wrong, s.numbers.fell()...), now.wrong(keys, s.options.raised(), "")...)
	if len(wrong) == 0 {
		return nil
	}
	const most = 5
	return fmt.Errorf("%d results are wrong, such as: %s", len(wrong), strings.Join(wrong[:min(len(wrong), most)], "; "))
}
