// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/health"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// look is one step of a story: what was found that many seconds after noon.
type look struct {
	at    float64
	cause health.Cause // "": no new probe
	nodes string       // of ten, how many are Ready: "4"; "": not known
	pods  string
	// demand is when the newest value of the demand came in, in seconds after noon; 0: never
	demand    float64
	suspended bool
	duplicate string // of which member
	want      health.State
	wantCause health.Cause
	// next is when to look again, in seconds after noon; 0: not looked at
	next float64
}

func share(ready string, at time.Time) *health.Share {
	if ready == "" {
		return nil
	}
	return &health.Share{Ready: int64(ready[0] - '0'), Total: 10, At: at}
}

// healthy is a member that has been well for an hour, looked at at noon.
func healthy() health.Kept {
	return health.Kept{
		State: health.Healthy, Since: noon.Add(-time.Hour), Cause: health.OK, Proven: true,
		Looked: noon, Watched: noon.Add(-time.Hour), Probed: noon, Successes: 3, GoodSince: noon.Add(-time.Hour),
	}
}

func suspect() health.Kept {
	k := healthy()
	k.State, k.Since, k.Cause, k.Successes, k.GoodSince = health.Suspect, noon.Add(-time.Minute), health.Untrusted, 0, time.Time{}
	return k
}

func failed() health.Kept {
	k := suspect()
	k.State, k.Cause = health.Failed, health.Unreachable
	return k
}

func (l look) input(before health.Probe, o health.Options) health.Input {
	at := after(l.at)
	in := health.Input{Probe: before, Nodes: share(l.nodes, at), Pods: share(l.pods, at), Suspended: l.suspended, DuplicateOf: l.duplicate, Options: o}
	if l.cause != "" {
		in.Probe = health.Probe{At: at, Cause: l.cause, Message: "the probe says " + string(l.cause)}
	}
	if l.demand != 0 {
		in.Demand = after(l.demand)
	}
	return in
}

func tell(t *testing.T, kept health.Kept, o health.Options, looks []look) health.Verdict {
	t.Helper()
	var v health.Verdict
	var probe health.Probe
	for i, l := range looks {
		in := l.input(probe, o)
		v, probe = health.Step(in, kept, after(l.at)), in.Probe
		kept = v.Kept
		require.Equal(t, l.want, v.State, "look %d at %vs: %s", i, l.at, v.Message)
		if l.wantCause != "" {
			require.Equal(t, l.wantCause, v.Cause, "look %d at %vs: %s", i, l.at, v.Message)
		}
		if l.next != 0 {
			require.Equal(t, after(l.next), v.Next, "look %d at %vs", i, l.at)
		}
		require.NotEmpty(t, v.Message)
		require.Contains(t, health.Causes(), v.Cause)
	}
	return v
}

const (
	un, ok = health.Unreachable, health.OK
	h, s   = health.Healthy, health.Suspect
	f      = health.Failed
)

