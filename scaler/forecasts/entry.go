// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
)

// identity is what a model is learned from: another one is learned anew.
type identity struct {
	target        string // the HPA's name
	query         string
	interval      time.Duration
	quantile      float64
	lead, maxLead time.Duration
	seasons       forecast.Seasons
	given         bool
}

func identityOf(rule forecast.Rule, target, query string) identity {
	id := identity{target: target, query: query, interval: rule.Interval, quantile: rule.Quantile, lead: rule.Lead, maxLead: rule.MaxLead}
	if rule.Seasons != nil {
		id.seasons, id.given = *rule.Seasons, true
	}
	return id
}

// entry is what is kept in memory of one ScaleForecast between two looks at it. Only one worker has it at a time; others
// read `shown`.
type entry struct {
	uid      types.UID
	identity identity
	model    *model.Model // nil: nothing is learned yet

	loading bool             // the history is to be read, or being read
	buffer  []forecast.Point // what was read of it
	next    time.Time        // the first time to ask for; zero: the beginning of the history
	asked   time.Time        // the newest time that was asked for
	retry   time.Time        // not before that, after a failure
	failed  int              // requests in a row
	renewAt int              // learn anew when the model knows that many points; 0: never
	points  int              // that the model knows

	problem  model.Problem
	censored bool          // the newest point was not learned from
	measured time.Duration // lead time, 0: not measured yet
	held     model.Held
	kept     model.Held // when the history was last learned
	changed  bool       // the spec asks for another forecast than the one that was trusted
	risen    time.Time  // when the floor last rose
	restored bool       // the status was read
	target   string     // the name of the HPA that all of this is about

	written   *v1alpha1.ScaleForecastStatus // as the API server has it: last written, or found
	writtenAt time.Time
	version   atomic.Pointer[string] // of the object with the written status; nil: it is to be taken from the next one read

	shown atomic.Pointer[shown]
}

// entries are all forecasts that are known.
type entries struct {
	mu  sync.Mutex
	all map[types.NamespacedName]*entry
}

// of returns the entry of an object; one that was deleted and made again begins anew.
func (s *entries) of(key types.NamespacedName, uid types.UID) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all[key]
	if e == nil || e.uid != uid {
		e = &entry{uid: uid, loading: true}
		s.all[key] = e
	}
	return e
}

func (s *entries) drop(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, key)
}

// each calls do for what every forecast shows.
func (s *entries) each(do func(types.NamespacedName, *shown)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.all {
		if v := e.shown.Load(); v != nil {
			do(key, v)
		}
	}
}

func (s *entries) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// begin makes ready for a rule and its query. Another one than before is learned anew, and the floor held meanwhile.
func (e *entry) begin(id identity) {
	if e.identity == id {
		return
	}
	e.changed = e.changed || e.identity != identity{}
	e.identity = id
	e.model, e.problem, e.censored = nil, model.Problem{}, false
	e.reload()
}

// reload has the history read again; the model there is stays in use meanwhile.
func (e *entry) reload() {
	e.loading, e.buffer, e.next, e.asked, e.retry, e.failed, e.renewAt = true, nil, time.Time{}, time.Time{}, time.Time{}, 0, 0
}

// aim takes the HPA that is named now. What was known of another one, its floor above all, is nothing to this one.
func (e *entry) aim(target string) {
	if e.target == target {
		return
	}
	if e.target != "" {
		e.identity, e.model, e.problem, e.censored = identity{}, nil, model.Problem{}, false
		e.measured, e.held, e.kept, e.risen = 0, model.Held{}, model.Held{}, time.Time{}
		e.reload()
	}
	e.target = target
}

// speaksOf says whether a forecast's status is about the HPA that its spec names.
func speaksOf(f *v1alpha1.ScaleForecast, status *v1alpha1.ScaleForecastStatus) bool {
	if status.Target == "" { // nothing was written yet, or by a version that did not tell
		return status.ObservedGeneration == f.Generation
	}
	return status.Target == f.Spec.TargetRef.Name
}

// restore takes from the status what a scaler before this one knew.
func (e *entry) restore(f *v1alpha1.ScaleForecast, interval time.Duration, now time.Time) {
	if e.restored {
		return
	}
	e.restored = true
	status := &f.Status
	e.changed = status.ObservedGeneration != f.Generation
	if !speaksOf(f, status) {
		return
	}
	if status.LeadTimeFrom == leadMeasured {
		if d, err := time.ParseDuration(status.LeadTime); err == nil && d > 0 {
			e.measured = d
		}
	}
	if status.Floor == nil || status.LastValueTime == nil || *status.Floor < 0 {
		return
	}
	lead, err := time.ParseDuration(status.LeadTime)
	if err != nil {
		lead = forecast.UnmeasuredLead
	}
	at := status.LastValueTime.Time
	e.held = model.Held{Floor: model.Before(*status.Floor, now.Sub(at), interval, model.Patience(lead, interval)), At: at}
}

// adopt takes the status of an object that was read where it is newer than what was written: somebody else wrote it, such
// as a former leader or a restore, and it is compared with what should be there. A cache may be behind this loop's own write.
func (e *entry) adopt(f *v1alpha1.ScaleForecast) {
	if v := e.version.Load(); v != nil && !newer(f.ResourceVersion, *v) {
		return
	}
	e.written = f.Status.DeepCopy()
	e.version.Store(&f.ResourceVersion)
}

// newer says whether a resource version is later than another one. What cannot be compared counts as later where it differs.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	if err != nil {
		return a != b
	}
	return order > 0
}

// wrote says whether an object is one that this loop wrote, or read already.
func (s *entries) wrote(object client.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all[client.ObjectKeyFromObject(object)]
	if e == nil {
		return false
	}
	v := e.version.Load()
	return v != nil && !newer(object.GetResourceVersion(), *v)
}

// armed says whether the status that was found says so of this HPA.
func (e *entry) armed(f *v1alpha1.ScaleForecast) bool {
	return speaksOf(f, e.written) && e.written.Trust != nil && e.written.Trust.State == string(forecast.Armed)
}

// Times at which a point is asked for.
const (
	// a scrape takes a while until its values can be asked for: a tenth of the interval, at most 15 s
	settlePart = 10
	settleMost = 15 * time.Second
	// the forecasts are spread over a fifth of the interval, at most a minute
	spreadPart = 5
	spreadMost = time.Minute
)

// delay is how long after the time of a point it is asked for.
func delay(uid types.UID, interval time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid)) // never fails
	spread := min(interval/spreadPart, spreadMost)
	return min(interval/settlePart, settleMost) + time.Duration(hash.Sum64()%uint64(max(1, spread)))
}

// gridTime is the last multiple of the interval, from the Unix epoch.
func gridTime(t time.Time, interval time.Duration) time.Time {
	n := t.UnixNano()
	rest := n % int64(interval)
	if rest < 0 {
		rest += int64(interval)
	}
	return time.Unix(0, n-rest).UTC()
}
