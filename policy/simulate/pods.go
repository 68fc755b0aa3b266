// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

// pods are the replicas, oldest first: those that start are at the end, and go first, as a ReplicaSet removes them.
type pods struct {
	readyAt []time.Time
	ready   int
	names   []string
	startup time.Duration
}

// scale adds or removes replicas.
func (p *pods) scale(n int32, now time.Time) {
	for len(p.readyAt) < int(n) {
		p.readyAt = append(p.readyAt, now.Add(p.startup))
	}
	p.readyAt = p.readyAt[:n]
	p.ready = min(p.ready, int(n))
	p.tick(now)
}

// tick makes those ready whose time has come.
func (p *pods) tick(now time.Time) {
	for p.ready < len(p.readyAt) && !p.readyAt[p.ready].After(now) {
		p.ready++
	}
}

func (p *pods) count() int32 { return int32(len(p.readyAt)) }

func (p *pods) name(i int) string {
	for len(p.names) <= i {
		p.names = append(p.names, strconv.Itoa(len(p.names)))
	}
	return p.names[i]
}

// objects are the pods as the HPA sees them.
func (p *pods) objects(m []hpa.Metric, requestMilli int64) []hpa.Pod {
	out := make([]hpa.Pod, len(p.readyAt))
	requests := hpa.Requests{}
	container := "app"
	for _, metric := range m {
		requests[metric.Name] = requestMilli
		if metric.Container != "" {
			container = metric.Container
		}
	}
	containers := []hpa.Container{{Name: container, Requests: requests}}
	for i, at := range p.readyAt {
		out[i] = hpa.Pod{Name: p.name(i), Phase: hpa.PodRunning, Ready: hpa.ReadyFalse, Started: at.Add(-p.startup), ReadySince: at.Add(-p.startup), Containers: containers}
		if i < p.ready {
			out[i].Ready, out[i].ReadySince = hpa.ReadyTrue, at
		}
	}
	return out
}