func TestProbes(t *testing.T) {
	for _, test := range []struct {
		name  string
		kept  health.Kept
		looks []look
	}{
		{"it dies: confirmed after two seconds, failed after thirty", healthy(), []look{
			{at: 10, cause: un, want: h, wantCause: ok, next: 12},
			{at: 12, cause: un, want: s, wantCause: un, next: 22},
			{at: 22, cause: un, want: s, next: 32},
			{at: 32, cause: un, want: s, next: 40},
			{at: 39, cause: un, want: s, next: 40},
			{at: 40, cause: un, want: f, wantCause: un, next: 50},
		}},
		{"long enough but not often enough", healthy(), []look{
			{at: 10, cause: un, want: h},
			{at: 40, cause: un, want: s},
			{at: 41, cause: un, want: f},
		}},
		{"only a probe declares: time alone does not", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}, {at: 22, cause: un, want: s},
			{at: 40, want: s}, {at: 60, want: s}, {at: 61, cause: un, want: f},
		}},
		{"500s count like silence, and together with it", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: health.Unhealthy, want: s, wantCause: health.Unhealthy},
			{at: 40, cause: health.Unhealthy, want: f, wantCause: health.Unhealthy},
		}},
		{"one lost probe changes nothing", healthy(), []look{
			{at: 10, cause: un, want: h, next: 12}, {at: 12, cause: ok, want: h, next: 22}, {at: 22, cause: ok, want: h}, {at: 32, cause: ok, want: h},
			{at: 42, cause: un, want: h}, {at: 44, cause: ok, want: h},
		}},
		{"a second one before three good ones makes it suspect", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: ok, want: h}, {at: 22, cause: ok, want: h}, {at: 32, cause: un, want: s, wantCause: un},
		}},
		{"a good probe ends the failures in a row", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}, {at: 22, cause: un, want: s}, {at: 32, cause: ok, want: s, wantCause: health.Settling},
			{at: 42, cause: un, want: s}, {at: 52, cause: un, want: s}, {at: 71, cause: un, want: s}, {at: 72, cause: un, want: f},
		}},
		{"an answer that refuses us ends them too", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}, {at: 22, cause: un, want: s}, {at: 32, cause: health.Unauthorized, want: s},
			{at: 42, cause: un, want: s}, {at: 44, cause: un, want: s}, {at: 71, cause: un, want: s}, {at: 72, cause: un, want: f},
		}},
		{"no credential, however long", healthy(), []look{
			{at: 10, cause: health.Unauthorized, want: h, next: 12}, {at: 12, cause: health.Unauthorized, want: s, wantCause: health.Unauthorized, next: 22},
			{at: 22, cause: health.Unauthorized, want: s}, {at: 52, cause: health.Untrusted, want: s, wantCause: health.Untrusted},
			{at: 82, cause: health.Invalid, want: s, wantCause: health.Invalid}, {at: 112, cause: health.Unauthorized, want: s},
		}},
		{"it comes back: three good ones over a minute", failed(), []look{
			{at: 10, cause: ok, want: f, wantCause: health.Settling}, {at: 30, cause: ok, want: f}, {at: 50, cause: ok, want: f},
			{at: 69, cause: ok, want: f, next: 70}, {at: 70, cause: ok, want: h, wantCause: ok},
		}},
		{"a minute since the first, but not up to the third", suspect(), []look{
			{at: 10, cause: ok, want: s}, {at: 20, cause: ok, want: s}, {at: 30, cause: ok, want: s}, {at: 70, want: s}, {at: 71, cause: ok, want: h},
		}},
		{"nearly thirty seconds", healthy(), []look{
			{at: 10.9, cause: un, want: h}, {at: 12.9, cause: un, want: s}, {at: 40.1, cause: un, want: s}, {at: 41.1, cause: un, want: f},
		}},
		{"a minute but only two", suspect(), []look{
			{at: 10, cause: ok, want: s}, {at: 40, want: s}, {at: 70, want: s},
		}},
		{"two over a minute, and a third", suspect(), []look{
			{at: 30, cause: ok, want: s}, {at: 60, want: s}, {at: 71, cause: ok, want: s, next: 81}, {at: 90, cause: ok, want: h},
		}},
		{"a failed one begins the minute anew", suspect(), []look{
			{at: 10, cause: ok, want: s}, {at: 30, cause: ok, want: s}, {at: 60, cause: un, want: s}, {at: 70, cause: ok, want: s},
			{at: 100, cause: ok, want: s}, {at: 129, cause: ok, want: s}, {at: 130, cause: ok, want: h},
		}},
		{"failed stays failed whatever is wrong then", failed(), []look{
			{at: 10, cause: health.Unauthorized, want: f, wantCause: health.Unauthorized}, {at: 20, cause: ok, want: f}, {at: 30, cause: un, want: f, wantCause: un},
		}},
		{"the same probe counts once", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 11, want: h}, {at: 12, want: h}, {at: 13, want: h},
		}},
		{"what the hub lacks itself is no finding", healthy(), []look{
			{at: 10, cause: health.NotProbed, want: h}, {at: 20, cause: health.NotProbed, want: h}, {at: 42, cause: health.NotProbed, want: h},
			{at: 43, cause: health.NotProbed, want: s, wantCause: health.NotProbed}, {at: 80, cause: health.NotProbed, want: s},
		}},
		{"a prober that hangs", healthy(), []look{
			{at: 10, want: h}, {at: 42, want: h}, {at: 43, want: s, wantCause: health.NotProbed}, {at: 85, want: s}, {at: 120, want: s},
		}},
		{"a hole in the failures is none of them", healthy(), []look{
			{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}, {at: 22, cause: un, want: s},
			{at: 40, cause: health.NotProbed, want: s}, {at: 70, cause: health.NotProbed, want: s},
			{at: 80, cause: un, want: s}, {at: 90, cause: un, want: s}, {at: 109, cause: un, want: s}, {at: 110, cause: un, want: f},
		}},
		{"a new member", health.Kept{}, []look{
			{at: 0, want: s, wantCause: health.NotProbed}, {at: 1, cause: ok, want: s, wantCause: health.Settling}, {at: 31, cause: ok, want: s}, {at: 60, cause: ok, want: s}, {at: 61, cause: ok, want: h},
		}},
		{"a new member that is not there", health.Kept{}, []look{
			{at: 0, cause: un, want: s, wantCause: un}, {at: 10, cause: un, want: s}, {at: 29, cause: un, want: s}, {at: 30, cause: un, want: f},
		}},
		{"suspended, and not any more", healthy(), []look{
			{at: 10, cause: un, suspended: true, want: s, wantCause: health.Suspended}, {at: 20, cause: un, suspended: true, want: s}, {at: 40, cause: un, suspended: true, want: s},
			{at: 50, want: s, wantCause: un}, {at: 60, cause: ok, want: s, wantCause: health.Settling}, {at: 80, cause: ok, want: s}, {at: 119, cause: ok, want: s}, {at: 120, cause: ok, want: h},
		}},
		{"a probe from before it was suspended", suspect(), []look{
			{at: 10, cause: ok, want: s}, {at: 11, suspended: true, want: s}, {at: 12, want: s}, {at: 40, cause: ok, want: s}, {at: 70, cause: ok, want: s}, {at: 100, cause: ok, want: h},
		}},
		{"the same cluster as an older member, which goes", healthy(), []look{
			{at: 10, cause: ok, duplicate: "east", want: s, wantCause: health.Duplicate}, {at: 100, cause: ok, duplicate: "east", want: s, wantCause: health.Duplicate},
			{at: 130, cause: ok, duplicate: "east", want: s}, {at: 131, want: s, wantCause: health.Settling}, {at: 140, cause: ok, want: s}, {at: 170, cause: ok, want: s},
			{at: 199, cause: ok, want: s}, {at: 200, cause: ok, want: h, wantCause: ok},
		}},
		{"a new one of a cluster that there is", health.Kept{}, []look{
			{at: 0, cause: ok, duplicate: "east", want: s, wantCause: health.Duplicate}, {at: 30, cause: ok, duplicate: "east", want: s}, {at: 60, cause: ok, duplicate: "east", want: s},
		}},
		{"the same cluster, which dies", healthy(), []look{
			{at: 10, cause: un, duplicate: "east", want: s, wantCause: un}, {at: 20, cause: un, duplicate: "east", want: s}, {at: 40, cause: un, duplicate: "east", want: f},
			{at: 50, cause: ok, duplicate: "east", want: f, wantCause: health.Duplicate}, {at: 80, cause: ok, duplicate: "east", want: f}, {at: 120, cause: ok, duplicate: "east", want: f},
			{at: 130, cause: ok, want: f, wantCause: health.Settling}, {at: 160, cause: ok, want: f}, {at: 190, cause: ok, want: h},
		}},
		{"suspended out of failed", failed(), []look{{at: 10, cause: un, suspended: true, want: s, wantCause: health.Suspended}}},
	} {
		t.Run(test.name, func(t *testing.T) { tell(t, test.kept, health.DefaultOptions(), test.looks) })
	}
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		name  string
		kept  health.Kept
		looks []look
	}{
		{"a live API over dead nodes", healthy(), []look{
			{at: 10, cause: ok, nodes: "5", want: h},
			{at: 20, cause: ok, nodes: "4", want: s, wantCause: health.NodesNotReady},
			{at: 50, cause: ok, nodes: "4", want: s}, {at: 79, cause: ok, nodes: "0", want: s, next: 80}, {at: 80, cause: ok, nodes: "4", want: f, wantCause: health.NodesNotReady},
			{at: 90, cause: ok, nodes: "5", want: f, wantCause: health.Settling}, {at: 110, cause: ok, nodes: "9", want: f}, {at: 149, cause: ok, nodes: "9", want: f}, {at: 150, cause: ok, nodes: "9", want: h},
		}},
		{"nodes that come back in time", healthy(), []look{
			{at: 20, cause: ok, nodes: "4", want: s}, {at: 50, cause: ok, nodes: "5", want: s, wantCause: health.Settling}, {at: 60, cause: ok, nodes: "4", want: s, wantCause: health.NodesNotReady},
			{at: 90, cause: ok, nodes: "4", want: s}, {at: 119, cause: ok, nodes: "4", want: s}, {at: 120, cause: ok, nodes: "4", want: f},
		}},
		{"dead nodes and no credential", healthy(), []look{
			{at: 20, cause: ok, nodes: "4", want: s}, {at: 50, cause: health.Unauthorized, nodes: "4", want: s, wantCause: health.Unauthorized}, {at: 90, cause: health.Unauthorized, nodes: "4", want: s},
			{at: 100, cause: ok, nodes: "4", want: f},
		}},
		{"dead nodes under an API that was slow for a moment", healthy(), []look{
			{at: 20, cause: ok, nodes: "4", want: s}, {at: 50, cause: un, nodes: "4", want: s, wantCause: un}, {at: 80, cause: ok, nodes: "4", want: f},
		}},
		{"nodes that are no longer observed", healthy(), []look{
			{at: 20, cause: ok, nodes: "4", want: s}, {at: 50, cause: ok, want: s, wantCause: health.Settling}, {at: 80, cause: ok, nodes: "4", want: s}, {at: 110, cause: ok, nodes: "4", want: s},
		}},
		{"dead pods on live nodes freeze after a minute, and never more", healthy(), []look{
			{at: 10, cause: ok, nodes: "9", pods: "5", want: h}, {at: 20, cause: ok, nodes: "9", pods: "4", want: h},
			{at: 50, cause: ok, nodes: "9", pods: "4", want: h}, {at: 79, cause: ok, nodes: "9", pods: "4", want: h, next: 80},
			{at: 80, cause: ok, nodes: "9", pods: "4", want: s, wantCause: health.PodsNotReady},
			{at: 110, cause: ok, nodes: "9", pods: "0", want: s}, {at: 150, cause: ok, pods: "0", want: s}, {at: 190, cause: ok, nodes: "9", pods: "0", want: s, wantCause: health.PodsNotReady},
			{at: 200, cause: ok, nodes: "9", pods: "5", want: s, wantCause: health.Settling}, {at: 230, cause: ok, nodes: "9", pods: "5", want: s}, {at: 260, cause: ok, nodes: "9", pods: "5", want: h},
		}},
		{"pods that start slowly in between", healthy(), []look{
			{at: 20, cause: ok, pods: "4", want: h}, {at: 60, cause: ok, pods: "6", want: h}, {at: 70, cause: ok, pods: "4", want: h}, {at: 100, cause: ok, pods: "4", want: h},
		}},
		{"its demand still comes in", healthy(), []look{
			{at: 10, cause: un, demand: 9, want: h}, {at: 12, cause: un, demand: 12, want: s}, {at: 40, cause: un, demand: 39, want: s, wantCause: un},
			{at: 70, cause: un, demand: 39, want: s}, {at: 99, cause: un, demand: 39, want: s, next: 99.000000001}, {at: 100, cause: un, demand: 39, want: f},
		}},
		{"its demand stopped with it", healthy(), []look{
			{at: 10, cause: un, demand: 10, want: h}, {at: 12, cause: un, demand: 10, want: s}, {at: 40, cause: un, demand: 10, want: f},
		}},
		{"its demand comes in over dead nodes", healthy(), []look{
			{at: 20, cause: ok, nodes: "4", demand: 19, want: s}, {at: 50, cause: ok, nodes: "4", demand: 49, want: s}, {at: 80, cause: ok, nodes: "4", demand: 49, want: s, wantCause: health.NodesNotReady},
			{at: 110, cause: ok, nodes: "4", demand: 49, want: f},
		}},
		{"its demand came in until the leader changed", healthy(), []look{
			{at: 10, cause: un, demand: 9, want: h}, {at: 12, cause: un, demand: 12, want: s}, {at: 30, cause: un, demand: 29, want: s},
			{at: 40, cause: un, want: s}, {at: 70, cause: un, want: s}, {at: 89, cause: un, want: s, next: 89.000000001}, {at: 90, cause: un, want: f},
		}},
		{"demand that was kept of an earlier trouble is none", healthy(), []look{
			{at: 10, cause: un, demand: 9, want: h}, {at: 12, cause: un, demand: 12, want: s}, {at: 14, cause: ok, want: s}, {at: 20, cause: un, want: s}, {at: 30, cause: un, want: s},
			{at: 50, cause: un, want: f},
		}},
		{"demand from the future is none", healthy(), []look{
			{at: 10, cause: un, demand: 1000, want: h}, {at: 12, cause: un, demand: 1000, want: s}, {at: 40, cause: un, demand: 1000, want: f},
		}},
	} {
		t.Run(test.name, func(t *testing.T) { tell(t, test.kept, health.DefaultOptions(), test.looks) })
	}
}

