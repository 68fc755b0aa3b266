// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"
)

// ErrNotReady says that the objects of a resource are not known (yet); wrapped in a sentence that says why.
var ErrNotReady = errors.New("objects unknown")

// Pods is the resource that is watched always.
var Pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// Options configure Objects. Zero values take the defaults named.
type Options struct {
	Client metadata.Interface
	// Wait is how long a selector read waits for the first list of a resource: 700 ms.
	Wait time.Duration
	// Unused is how long a resource other than pods is watched after its last selector read: 30 minutes.
	Unused time.Duration
	// Selectors is how many parsed selectors are kept: 16,384.
	Selectors int
}

// Objects answers which objects a selector means, for any resource.
type Objects struct {
	options   Options
	selectors *lru.Cache[string, *Selector]
	ctx       context.Context // of all watchers: they outlive the read that starts them
	stop      context.CancelFunc
	pods      *watcher

	mu       sync.RWMutex
	watchers map[schema.GroupVersionResource]*watcher
}

// Start begins to watch pods and returns at once. Everything ends with ctx.
func Start(ctx context.Context, o Options) (*Objects, error) {
	if o.Wait <= 0 {
		o.Wait = 700 * time.Millisecond
	}
	if o.Unused <= 0 {
		o.Unused = 30 * time.Minute
	}
	if o.Selectors <= 0 {
		o.Selectors = 16384
	}
	selectors, err := lru.New[string, *Selector](o.Selectors)
	if err != nil {
		return nil, err
	}
	x := &Objects{options: o, selectors: selectors, watchers: map[schema.GroupVersionResource]*watcher{}}
	x.ctx, x.stop = context.WithCancel(ctx)
	x.pods = startWatcher(x.ctx, o.Client, Pods)
	go x.janitor()
	return x, nil
}

// HasSynced reports whether all pods are known.
func (x *Objects) HasSynced() bool { return x.pods.index.HasSynced() }

// Unready says why pods are not known yet, nil if they are.
func (x *Objects) Unready() error {
	if x.pods.index.HasSynced() {
		return nil
	}
	return x.pods.why(x.pods.failure.Load().err)
}

// Len is the number of pods.
func (x *Objects) Len() int { return x.pods.index.Len() }

// Selector parses raw, or finds it parsed.
func (x *Objects) Selector(raw string) (*Selector, error) {
	if s, ok := x.selectors.Get(raw); ok {
		return s, nil
	}
	s, err := ParseSelector(raw)
	if err != nil {
		return nil, err
	}
	x.selectors.Add(raw, s)
	return s, nil
}

// AppendNames appends the names of the objects of a resource that a selector means, sorted. The first read of a resource
// other than pods starts watching it. The error wraps ErrNotReady.
func (x *Objects) AppendNames(ctx context.Context, dst []string, in In, s *Selector) ([]string, error) {
	w := x.pods
	if in.Resource != Pods {
		w = x.watcher(in.Resource)
		w.use(time.Now())
	}
	if err := w.wait(ctx, x.options.Wait); err != nil {
		return dst, err
	}
	return w.index.AppendNames(dst, in.Namespace, s), nil
}

// In is where to look for objects. Namespace is "" for cluster-scoped resources.
type In struct {
	Resource  schema.GroupVersionResource
	Namespace string
}

func (x *Objects) watcher(resource schema.GroupVersionResource) *watcher {
	x.mu.RLock()
	w := x.watchers[resource]
	x.mu.RUnlock()
	if w != nil {
		return w
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if w = x.watchers[resource]; w == nil {
		klog.V(2).InfoS("Watching a resource because a metric was asked for by selector", "resource", resource.String())
		w = startWatcher(x.ctx, x.options.Client, resource)
		w.use(time.Now())
		x.watchers[resource] = w
	}
	return w
}

// janitor stops watching what nobody asks for.
func (x *Objects) janitor() {
	tick := time.NewTicker(x.options.Unused / 4)
	defer tick.Stop()
	for {
		select {
		case <-x.ctx.Done():
			return
		case now := <-tick.C:
			x.stopUnused(now)
		}
	}
}

func (x *Objects) stopUnused(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for resource, w := range x.watchers {
		if w.unusedFor(now) > x.options.Unused {
			klog.V(2).InfoS("Ending the watch of an unused resource", "resource", resource.String())
			w.stop()
			delete(x.watchers, resource)
		}
	}
}

// Stop ends all watches.
func (x *Objects) Stop() { x.stop() }
