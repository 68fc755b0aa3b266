// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/bench/federate/wire"
	"github.com/plimsoll/plimsoll/bench/observe"
)

// counters are what the scaler, the hub's API server, the kernel and our own connections have counted at one moment.
type counters struct {
	at         time.Time
	cpuSeconds float64
	waited     time.Duration
	// Of the scaler's own metrics: looks at FederatedScales, requests by the address they went to, and probes by member.
	looks    float64
	requests map[string]float64
	probes   map[string]float64
	// Of the hub's.
	statuses, events float64
	// By member, and the hub's as "".
	wires map[string]wire.Totals
}

func (s *stage) counters(ctx context.Context) (counters, error) {
	c := counters{
		at: time.Now(), cpuSeconds: observe.CPUSeconds(s.hub.ScalerPID(scaler)), waited: observe.CPUPressure(), wires: map[string]wire.Totals{"": s.wire.Totals()},
	}
	for _, m := range s.members {
		c.wires[m.name] = m.wire.Totals()
	}
	text, err := get(ctx, "http://"+s.hub.ScalerAddress(scaler)+"/metrics")
	if err != nil {
		return c, fmt.Errorf("reading the scaler's metrics: %w", err)
	}
	if c.requests, err = observe.SumBy(text, "rest_client_requests_total", "host"); err != nil {
		return c, err
	}
	if c.probes, err = observe.SumBy(text, "plimsoll_member_probe_duration_seconds", "member"); err != nil {
		return c, err
	}
	looks, err := observe.SumBy(text, "controller_runtime_reconcile_total", "controller")
	if err != nil {
		return c, err
	}
	c.looks = looks["federation"]
	raw, err := s.raw.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return c, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	for _, q := range []struct {
		sum    *float64
		labels map[string]string
	}{
		{&c.statuses, map[string]string{"resource": "federatedscales", "subresource": "status", "verb": "PATCH"}},
		{&c.events, map[string]string{"resource": "events", "verb": "POST"}},
		{&c.events, map[string]string{"resource": "events", "verb": "PATCH"}},
	} {
		found, err := observe.Sum(string(raw), "apiserver_request_total", q.labels)
		if err != nil {
			return c, err
		}
		*q.sum += found
	}
	return c, nil
}

func get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// costs are what a step cost for each of the scales that changed. resting is the scaler's use of a core at rest.
func (s *stage) costs(before, after counters, scales int, resting float64) Costs {
	n, cpu := float64(scales), after.cpuSeconds-before.cpuSeconds
	toMembers := 0.0
	for _, m := range s.members {
		address := m.wire.Addr().String()
		toMembers += after.requests[address] - before.requests[address]
	}
	return Costs{
		CPUSeconds: cpu, CPUMilliseconds: 1000 * max(cpu-resting*after.at.Sub(before.at).Seconds(), 0) / n,
		Looks: (after.looks - before.looks) / n, StatusWrites: (after.statuses - before.statuses) / n,
		EventWrites: (after.events - before.events) / n, MemberRequests: toMembers / n,
	}
}

// traffic is the mean per minute of what went between the scaler and some members, of which there must be one; "" is the hub.
func traffic(before, after counters, names, addresses []string) *Traffic {
	scale := 1 / (after.at.Sub(before.at).Minutes() * float64(len(names)))
	t := &Traffic{}
	for i, name := range names {
		w := after.wires[name].Less(before.wires[name])
		t.ReadBytes += float64(w.Sent) * scale
		t.WrittenBytes += float64(w.Received) * scale
		t.Connections += float64(w.Accepted) * scale
		t.Requests += (after.requests[addresses[i]] - before.requests[addresses[i]]) * scale
		t.Probes += (after.probes[name] - before.probes[name]) * scale
	}
	return t
}

// trafficOf is that of one kind of member; nil: there is none.
func (s *stage) trafficOf(kind string, before, after counters) *Traffic {
	var names, addresses []string
	for _, m := range s.members {
		if m.kind() == kind {
			names, addresses = append(names, m.name), append(addresses, m.wire.Addr().String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return traffic(before, after, names, addresses)
}