// Metrics that go on without the pods that they are about keep nobody from Failed for ever; 0 in the API is next to nothing.
func TestDemandAtMost(t *testing.T) {
	looks := []look{{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}}
	for at := 20.0; at < 610; at += 10 {
		looks = append(looks, look{at: at, cause: un, demand: at - 1, want: s})
	}
	looks = append(looks, look{at: 610, cause: un, demand: 609, want: s, next: 610.000000001}, look{at: 611, cause: un, demand: 610, want: f})
	tell(t, healthy(), health.DefaultOptions(), looks)

	o := health.DefaultOptions()
	o.DemandAtMost = 1
	tell(t, healthy(), o, []look{{at: 10, cause: un, demand: 9, want: h}, {at: 12, cause: un, demand: 12, want: s}, {at: 40, cause: un, demand: 39, want: f}})
}

// Trouble is what may lead to Failed, since when; a refused credential is none, nor is a failure that has come.
func TestTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		looks []look
		want  time.Time
	}{
		"none":            {[]look{{at: 10, cause: ok, nodes: "9", want: h}}, time.Time{}},
		"a failed probe":  {[]look{{at: 10, cause: un, want: h}}, after(10)},
		"refused":         {[]look{{at: 10, cause: health.Unauthorized, want: h}, {at: 12, cause: health.Unauthorized, want: s}}, time.Time{}},
		"nodes":           {[]look{{at: 10, cause: ok, nodes: "4", want: s}}, after(10)},
		"nodes, then all": {[]look{{at: 10, cause: ok, nodes: "4", want: s}, {at: 20, cause: un, nodes: "4", want: s}}, after(20)},
		"failed":          {[]look{{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}, {at: 40, cause: un, want: f}}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, tell(t, healthy(), health.DefaultOptions(), test.looks).Kept.Trouble())
		})
	}
}

