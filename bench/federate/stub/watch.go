// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// bookmarkEvery is how often a watch says how far it is, as an API server does.
	bookmarkEvery = time.Minute
	// watchFor is how long a watch lasts if the client does not say.
	watchFor = 30 * time.Minute
)

// watcher is one watch that goes on.
type watcher struct {
	c         *Cluster
	at        place
	wants     func(client.Object) bool
	info      runtime.SerializerInfo
	out       http.ResponseWriter
	flush     func()
	after     int64 // the version that was told last
	bookmarks bool
}

// watch tells what changes after a version, or what there is first.
func (c *Cluster) watch(w http.ResponseWriter, r *http.Request, at place) {
	which, err := wanted(r, at)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	query, info := r.URL.Query(), accepted(r)
	flusher, ok := w.(http.Flusher)
	if !ok || info.StreamSerializer == nil {
		c.refuse(w, r, bad("a watch cannot be served as %s", info.MediaType))
		return
	}
	one := &watcher{c: c, at: at, wants: which, info: info, out: w, flush: flusher.Flush, bookmarks: isTrue(query.Get("allowWatchBookmarks"))}
	first, text := isTrue(query.Get("sendInitialEvents")), query.Get("resourceVersion")
	// Without a version, or with 0, a watch begins with what there is.
	if first = first || text == "" || text == "0"; !first {
		if one.after, err = strconv.ParseInt(text, 10, 64); err != nil {
			c.refuse(w, r, bad("resourceVersion: %v", err))
			return
		}
	}
	mediaType := info.MediaType
	if mediaType != runtime.ContentTypeJSON {
		mediaType += ";stream=watch"
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(http.StatusOK)
	one.flush()
	limit := watchFor
	if seconds, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && seconds > 0 {
		limit = time.Duration(seconds) * time.Second
	}
	if !first || one.begin(isTrue(query.Get("sendInitialEvents"))) {
		one.run(r, limit)
	}
}

// begin tells what there is, and where asked to, that this was it.
func (o *watcher) begin(marked bool) bool {
	objects, version := o.c.store.list(o.at.kind.resource, o.wants)
	for _, object := range objects {
		if !o.tell(watch.Added, object) {
			return false
		}
	}
	o.after = version
	return !marked || o.bookmark(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
}

// run tells what comes until the client or the stub ends, or the time is over.
func (o *watcher) run(r *http.Request, limit time.Duration) {
	end, tick := time.NewTimer(limit), time.NewTicker(bookmarkEvery)
	defer end.Stop()
	defer tick.Stop()
	for {
		events, until, more, known := o.c.store.news(o.at.kind.resource, o.after)
		if !known { // it begins too far back, or was too slow
			status := apierrors.NewResourceExpired("too old resource version").Status()
			status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
			o.tell(watch.Error, &status)
			return
		}
		for _, e := range events {
			if o.wants(e.object) && !o.tell(e.kind, e.object) {
				return
			}
		}
		o.after = until
		select {
		case <-more:
		case <-tick.C:
			if o.bookmarks && !o.bookmark(nil) {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		case <-o.c.life.Done():
			return
		}
	}
}

// bookmark tells how far the watch is.
func (o *watcher) bookmark(annotations map[string]string) bool {
	object, err := clientgoscheme.Scheme.New(o.at.kind.GroupVersionKind)
	if err != nil {
		return false
	}
	mark, ok := object.(client.Object)
	if !ok {
		return false
	}
	mark.GetObjectKind().SetGroupVersionKind(o.at.kind.GroupVersionKind)
	mark.SetResourceVersion(strconv.FormatInt(o.after, 10))
	mark.SetAnnotations(annotations)
	return o.tell(watch.Bookmark, mark)
}

// tell sends one event; false: the client is gone.
func (o *watcher) tell(kind watch.EventType, object runtime.Object) bool {
	var raw bytes.Buffer
	if err := o.info.Serializer.Encode(object, &raw); err != nil {
		return false
	}
	stream := o.info.StreamSerializer
	one := &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: bytes.TrimRight(raw.Bytes(), "\n")}}
	if o.info.MediaType != runtime.ContentTypeJSON {
		one.Object.Raw = raw.Bytes()
	}
	if err := stream.Encode(one, stream.Framer.NewFrameWriter(o.out)); err != nil {
		return false
	}
	o.flush()
	return true
}
