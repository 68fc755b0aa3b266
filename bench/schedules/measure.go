// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/plimsoll/plimsoll/bench/observe"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// rest is how long the scaler is watched while nothing changes.
const rest = 30 * time.Second

// settle is how long after the last status what belongs to a change may still be written: events come in batches.
const settle = 15 * time.Second

// within is how long a change of all schedules may take at most.
const within = 20 * time.Minute

func (s *stage) measure(ctx context.Context) (*Result, error) {
	r := &Result{}
	if err := s.until(ctx, "idle schedules", func() int { return s.seen.saying(v1alpha1.ScheduleIdle, v1alpha1.ScheduleNoTarget) }); err != nil {
		return nil, err
	}
	if left := time.Until(s.begin) - rest; left < 0 {
		return nil, fmt.Errorf("the scaler learned the schedules only %s before their windows begin: this machine is too slow for %d", time.Until(s.begin).Round(time.Second), s.options.HPAs)
	}
	pid := s.stack.ScalerPID(scaler)
	before, waited, from := observe.CPUSeconds(pid), observe.CPUPressure(), time.Now()
	if err := sleep(ctx, rest/2); err != nil {
		return nil, err
	}
	r.RestCPUPercent = 100 * (observe.CPUSeconds(pid) - before) / time.Since(from).Seconds()
	r.BusyPercent = 100 * (observe.CPUPressure() - waited).Seconds() / time.Since(from).Seconds()
	s.say("the scaler rests at %.1f %% of a core and %.0f MiB; the windows begin in %s", r.RestCPUPercent, observe.ResidentMiB(pid), time.Until(s.begin).Round(time.Second))
	active := []string{v1alpha1.ScheduleActive, v1alpha1.ScheduleFloorNotReached}
	if err := s.change(ctx, &r.Begin, s.begin, s.seen.high, active); err != nil {
		return nil, err
	}
	if err := s.change(ctx, &r.End, s.end, s.seen.low, []string{v1alpha1.ScheduleIdle}); err != nil {
		return nil, err
	}
	var err error
	if r.NotGivenBack, err = s.notGivenBack(ctx); err != nil {
		return nil, err
	}
	r.ResidentMiB, r.PeakMiB = observe.ResidentMiB(pid), observe.PeakMiB(pid)
	return r, nil
}

// change watches one change of all schedules.
func (s *stage) change(ctx context.Context, c *Change, due time.Time, times map[types.NamespacedName]time.Time, reasons []string) error {
	if late := time.Since(due); late > -time.Second {
		return fmt.Errorf("the change before took until %s after the next one was due: this machine is too slow for %d", late.Round(time.Second), s.options.HPAs)
	}
	if err := sleep(ctx, time.Until(due)-time.Second); err != nil {
		return err
	}
	pid := s.stack.ScalerPID(scaler)
	before, err := s.counters(ctx)
	if err != nil {
		return err
	}
	if err := s.until(ctx, "right bounds", func() int { return len(s.seen.since(due, times)) }); err != nil {
		return err
	}
	if err := s.until(ctx, "right statuses", func() int { return s.seen.saying(reasons...) }); err != nil {
		return err
	}
	c.StatusSeconds = time.Since(due).Seconds()
	c.CPUSeconds = observe.CPUSeconds(s.stack.ScalerPID(scaler)) - before.cpuSeconds
	all := s.seen.since(due, times)
	c.P50Seconds, c.P99Seconds, c.AllSeconds = all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	after, err := s.counters(ctx)
	if err != nil {
		return err
	}
	if s.stack.ScalerPID(scaler) != pid {
		return fmt.Errorf("all bounds are right after %.1f s, but the scaler ended meanwhile and was started again: this machine is too busy to renew its Lease", c.AllSeconds)
	}
	n := float64(s.options.HPAs)
	c.HPAWritesPerChange, c.HPARefusedPerChange = (after.hpas-before.hpas)/n, (after.refused-before.refused)/n
	c.StatusWritesPerChange, c.EventWritesPerChange = (after.statuses-before.statuses)/n, (after.events-before.events)/n
	s.say("all bounds right after %.1f s, all statuses after %.1f s; %.2f HPA writes per change, %.1f s of CPU", c.AllSeconds, c.StatusSeconds, c.HPAWritesPerChange, c.CPUSeconds)
	return nil
}

// notGivenBack counts the HPAs that are not as their owner has made them.
func (s *stage) notGivenBack(ctx context.Context) (int, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := s.client.List(ctx, &list); err != nil {
		return 0, fmt.Errorf("listing HPAs: %w", err)
	}
	n := 0
	for i := range list.Items {
		owners := list.Items[i].ManagedFields
		if len(list.Items[i].Annotations) > 0 || len(owners) != 1 || owners[0].Manager != owner || owners[0].Operation != s.options.operation() {
			n++
		}
	}
	return n, nil
}

// until waits until a count has reached the number of HPAs.
func (s *stage) until(ctx context.Context, what string, count func() int) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, within, true, func(context.Context) (bool, error) {
		return count() >= s.options.HPAs, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %d of %d after %s: %w", what, count(), s.options.HPAs, within, err)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// counters are what the API server and the kernel have counted.
type counters struct {
	hpas, refused, statuses, events float64
	cpuSeconds                      float64
}

func (s *stage) counters(ctx context.Context) (counters, error) {
	c := counters{cpuSeconds: observe.CPUSeconds(s.stack.ScalerPID(scaler))}
	raw, err := s.raw.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return c, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	text := string(raw)
	const requests = "apiserver_request_total"
	for _, q := range []struct {
		sum    *float64
		labels map[string]string
	}{
		{&c.hpas, map[string]string{"resource": "horizontalpodautoscalers", "verb": "PATCH"}},
		{&c.hpas, map[string]string{"resource": "horizontalpodautoscalers", "verb": "PUT"}},
		{&c.hpas, map[string]string{"resource": "horizontalpodautoscalers", "verb": "APPLY"}},
		{&c.refused, map[string]string{"resource": "horizontalpodautoscalers", "verb": "PATCH", "code": "409"}},
		{&c.statuses, map[string]string{"resource": "scaleschedules", "verb": "PATCH"}},
		{&c.statuses, map[string]string{"resource": "scaleschedules", "verb": "PUT"}},
		{&c.events, map[string]string{"resource": "events", "verb": "POST"}},
		{&c.events, map[string]string{"resource": "events", "verb": "PATCH"}},
	} {
		found, err := observe.Sum(text, requests, q.labels)
		if err != nil {
			return c, err
		}
		*q.sum += found
	}
	return c, nil
}