// A share that is old, of nothing, or switched off says nothing.
func TestSharesThatSayNothing(t *testing.T) {
	at := after(10)
	for name, in := range map[string]health.Input{
		"not known":     {},
		"old":           {Nodes: &health.Share{Total: 10, At: at.Add(-43 * time.Second)}},
		"of the future": {Nodes: &health.Share{Total: 10, At: at.Add(1)}},
		"no nodes":      {Nodes: &health.Share{At: at}},
		"nonsense":      {Nodes: &health.Share{Ready: math.MaxInt64, Total: math.MaxInt64, At: at}, Pods: &health.Share{Ready: 3, Total: -1, At: at}},
	} {
		in.Probe, in.Options = health.Probe{At: at, Cause: ok}, health.DefaultOptions()
		require.Equal(t, h, health.Step(in, healthy(), at).State, name)
	}
	off := health.Input{Probe: health.Probe{At: at, Cause: ok}, Nodes: &health.Share{Total: 10, At: at}}
	require.Equal(t, h, health.Step(off, healthy(), at).State, "a minimum of 0 switches it off")
	old := health.Input{Probe: health.Probe{At: at, Cause: ok}, Nodes: &health.Share{Total: 10, At: at.Add(-42 * time.Second)}, Options: health.DefaultOptions()}
	require.Equal(t, s, health.Step(old, healthy(), at).State, "the oldest that counts")
}

