// SPDX-License-Identifier: Apache-2.0

// Package nodegroupstest is a server of node groups for tests and demonstrations: in memory, on loopback, in any generation
// of the externalgrpc protocol, with the habits of real servers and, if asked for, their faults.
package nodegroupstest

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// Generation says which of the protocol's fields the server writes.
type Generation int

// The generations, by the versions of cluster-autoscaler that speak them.
const (
	Newest Generation = iota // 1.35 and later: only the new fields
	Both                     // 1.34
	Oldest                   // up to 1.33: only the old fields
)

// Group is a node group. Its first Ready machines are running, the others up to Target are being created.
type Group struct {
	ID                      string
	Min, Max, Target, Ready int
	Template                *corev1.Node // nil: the server does not implement templates for it
}

// Options are what the server has.
type Options struct {
	Generation Generation
	// Address to listen on, such as that of a server that was stopped; "": any port of 127.0.0.1.
	Address string
	// TLS is the server's side; nil: plaintext. See Authority.
	TLS    *tls.Config
	Groups []Group
	// Create makes a group's new nodes; nil: nothing does. Machines of a group are numbered from 0, and a new node's provider
	// ID should be ProviderID of the group and the next number. When nodes are ready, say so with SetReady. If it fails,
	// the increase does, and the target is what it was.
	Create func(group string, delta int) error
	// NothingOptional: all optional calls are answered with Unimplemented.
	NothingOptional bool
}

// ProviderID is that of a group's n-th machine, counted from 0.
func ProviderID(group string, n int) string { return fmt.Sprintf("test://%s/%d", group, n) }

// Server is a running one. What it answers about sizes is as old as the last Refresh or increase; SetTarget and SetMax
// change what is true.
type Server struct {
	externalgrpc.UnimplementedCloudProviderServer
	options Options
	serving *grpc.Server
	address string
	served  chan struct{}

	growing sync.Mutex // one increase after the other, Create included

	lock   sync.Mutex
	groups []*group
	seen   []Group // as of the last Refresh
	faults map[string]Fault
	ended  bool
}

type group struct {
	Group
	machines []string // provider IDs
	next     int
}

// Start serves until Stop.
func Start(o Options) (*Server, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, address: listener.Addr().String(), served: make(chan struct{}), faults: map[string]Fault{}}
	for _, g := range o.Groups {
		one := &group{Group: g}
		one.add(g.Target)
		s.groups = append(s.groups, one)
	}
	s.refresh()
	options := []grpc.ServerOption{grpc.UnaryInterceptor(s.intercept)}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s.serving = grpc.NewServer(options...)
	externalgrpc.RegisterCloudProviderServer(s.serving, s)
	go func() {
		defer close(s.served)
		_ = s.serving.Serve(listener) // it ends with Stop
	}()
	return s, nil
}

// Stop ends the server and all calls under way.
func (s *Server) Stop() {
	s.serving.Stop()
	<-s.served
}

// Address is host:port.
func (s *Server) Address() string { return s.address }

// Ended says whether somebody has called Cleanup. From then on all calls fail.
func (s *Server) Ended() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.ended
}

// Group is the true state of a group, and whether there is such a one.
func (s *Server) Group(id string) (Group, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if g := s.find(id); g != nil {
		return g.Group, true
	}
	return Group{}, false
}

// SetReady says how many of a group's machines are running.
func (s *Server) SetReady(id string, ready int) {
	s.change(id, func(g *group) { g.Ready = min(ready, g.Target) })
}

// SetMax changes a maximum, as somebody else might.
func (s *Server) SetMax(id string, most int) {
	s.change(id, func(g *group) { g.Max = most })
}

// SetTarget changes a target, as somebody else might.
func (s *Server) SetTarget(id string, target int) {
	s.change(id, func(g *group) { g.resize(target) })
}

func (s *Server) change(id string, do func(*group)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if g := s.find(id); g != nil {
		do(g)
	}
}

func (s *Server) find(id string) *group {
	for _, g := range s.groups {
		if g.ID == id {
			return g
		}
	}
	return nil
}

func (s *Server) refresh() {
	s.seen = s.seen[:0]
	for _, g := range s.groups {
		s.seen = append(s.seen, g.Group)
	}
}

// look is a group as of the last Refresh.
func (s *Server) look(id string) (*Group, error) {
	i := slices.IndexFunc(s.seen, func(g Group) bool { return g.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("node group %q not found", id) // a plain error, as most servers give: code Unknown
	}
	return &s.seen[i], nil
}

func (g *group) add(n int) {
	for range n {
		g.machines = append(g.machines, ProviderID(g.ID, g.next))
		g.next++
	}
}

// resize sets the target; the newest machines go first.
func (g *group) resize(target int) {
	target = max(target, 0)
	g.add(max(target-len(g.machines), 0))
	g.machines = g.machines[:target]
	g.Target, g.Ready = target, min(g.Ready, target)
}
