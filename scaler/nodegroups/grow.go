// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"context"
	"fmt"
	"slices"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// Effect is what became of an attempt to grow a group.
type Effect string

// The effects.
const (
	// Took: the target is what was asked for.
	Took Effect = "Took"
	// None: nothing was asked of the server, or it answered with an error and the target is what it was.
	None Effect = "None"
	// Unclear: no answer came and the target is not, or not yet, what was asked for; or it cannot be read. The server may
	// still act: look at the target again, no sooner than its slowest action takes, before growing the group again.
	Unclear Effect = "Unclear"
)

// Growth is what became of an attempt to grow a group.
type Growth struct {
	Effect Effect
	Target int // the last one known
	// Doubt is the call's error if the group grew all the same.
	Doubt error
}

// Grow raises a group's target by delta nodes, above 0, if the target still is the expected one and the maximum allows it.
// It waits for the server, not for the nodes.
//
// The protocol knows increases only, so one that is repeated counts twice, and servers often take longer to answer than a
// call may last. So after any error the target is read again, and Growth says whether the group grew; if it did, there is
// no error. Grow never repeats an increase.
func (c *Client) Grow(ctx context.Context, id string, delta, expectedTarget int) (Growth, error) {
	if delta <= 0 {
		return Growth{Effect: None}, invalid("node group %q cannot grow by %d: groups only grow here", id, delta)
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Growth{Effect: None}, &Error{TimedOut, fmt.Sprintf("growing node group %q was given up while another one grew", id), ctx.Err()}
	}
	target, err := c.mayGrow(ctx, id, delta, expectedTarget)
	if err != nil {
		return Growth{Effect: None, Target: target}, err
	}
	err = c.call(ctx, "NodeGroupIncreaseSize", id, func(ctx context.Context, server externalgrpc.CloudProviderClient) error {
		_, err := server.NodeGroupIncreaseSize(ctx, &externalgrpc.NodeGroupIncreaseSizeRequest{Id: id, Delta: int32(delta)})
		return err
	})
	if err == nil {
		return Growth{Effect: Took, Target: target + delta}, nil
	}
	return c.settle(ctx, id, target, delta, err)
}

// mayGrow returns the target, and an error if the group may not grow from there.
func (c *Client) mayGrow(ctx context.Context, id string, delta, expected int) (int, error) {
	groups, err := c.list(ctx)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(groups, func(g Group) bool { return g.ID == id })
	if i < 0 {
		return 0, &Error{Refused, fmt.Sprintf("the node group server %s has no group %q", c.address, id), nil}
	}
	g := groups[i]
	if g.Err != nil {
		return 0, g.Err
	}
	target, err := c.target(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case target != expected:
		return target, &Error{Changed, fmt.Sprintf("node group %q has a target of %d nodes, and %d were expected: it is not grown, "+
			"because somebody else changed it or an earlier call took effect late", id, target, expected), nil}
	case delta > g.Max-target: // not the sum, which could overflow
		return target, &Error{AtMaximum, fmt.Sprintf("node group %q has a target of %d nodes and a maximum of %d: it cannot grow by %d",
			id, target, g.Max, delta), nil}
	}
	return target, nil
}

// settle finds out what became of an increase that ended in an error, even if the caller has given up meanwhile.
func (c *Client) settle(ctx context.Context, id string, before, delta int, failed error) (Growth, error) {
	ctx = context.WithoutCancel(ctx)
	err := c.refresh(ctx)
	target := 0
	if err == nil {
		target, err = c.target(ctx, id)
	}
	answered := ReasonOf(failed) == Refused || ReasonOf(failed) == Unimplemented
	switch {
	case err != nil:
		return Growth{Effect: Unclear, Target: before}, fmt.Errorf("whether node group %q grew by %d from %d is not known: %w; and then: %w",
			id, delta, before, failed, err)
	case target == before+delta:
		return Growth{Effect: Took, Target: target, Doubt: failed}, nil
	case target == before && answered && full(failed):
		return Growth{Effect: None, Target: target}, &Error{AtMaximum, fmt.Sprintf("node group %q takes no more nodes: %v", id, failed), failed}
	case target == before && answered:
		return Growth{Effect: None, Target: target}, failed
	}
	return Growth{Effect: Unclear, Target: target}, fmt.Errorf("node group %q was to grow by %d from %d and has a target of %d; it may still grow: %w",
		id, delta, before, target, failed)
}