// The hub sleeps, is down, or its clock is set: what was counted before says nothing, and the state stays.
func TestTheHubsOwnClock(t *testing.T) {
	counting := func() health.Kept {
		k := suspect()
		k.Bad, k.Failures, k.FailingSince, k.Cause = 2, 3, noon.Add(-29*time.Second), un
		return k
	}
	for _, test := range []struct {
		name string
		kept health.Kept
		look []look
	}{
		{"the last look is just recent enough", counting(), []look{{at: 42, cause: un, want: f}}},
		{"it is not", counting(), []look{{at: 43, cause: un, want: s}, {at: 53, cause: un, want: s}, {at: 72, cause: un, want: s}, {at: 73, cause: un, want: f}}},
		{"the clock goes back", counting(), []look{{at: -1, cause: un, want: s}, {at: 9, cause: un, want: s}, {at: 28, cause: un, want: s}, {at: 29, cause: un, want: f}}},
		{"by a day", counting(), []look{{at: -86400, cause: un, want: s}, {at: -86390, cause: un, want: s}, {at: -86370, cause: un, want: f}}},
		{"forward by a day", counting(), []look{{at: 86400, cause: un, want: s}, {at: 86410, cause: un, want: s}, {at: 86430, cause: un, want: f}}},
		{"healthy before and after", healthy(), []look{{at: 3600, cause: ok, want: h, wantCause: ok}}},
		{"healthy before, one failure after", healthy(), []look{{at: 3600, cause: un, want: h, next: 3602}, {at: 3602, cause: un, want: s}}},
		{"healthy before, no probe after", healthy(), []look{{at: 3600, want: h}, {at: 3640, want: h}, {at: 3643, want: s, wantCause: health.NotProbed}}},
		{"failed before, good after", failed(), []look{{at: 3600, cause: ok, want: f, wantCause: health.Settling}, {at: 3630, cause: ok, want: f}, {at: 3660, cause: ok, want: h}}},
		{"dead nodes before", func() health.Kept { k := suspect(); k.NodesLowSince = noon.Add(-59 * time.Second); return k }(), []look{
			{at: 43, cause: ok, nodes: "0", want: s}, {at: 73, cause: ok, nodes: "0", want: s}, {at: 103, cause: ok, nodes: "0", want: f},
		}},
		{"good before", func() health.Kept { k := suspect(); k.Successes, k.GoodSince = 3, noon.Add(-59*time.Second); return k }(), []look{
			{at: 43, cause: ok, want: s}, {at: 73, cause: ok, want: s}, {at: 103, cause: ok, want: h},
		}},
	} {
		t.Run(test.name, func(t *testing.T) { tell(t, test.kept, health.DefaultOptions(), test.look) })
	}
	future := healthy()
	future.Since, future.Looked, future.Watched = after(1000), after(1000), after(1000)
	v := health.Step(look{cause: ok, at: 5}.input(health.Probe{}, health.DefaultOptions()), future, after(5))
	require.Equal(t, h, v.State)
	require.Equal(t, after(5), v.Since, "nothing has been so since the future")
}

