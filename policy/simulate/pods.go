// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"slices"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

// pods are the replicas, oldest first: those that start are at the end, and go first, as a ReplicaSet removes them.
type pods struct {
	all     []pod
	ready   int
	names   []string
	startup func(begun time.Time) time.Duration
	pending bool // until they are ready

	remember bool   // those that are gone
	gone     []gone // since the oldest value that may still be read
}

type pod struct{ begun, readyAt time.Time }

// gone is a replica that was removed at a time.
type gone struct{ readyAt, at time.Time }

// scale adds or removes replicas.
func (p *pods) scale(n int32, now time.Time) {
	for len(p.all) < int(n) {
		p.all = append(p.all, pod{now, now.Add(p.startup(now))})
	}
	if p.remember {
		for _, pod := range p.all[n:] {
			p.gone = append(p.gone, gone{pod.readyAt, now})
		}
	}
	p.all = p.all[:n]
	p.ready = min(p.ready, int(n))
	p.tick(now)
}

// tick makes those ready whose time has come.
func (p *pods) tick(now time.Time) {
	for p.ready < len(p.all) && !p.all[p.ready].readyAt.After(now) {
		p.ready++
	}
}

// served is how many replicas were ready at a time, which is no earlier than any it was asked for before, and how many of
// them are still there.
func (p *pods) served(then time.Time) (were, are int) {
	p.gone = slices.DeleteFunc(p.gone, func(g gone) bool { return !g.at.After(then) })
	for are < p.ready && !p.all[are].readyAt.After(then) {
		are++
	}
	were = are
	for _, g := range p.gone {
		if !g.readyAt.After(then) {
			were++
		}
	}
	return were, are
}

func (p *pods) count() int32 { return int32(len(p.all)) }

func (p *pods) name(i int) string {
	for len(p.names) <= i {
		p.names = append(p.names, strconv.Itoa(len(p.names)))
	}
	return p.names[i]
}

// objects are the pods as the HPA sees them.
func (p *pods) objects(m []hpa.Metric, requestMilli int64) []hpa.Pod {
	out := make([]hpa.Pod, len(p.all))
	requests := hpa.Requests{}
	container := "app"
	for _, metric := range m {
		requests[metric.Name] = requestMilli
		if metric.Container != "" {
			container = metric.Container
		}
	}
	containers := []hpa.Container{{Name: container, Requests: requests}}
	starting := hpa.PodRunning
	if p.pending {
		starting = hpa.PodPending
	}
	for i, pod := range p.all {
		out[i] = hpa.Pod{Name: p.name(i), Phase: starting, Ready: hpa.ReadyFalse, Started: pod.begun, ReadySince: pod.begun, Containers: containers}
		if i < p.ready {
			out[i].Phase, out[i].Ready, out[i].ReadySince = hpa.PodRunning, hpa.ReadyTrue, pod.readyAt
		}
	}
	return out
}
