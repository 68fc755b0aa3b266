// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// memo is what is remembered of a FederatedScale between two looks, and may be lost: what must not is in its status.
type memo struct {
	// version is that of the status that was written last, at a time.
	version string
	written time.Time
	weights *divide.Weights
	began   time.Time       // when it was first looked at
	weighed map[string]bool // the clusters with a weight of an operator's
	members map[string]*memberMemo
}

// memberMemo is what is remembered of it in one member.
type memberMemo struct {
	// uid and version of the target as it was written or read past the cache: what is older is not believed.
	uid     types.UID
	version string
	readAt  time.Time // past the cache, last; zero: the next look must
	// apartSince is since when it is Healthy and there is no connection to it.
	apartSince time.Time
	scale      *target                 // of a kind that is not cached, read at readAt
	waiting    map[types.UID]time.Time // since when pods have been seen waiting for a node
	// missingSince is since when pods are missing and none is created, most how many there have been since, and
	// rejectedSince since when the member rejects some of them.
	missingSince, rejectedSince time.Time
	most                        int64

	refused      bool      // the last raise, and no decision has taken note of it
	failure      string    // why the last write failed; "" after one that did not
	failingSince time.Time // when the first write failed of those that failed in a row
}

// waitsFor says whether the cache has yet to show the status that was written last. It does not wait for ever: an API
// server that was restored from a backup counts anew.
func (m *memo) waitsFor(version string) bool {
	return older(version, m.version) && time.Since(m.written) < shownWithin
}

const shownWithin = 30 * time.Second

func (m *memo) of(member string) *memberMemo {
	one := m.members[member]
	if one == nil {
		one = &memberMemo{}
		m.members[member] = one
	}
	return one
}

// nothingMissing ends the time for which pods have been missing.
func (m *memberMemo) nothingMissing() {
	m.missingSince, m.rejectedSince, m.most = time.Time{}, time.Time{}, 0
}

// away forgets what counts only while the member is seen.
func (m *memberMemo) away() {
	m.nothingMissing()
	m.readAt, m.apartSince, m.failingSince, m.refused = time.Time{}, time.Time{}, time.Time{}, false
}

// older says whether a resourceVersion is surely older than another.
func older(version, other string) bool {
	if version == "" || other == "" {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(version, other)
	return err == nil && order < 0
}

// note keeps what was read past the cache, or is the answer to a write.
func (m *memberMemo) note(uid types.UID, version string) {
	if m.uid != uid || older(m.version, version) {
		m.uid, m.version = uid, version
	}
}

// behind says whether a cached object is older than what is known of it.
func (m *memberMemo) behind(uid types.UID, version string) bool {
	return m.uid == uid && older(version, m.version)
}

// hung are the members that have not answered in time just now: nobody else waits for them for a while. The judgement of
// their health takes its own time.
type hung struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[string]time.Time
}

// hungFor is how long a member is left alone that did not answer, answerWithin how long it may take by default.
const (
	hungFor      = 10 * time.Second
	answerWithin = 5 * time.Second
)

func (h *hung) is(member string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now().Before(h.until[member])
}

// note takes the end of a request to a member: an answer, even a refusal, ends its rest.
func (h *hung) note(ctx context.Context, member string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var answer apierrors.APIStatus
	switch {
	case err == nil || errors.As(err, &answer) || meta.IsNoMatchError(err):
		delete(h.until, member)
	case ctx.Err() == nil: // not we ourselves have ended it
		h.until[member] = h.now().Add(hungFor)
	}
}