func TestSince(t *testing.T) {
	v := tell(t, healthy(), health.DefaultOptions(), []look{{at: 10, cause: un, want: h}, {at: 12.7, cause: un, want: s}})
	require.Equal(t, after(12), v.Since, "when it stopped being healthy, in whole seconds")
	v = tell(t, v.Kept, health.DefaultOptions(), []look{{at: 22, cause: un, want: s}, {at: 41, cause: un, want: f}})
	require.Equal(t, after(12), v.Since, "from suspect to failed it stays")
	v = tell(t, v.Kept, health.DefaultOptions(), []look{{at: 50, cause: ok, want: f}, {at: 80, cause: ok, want: f}, {at: 111, cause: ok, want: h}})
	require.Equal(t, after(111), v.Since)
	v = tell(t, v.Kept, health.DefaultOptions(), []look{{at: 121, cause: ok, want: h}, {at: 125, suspended: true, want: s}})
	require.Equal(t, after(125), v.Since)
}

func TestProven(t *testing.T) {
	v := tell(t, health.Kept{}, health.DefaultOptions(), []look{{at: 0, cause: ok, want: s}, {at: 30, cause: ok, want: s}, {at: 59, cause: ok, want: s}})
	require.False(t, v.Kept.Proven)
	v = tell(t, v.Kept, health.DefaultOptions(), []look{{at: 60, cause: ok, want: h}, {at: 70, cause: un, want: h}, {at: 72, cause: un, want: s}, {at: 80, suspended: true, want: s}, {at: 1000, want: s}})
	require.True(t, v.Kept.Proven)
}

