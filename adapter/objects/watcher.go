// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// watcher keeps the index of one resource up to date.
type watcher struct {
	resource schema.GroupVersionResource
	index    *Index
	started  time.Time
	lastUsed atomic.Int64 // Unix nanoseconds
	failure  atomic.Pointer[failure]
	stop     context.CancelFunc
}

// failure is the last error of list or watch, nil error if the last call went well.
type failure struct {
	err  error
	done chan struct{} // closed when a later call has another result
}

func startWatcher(ctx context.Context, client metadata.Interface, resource schema.GroupVersionResource) *watcher {
	ctx, stop := context.WithCancel(ctx)
	w := &watcher{resource: resource, index: NewIndex(), started: time.Now(), stop: stop}
	w.failure.Store(&failure{done: make(chan struct{})})
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := client.Resource(resource).List(ctx, o)
			w.note(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			events, err := client.Resource(resource).Watch(ctx, o)
			w.note(err)
			return events, err
		},
	}
	reflector := cache.NewReflectorWithOptions(
		cache.ToListWatcherWithWatchListSemantics(lw, client), &metav1.PartialObjectMetadata{}, store{w.index},
		cache.ReflectorOptions{Name: "objects/" + resource.GroupResource().String(), TypeDescription: resource.String()})
	go reflector.RunWithContext(ctx)
	return w
}

func (w *watcher) note(err error) {
	old := w.failure.Load()
	if (err == nil) == (old.err == nil) && err == nil {
		return
	}
	w.failure.Store(&failure{err: err, done: make(chan struct{})})
	close(old.done)
}

// wait returns nil once the index holds a complete list. It gives up when the list is refused for good, or at the deadline.
func (w *watcher) wait(ctx context.Context, limit time.Duration) error {
	if w.index.HasSynced() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		f := w.failure.Load()
		if apierrors.IsForbidden(f.err) || apierrors.IsNotFound(f.err) || apierrors.IsMethodNotSupported(f.err) {
			return w.why(f.err)
		}
		select {
		case <-w.index.synced:
			return nil
		case <-f.done:
		case <-ctx.Done():
			return w.why(w.failure.Load().err)
		}
	}
}

// why says in one sentence what keeps the list from being there.
func (w *watcher) why(err error) error {
	gr := w.resource.GroupResource()
	switch {
	case err == nil:
		return fmt.Errorf("%w: the list of %s is still being read (since %s)", ErrNotReady, gr, time.Since(w.started).Round(time.Millisecond))
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: the adapter needs the verbs list and watch on resource %q of API group %q: %w", ErrNotReady, w.resource.Resource, w.resource.Group, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: the cluster does not serve %s in version %q: %w", ErrNotReady, gr, w.resource.Version, err)
	}
	return fmt.Errorf("%w: the list of %s cannot be read: %w", ErrNotReady, gr, err)
}

func (w *watcher) use(now time.Time) { w.lastUsed.Store(now.UnixNano()) }

func (w *watcher) unusedFor(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, w.lastUsed.Load()))
}
