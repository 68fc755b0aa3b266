// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason is why something could not be read or done.
type Reason string

// The reasons.
const (
	Unimplemented Reason = "Unimplemented" // the server does not have this call
	AtMaximum     Reason = "AtMaximum"     // the group may have no more nodes
	Refused       Reason = "Refused"       // the server answered with an error
	TimedOut      Reason = "TimedOut"      // no answer came in time: whether the server acted is not known
	Unreachable   Reason = "Unreachable"   // no connection, or the other side's certificate is not trusted
	Changed       Reason = "Changed"       // the target is not the expected one, so nothing was done
	Invalid       Reason = "Invalid"       // our own request or the server's answer makes no sense
)

// Error is why something could not be read or done, in one sentence.
type Error struct {
	Reason Reason
	text   string
	err    error
}

// Error is the sentence.
func (e *Error) Error() string { return e.text }

// Unwrap is the cause, such as gRPC's error; it may be nil.
func (e *Error) Unwrap() error { return e.err }

// ReasonOf is the reason of an error of this package, "" of others.
func ReasonOf(err error) Reason {
	if e, is := errors.AsType[*Error](err); is {
		return e.Reason
	}
	return ""
}

func invalid(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Invalid, err.Error(), errors.Unwrap(err)}
}

// classify says what an error of a call means. givenUp: by the caller, before the call's own time-out.
func (c *Client) classify(err error, method, group string, givenUp bool) *Error {
	if group != "" {
		method += fmt.Sprintf(" of group %q", group)
	}
	e := &Error{err: err}
	said := status.Convert(err)
	switch {
	case said.Code() == codes.Unimplemented:
		e.Reason, e.text = Unimplemented, fmt.Sprintf("the node group server %s does not implement %s", c.address, method)
	case said.Code() == codes.DeadlineExceeded && !givenUp:
		e.Reason, e.text = TimedOut, fmt.Sprintf("the node group server %s did not answer %s within %v", c.address, method, c.timeout)
	case said.Code() == codes.DeadlineExceeded || said.Code() == codes.Canceled:
		e.Reason, e.text = TimedOut, fmt.Sprintf("%s at the node group server %s was given up before an answer came", method, c.address)
	case said.Code() == codes.Unavailable:
		e.Reason, e.text = Unreachable, fmt.Sprintf("the node group server %s cannot be reached for %s; check its address, that it runs, "+
			"and that each side trusts the other's certificate: %s", c.address, method, oneLine(said.Message()))
	default:
		e.Reason, e.text = Refused, fmt.Sprintf("the node group server %s refused %s (%s): %s", c.address, method, said.Code(), oneLine(said.Message()))
	}
	return e
}

// full says whether a server's error means that the group may have no more nodes. Most servers wrap one of
// cluster-autoscaler's providers, which have no code for it but this text.
func full(err error) bool {
	said := status.Convert(err)
	return said.Code() == codes.OutOfRange || said.Code() == codes.ResourceExhausted ||
		strings.Contains(said.Message(), "size increase too large")
}

// longest is how much of a server's message is passed on, in bytes.
const longest = 300

// oneLine is a server's message in a form that fits into a sentence.
func oneLine(message string) string {
	message = strings.Join(strings.Fields(strings.ToValidUTF8(message, "?")), " ")
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "..."
	}
	return message
}