func TestMessages(t *testing.T) {
	last := func(kept health.Kept, looks ...look) string {
		return tell(t, kept, health.DefaultOptions(), looks).Message
	}
	require.Equal(t, "its API server is ready, and enough of its nodes are", last(healthy(), look{at: 10, cause: ok, nodes: "9", want: h}))
	require.Equal(t, "its API server is ready; how many of its nodes are is not looked at or not known", last(healthy(), look{at: 10, cause: ok, want: h}))
	down := []look{{at: 10, cause: un, want: h}, {at: 12, cause: un, want: s}}
	require.Equal(t, "the probe says Unreachable; it fails if that lasts, at 2026-11-11T12:00:40Z at the earliest", last(healthy(), down...))
	require.Equal(t, "the probe says Unreachable; it has failed, and its replicas may move", last(healthy(), append(down, look{at: 20, cause: un, want: s}, look{at: 40, cause: un, want: f})...))
	require.Equal(t, "the probe says Unreachable; but its demand metrics still come in, so its pods serve, and it keeps its replicas, until 2026-11-11T12:10:10Z at the latest",
		last(healthy(), append(down, look{at: 20, cause: un, demand: 19, want: s})...))
	require.Equal(t, "the probe says Unauthorized; it keeps its replicas, and nothing is lowered, until that is mended", last(suspect(), look{at: 10, cause: health.Unauthorized, want: s}))
	require.Equal(t, "fewer than 50 % of its nodes are Ready; it fails if that lasts, at 2026-11-11T12:01:10Z at the earliest", last(healthy(), look{at: 10, cause: ok, nodes: "4", want: s}))
	require.Equal(t, "it answers, and is healthy once it has done so for 1m0s", last(suspect(), look{at: 10, cause: ok, want: s}))
	require.Equal(t, "it answers again, and gets replicas back once it has done so for 1m0s", last(failed(), look{at: 10, cause: ok, want: f}))
	require.Equal(t, "it is suspended: it is not probed or changed, and keeps its replicas", last(failed(), look{at: 10, suspended: true, want: s}))
	same := "it is the same cluster as MemberCluster east, which is older and keeps it: delete one of the two, or correct its kubeconfig"
	require.Equal(t, same+"; it keeps its replicas, and nothing is lowered, until that is mended", last(healthy(), look{at: 10, cause: ok, duplicate: "east", want: s}))
	require.Equal(t, same+"; it gets nothing until then", last(health.Kept{}, look{at: 10, cause: ok, duplicate: "east", want: s}))
	require.Equal(t, same+"; it has failed, and its replicas may move", last(failed(), look{at: 10, cause: ok, duplicate: "east", want: f}))
	require.Equal(t, "no probe has come back yet; it keeps its replicas, and nothing is lowered, until that is mended", last(health.Kept{}, look{at: 10, want: s}))
	require.Equal(t, "the last probe found: Untrusted; it keeps its replicas, and nothing is lowered, until that is mended", last(suspect(), look{at: 3600, want: s}), "another leader, before its first probe")
}

func TestSkewOnlyWarns(t *testing.T) {
	for _, test := range []struct {
		skew time.Duration
		want string
	}{
		{0, ""},
		{10 * time.Second, ""},
		{-10 * time.Second, ""},
		{10*time.Second + 1, "its clock is more than 10s ahead of the hub's: let both follow NTP"},
		{-10*time.Second - 1, "its clock is more than 10s behind the hub's: let both follow NTP"},
		{math.MinInt64, "its clock is more than 10s behind the hub's: let both follow NTP"},
	} {
		v := health.Step(health.Input{Probe: health.Probe{At: after(10), Cause: ok, Skew: &test.skew}}, healthy(), after(10))
		require.Equal(t, test.want, v.Warning)
		require.Equal(t, h, v.State)
	}
}

