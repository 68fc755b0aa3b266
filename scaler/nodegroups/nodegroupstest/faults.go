// SPDX-License-Identifier: Apache-2.0

package nodegroupstest

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fault is what is wrong with a group or the server.
type Fault string

// The faults.
const (
	Healthy     Fault = ""
	Hangs       Fault = "Hangs"       // no call is answered, and nothing is done
	PlainErrors Fault = "PlainErrors" // every call fails with an error without a code, so with Unknown
	// The others concern increases only.
	Refuses       Fault = "Refuses"       // nothing is done
	AtMaximum     Fault = "AtMaximum"     // the cloud's own limit is lower than the group's
	IncreaseHangs Fault = "IncreaseHangs" // nothing is done, and no answer comes
	NoMaximum     Fault = "NoMaximum"     // it is done even above the maximum
	// After these the server itself learns only with the next Refresh what it did.
	ActsAndFails Fault = "ActsAndFails" // it is done, and an error is the answer
	ActsAndHangs Fault = "ActsAndHangs" // it is done, and no answer comes
	ActsLate     Fault = "ActsLate"     // it is done when the caller has given up
)

// Fail makes a group, or with "" all that has to do with none or no fault of its own, behave badly. Calls that hang already
// go on hanging.
func (s *Server) Fail(group string, f Fault) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.faults[group] = f
}

func (s *Server) fault(group string) Fault {
	s.lock.Lock()
	defer s.lock.Unlock()
	if f := s.faults[group]; f != Healthy {
		return f
	}
	return s.faults[""]
}

var errPlain = errors.New("something went wrong in the cloud")

// intercept stands before every call.
func (s *Server) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if s.Ended() {
		return nil, errors.New("the cloud provider was cleaned up")
	}
	group := ""
	if r, has := request.(interface{ GetId() string }); has {
		group = r.GetId()
	}
	switch s.fault(group) {
	case Hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case PlainErrors:
		return nil, errPlain
	}
	return handle(ctx, request)
}

// increase raises a target as the group's fault lets it.
func (s *Server) increase(ctx context.Context, id string, delta int) error {
	fault := s.fault(id)
	switch fault {
	case Refuses:
		return status.Error(codes.FailedPrecondition, "the cloud does not let us")
	case AtMaximum:
		return errTooLarge
	case IncreaseHangs:
		<-ctx.Done()
		return ctx.Err()
	case ActsLate:
		<-ctx.Done()
	}
	if err := s.grow(id, delta, fault); err != nil {
		return err
	}
	switch fault {
	case ActsAndFails:
		return errPlain
	case ActsAndHangs, ActsLate:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}
