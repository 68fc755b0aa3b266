// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// retryPreferred is how long another source stays in use before a preferred one is tried again.
const retryPreferred = 30 * time.Second

// Failover asks several sources in the order of preference, until one answers. Safe for concurrent use.
type Failover struct {
	sources []Source
	now     func() time.Time

	mu      sync.Mutex
	current int       // the source that answered last
	retry   time.Time // when the preferred ones are tried again, if current is not the first
}

// NewFailover returns a failover over at least one source, the preferred one first.
func NewFailover(first Source, others ...Source) *Failover {
	return &Failover{sources: append([]Source{first}, others...), now: time.Now}
}

// Do calls try with one source after the other until try succeeds, or fails in a way that another source would not
// cure (ErrRefused, ErrTooManySeries, the caller's own cancellation, any error that is not of this package). Each try
// begins anew: whatever an earlier one collected must be thrown away. If ctx has a deadline, each try gets an equal
// share of what is left. The error names what each try met.
func (f *Failover) Do(ctx context.Context, try func(context.Context, Source) error) error {
	var failed error
	order := f.order()
	for i, at := range order {
		err := f.once(ctx, f.sources[at], len(order)-i, try)
		if err == nil {
			f.answered(at)
			return nil
		}
		if failed == nil {
			failed = err
		} else {
			failed = fmt.Errorf("%w; %w", failed, err)
		}
		if !curable(err) || ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (f *Failover) once(ctx context.Context, s Source, left int, try func(context.Context, Source) error) error {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	return try(ctx, s)
}

// curable says whether another source may do better.
func curable(err error) bool {
	for _, cause := range []error{ErrUnreachable, ErrBroken, ErrTimeout, ErrBadAnswer, ErrPartial} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// order is in which order the sources are tried now: the one that answered last first, unless it is time to see
// whether a preferred one is back.
func (f *Failover) order() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	order := make([]int, 0, len(f.sources))
	if f.current > 0 && f.now().Before(f.retry) {
		order = append(order, f.current)
	} else if f.current > 0 {
		f.retry = f.now().Add(retryPreferred) // one evaluation finds out; the others go on meanwhile
	}
	for i := range f.sources {
		if len(order) == 0 || i != order[0] {
			order = append(order, i)
		}
	}
	return order
}

func (f *Failover) answered(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at != f.current {
		f.current, f.retry = at, f.now().Add(retryPreferred)
	}
}

// Current is the source that answered last; before any has, the preferred one.
func (f *Failover) Current() Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sources[f.current]
}

// API is the API of the source that answered last.
func (f *Failover) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.Current().API().ServeHTTP(w, r)
	})
}