// Options that say nothing or nonsense are the defaults.
func TestDefaults(t *testing.T) {
	o := health.DefaultOptions()
	strange := health.Options{Interval: -1, Timeout: -1, SuspectThreshold: -1, FailureThreshold: -1, FailedAfter: -1, SuccessThreshold: -1, HealthyAfter: -1,
		MinReadyNodes: 1000, MinReadyPods: 1000, SharesFor: -1, DemandFor: -1, DemandAtMost: -1, MaxSkew: -1}
	in := look{at: 10, cause: un}.input(health.Probe{}, o)
	want := health.Step(in, healthy(), after(10))
	in.Options = strange
	require.Equal(t, want, health.Step(in, healthy(), after(10)))
	all := health.Input{Probe: health.Probe{At: after(10), Cause: ok}, Nodes: &health.Share{Ready: 10, Total: 10, At: after(10)}, Options: strange}
	require.Equal(t, h, health.Step(all, healthy(), after(10)).State, "more than all is never asked for")
}

// Other options, both sides.
func TestOptions(t *testing.T) {
	quick := health.Options{Interval: time.Second, Timeout: time.Second, SuspectThreshold: 1, FailureThreshold: 2, FailedAfter: 3 * time.Second, SuccessThreshold: 1, HealthyAfter: time.Second, MinReadyNodes: 80, SharesFor: 2 * time.Second}
	tell(t, healthy(), quick, []look{
		{at: 1, cause: un, want: s}, {at: 3, cause: un, want: s}, {at: 4, cause: un, want: f},
		{at: 5, cause: ok, want: f}, {at: 6, cause: ok, want: h},
		{at: 7, cause: ok, nodes: "7", want: s}, {at: 8, cause: ok, nodes: "7", want: s}, {at: 9, cause: ok, nodes: "7", want: f},
	})
	tell(t, healthy(), quick, []look{{at: 6, cause: un, want: s}})
	slow := health.Options{Interval: time.Minute}
	tell(t, healthy(), slow, []look{
		{at: 60, cause: un, want: h, next: 62}, {at: 62, cause: un, want: s, next: 90}, {at: 90, cause: un, want: f, next: 150},
	})
}

func TestCauses(t *testing.T) {
	for _, cause := range health.Causes() {
		require.NotEmpty(t, cause.Meaning(), cause)
		require.False(t, cause.Fails() && cause.Alarms(), cause)
	}
	require.Empty(t, health.Cause("Strange").Meaning())
	for _, cause := range []health.Cause{health.Unauthorized, health.Untrusted, health.Invalid} {
		require.True(t, cause.Alarms())
	}
}

// What need not be written is not: a member that is well, or as bad as it can get.
func TestChanged(t *testing.T) {
	step := func(k health.Kept, l look) health.Kept {
		return health.Step(l.input(health.Probe{}, health.DefaultOptions()), k, after(l.at)).Kept
	}
	well := step(healthy(), look{at: 10, cause: ok})
	require.False(t, step(well, look{at: 20, cause: ok}).Changed(well))
	require.True(t, step(well, look{at: 20, cause: un}).Changed(well))
	local := well
	local.Since, local.GoodSince = well.Since.Local(), well.GoodSince.In(time.FixedZone("", 3600))
	require.False(t, well.Changed(local), "the zone is nothing")

	bad := failed()
	bad.Bad, bad.Failures, bad.FailingSince = 2, 3, noon.Add(-time.Minute)
	require.False(t, step(bad, look{at: 10, cause: un}).Changed(bad))
	require.True(t, step(bad, look{at: 10, cause: ok}).Changed(bad))

	refused := step(step(suspect(), look{at: 10, cause: health.Untrusted}), look{at: 11, cause: health.Untrusted})
	require.False(t, step(refused, look{at: 20, cause: health.Untrusted}).Changed(refused))

	counting := step(suspect(), look{at: 10, cause: ok})
	for at := 20.0; at < 50; at += 10 {
		then := step(counting, look{at: at, cause: ok})
		require.True(t, then.Changed(counting), "another leader goes on counting")
		counting = then
	}
}
