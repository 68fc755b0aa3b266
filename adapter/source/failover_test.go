// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// named is a source that gives the error that it holds.
type named struct {
	name  string
	err   error
	asked int
}

func (n *named) Name() string      { return n.name }
func (n *named) API() http.Handler { return http.NotFoundHandler() }
func (n *named) Instant(context.Context, Query, func(Sample) error) error {
	n.asked++
	return n.err
}

func TestFailover(t *testing.T) {
	a, b, c := &named{name: "a"}, &named{name: "b"}, &named{name: "c"}
	clock := time.Unix(0, 0)
	f := NewFailover(a, b, c)
	f.now = func() time.Time { return clock }
	evaluate := func() error {
		return f.Do(t.Context(), func(ctx context.Context, s Source) error { return s.Instant(ctx, Query{}, nil) })
	}
	asked := func(x, y, z int) {
		t.Helper()
		require.Equal(t, []int{x, y, z}, []int{a.asked, b.asked, c.asked})
		a.asked, b.asked, c.asked = 0, 0, 0
	}
	require.NoError(t, evaluate())
	asked(1, 0, 0)

	for _, cause := range []error{ErrUnreachable, ErrBroken, ErrTimeout, ErrBadAnswer, ErrPartial} {
		*f = Failover{sources: f.sources, now: f.now}
		a.err, b.err = fmt.Errorf("%w: a", cause), fmt.Errorf("%w: b", cause)
		require.NoError(t, evaluate())
		asked(1, 1, 1)
		require.Equal(t, "c", f.Current().Name())
	}
	require.NoError(t, evaluate())
	asked(0, 0, 1) // remembered

	c.err = ErrBroken
	err := evaluate()
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorIs(t, err, ErrPartial, "the other sources' errors are named too")
	asked(1, 1, 1)
	c.err = nil

	clock = clock.Add(retryPreferred)
	require.NoError(t, evaluate())
	asked(1, 1, 1) // still down
	require.NoError(t, evaluate())
	asked(0, 0, 1)
	clock = clock.Add(retryPreferred)
	b.err = nil
	require.NoError(t, evaluate())
	asked(1, 1, 0)
	require.Equal(t, "b", f.Current().Name())
	clock = clock.Add(retryPreferred)
	a.err = nil
	require.NoError(t, evaluate())
	asked(1, 0, 0)
	require.Equal(t, "a", f.Current().Name())
	require.NoError(t, evaluate())
	asked(1, 0, 0)

	for _, cause := range []error{ErrRefused, ErrTooManySeries, context.Canceled} {
		a.err = cause
		require.ErrorIs(t, evaluate(), cause)
		asked(1, 0, 0) // another source would not do better
	}
}

// TestFailoverSharesTheDeadline: a source that hangs leaves time for the next ones.
func TestFailoverSharesTheDeadline(t *testing.T) {
	f := NewFailover(&named{name: "a"}, &named{name: "b"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	end, _ := ctx.Deadline()
	var shares []time.Duration
	err := f.Do(ctx, func(ctx context.Context, _ Source) error {
		d, _ := ctx.Deadline()
		shares = append(shares, end.Sub(d))
		return ErrTimeout
	})
	require.ErrorIs(t, err, ErrTimeout)
	require.Len(t, shares, 2)
	require.InDelta(t, 30*time.Minute, shares[0], float64(time.Minute))
	require.Zero(t, shares[1])
}
