// SPDX-License-Identifier: Apache-2.0

// Package newnodes knows what nodes the node groups of a member cluster may still add, and which pods would run on them. It
// reads and does not grow.
//
// One asks the servers (a Server, by package headroom, which also grows the groups); what they may add is passed on as an
// Offer, which does not change.
package newnodes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
)

// RegisterWithin is how long a machine may take to become a Ready node before it counts as failed.
const RegisterWithin = 15 * time.Minute

// Secrets are those with the credentials of node group servers.
type Secrets struct {
	Reader    client.Reader
	Namespace string
}

// credentials are those for a server; without a Secret there are none.
func (s Secrets) credentials(ctx context.Context, spec *v1alpha1.MemberNodeGroups) (nodegroups.TLS, error) {
	if spec.SecretRef == nil {
		return nodegroups.TLS{}, nil
	}
	secret := &corev1.Secret{}
	if err := s.Reader.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: spec.SecretRef.Name}, secret); err != nil {
		return nodegroups.TLS{}, fmt.Errorf("the credentials of its node group server cannot be read from Secret %s/%s: %w", s.Namespace, spec.SecretRef.Name, err)
	}
	return nodegroups.TLS{CA: secret.Data["ca.crt"], Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]}, nil
}

// Server is a member's node group server with what it said last. One at a time may use it. What it remembers may be lost.
type Server struct {
	client  *nodegroups.Client
	address string
	list    []nodegroups.Group // by ID; never changed in place, as it is passed on
	err     error              // why the last question was not answered
	asked   time.Time
	waiting map[string]waiting // by group
}

// waiting is since when a number of a group's nodes has been on its way.
type waiting struct {
	nodes int
	since time.Time
}

// Dial makes a client of a server. It does not connect yet.
func Dial(ctx context.Context, secrets Secrets, spec *v1alpha1.MemberNodeGroups) (*Server, error) {
	return dial(ctx, secrets, spec, nodegroups.DefaultTimeout)
}

// dial is Dial with a time-out of each call.
func dial(ctx context.Context, secrets Secrets, spec *v1alpha1.MemberNodeGroups, timeout time.Duration) (*Server, error) {
	tls, err := secrets.credentials(ctx, spec)
	if err != nil {
		return nil, err
	}
	c, err := nodegroups.Dial(nodegroups.Options{Address: spec.Address, TLS: tls, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	return &Server{client: c, address: spec.Address, waiting: map[string]waiting{}}, nil
}

// Is says whether it is the server at the spec's address.
func (s *Server) Is(spec *v1alpha1.MemberNodeGroups) bool { return s.address == spec.Address }

// Renew goes on with the credentials that there are now.
func (s *Server) Renew(ctx context.Context, secrets Secrets, spec *v1alpha1.MemberNodeGroups) error {
	tls, err := secrets.credentials(ctx, spec)
	if err != nil {
		return err
	}
	return s.client.Rotate(tls)
}

// Client talks to the server.
func (s *Server) Client() *nodegroups.Client { return s.client }

// Failing says whether the last question was not answered.
func (s *Server) Failing() bool { return s.err != nil }

// Awaits says whether nodes were on their way when it was last read, or have been asked for since: until it is read again,
// those that have come meanwhile count twice.
func (s *Server) Awaits(now time.Time) bool {
	for _, w := range s.waiting {
		if w.nodes > 0 && now.Sub(w.since) < RegisterWithin {
			return true
		}
	}
	return false
}

// Close ends the connection.
func (s *Server) Close() { _ = s.client.Close() } // nothing can be done about it

// Read returns what there is. The server is asked unless it answered within a time. The member's nodes say which machines
// have become some: one that has registered and is not Ready yet is still on its way.
func (s *Server) Read(ctx context.Context, nodes *capacity.Snapshot, fresh time.Duration, now time.Time) (*Groups, error) {
	if age := now.Sub(s.asked); s.asked.IsZero() || age < 0 || age >= fresh {
		s.list, s.err = s.client.Groups(ctx)
		s.asked = now
		slices.SortFunc(s.list, func(a, b nodegroups.Group) int { return cmp.Compare(a.ID, b.ID) })
	}
	if s.err != nil {
		return nil, s.err
	}
	g := newGroups(s.list, s.asked)
	s.await(g, nodes, now)
	return g, nil
}

// await finds out how many nodes are on their way, and which have been for too long.
func (s *Server) await(g *Groups, nodes *capacity.Snapshot, now time.Time) {
	there := map[string]bool{}
	for n := range nodes.Objects() {
		if capacity.Ready(n) || now.Sub(n.CreationTimestamp.Time) >= RegisterWithin {
			there[n.Spec.ProviderID] = true
		}
	}
	left := map[string]waiting{}
	for _, one := range g.List {
		pending := one.Pending(func(id string) bool { return there[id] })
		if one.Err != nil {
			pending = 0
		}
		was, known := s.waiting[one.ID]
		if !known || pending != was.nodes {
			was = waiting{pending, now} // some came, or more were asked for
		}
		left[one.ID] = was
		stuck := 0
		if pending > 0 && now.Sub(was.since) >= RegisterWithin {
			pending, stuck = 0, pending
		}
		g.Pending, g.Stuck = append(g.Pending, pending), append(g.Stuck, stuck)
	}
	s.waiting = left
}

// Grew notes that a group has another target, and so many nodes on their way.
func (s *Server) Grew(group string, target, pending int, now time.Time) {
	s.list = slices.Clone(s.list)
	for i := range s.list {
		if s.list[i].ID == group {
			s.list[i].Target = target
		}
	}
	s.waiting = maps.Clone(s.waiting)
	s.waiting[group] = waiting{pending, now}
}
