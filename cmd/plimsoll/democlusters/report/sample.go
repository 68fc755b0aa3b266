// SPDX-License-Identifier: Apache-2.0

// Package report judges what was seen of a workload in several clusters while one of them died and came back. It reads no
// clock and no cluster.
package report

import "time"

// Sample is what the API servers said at one moment.
type Sample struct {
	At      time.Duration // since the day began
	Users   int           // of the divided shop
	Desired int           // replicas that the hub's HPA asks for, in all members together
	Members map[string]Member
	Alone   Shop // the shop of the hub's own cluster, for which no room is held
}

// Member is one member cluster.
type Member struct {
	Answers bool   // its API server answered us; else Replicas, Ready and Nodes are 0
	State   string // what the hub thinks of it: Healthy, Suspect or Failed
	Replicas,
	Ready,
	Nodes int
	Goal int  // its share, as the hub sees it
	Away bool // its replicas have moved and are not all back
	Room int  // what the pods of the reserve hold, in thousandths of a cpu; a replica asks for one
}

// Shop is a workload in one cluster.
type Shop struct{ Desired, Ready int }

// Story is what was done, and when.
type Story struct {
	Names []string // of the members, in the order in which they are shown
	Lost  string   // the one that died
	// Died is when its last process was killed, Back when they were started again, Surge when the users came: since the
	// day began. Began is when the first process was killed.
	Began, Died, Back, Surge time.Duration
	// NodeDelay is how long a new node takes, PodDelay a pod from its node to Ready, Every the time between two samples.
	NodeDelay, PodDelay, Every time.Duration
	ReturnAfter                time.Duration // failover.returnAfter
}

// Run is one whole day.
type Run struct {
	Story
	Samples []Sample
}

// ready is how many replicas are Ready in the members that answer, without one of them.
func (s *Sample) ready(without string) int {
	n := 0
	for name, m := range s.Members {
		if name != without {
			n += m.Ready
		}
	}
	return n
}

// replicas is how many there are in the members that answer, without one of them.
func (s *Sample) replicas(without string) int {
	n := 0
	for name, m := range s.Members {
		if name != without {
			n += m.Replicas
		}
	}
	return n
}

// room is what the reserve holds, in thousandths of a cpu, without one member.
func (s *Sample) room(without string) int {
	n := 0
	for name, m := range s.Members {
		if name != without {
			n += m.Room
		}
	}
	return n
}
