// SPDX-License-Identifier: Apache-2.0

package members

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

const (
	// brokenFor is how long, while the API server answers, kinds may not be watched before the connection is made anew:
	// informers wait for up to a minute after an outage.
	brokenFor = 3 * time.Second
	// unreadableFor is how long nodes and pods may not be read, while the API server says that it is ready, before that is
	// reported.
	unreadableFor = 30 * time.Second
	// versionFor is how long the version of a member is not asked for again.
	versionFor = 10 * time.Minute
)

// finding is what asking a member found. Only a probe that succeeded has more than the probe itself.
type finding struct {
	health.Probe
	reason      string // of the Ready condition, where the cause alone says too little
	nodes, pods *health.Share
	snapshot    *capacity.Snapshot // nil: what nodes have is not known
	version     string             // "": not known
}

// remembered is what a prober remembers of a member besides its health; it may be lost.
type remembered struct {
	nodes      wereReady
	unreadable time.Time // since when it answers and cannot be read
	renewed    bool      // the connection was made anew since the last probe that failed
	version    string
	versionAt  time.Time
}

// ask probes, connects, and looks at what the caches have.
func (p *prober) ask(t *task) finding {
	if t.member.Spec.Suspend {
		p.c.fleet.Disconnect(p.name)
		return finding{}
	}
	if t.way.problem != "" {
		return p.cannot(t.way.reason, t.way.problem)
	}
	fresh := p.known.hash != t.way.hash
	if fresh { // nobody may write there before it is known which cluster that is; until then it counts as the one that it was
		p.c.fleet.Disconnect(p.name)
	}
	result, err := probe.Probe(p.ctx, t.way.config, t.member.HealthOptions().Timeout)
	if err != nil {
		return finding{} // the prober ends
	}
	result.At = p.c.now()
	found := finding{Probe: result.Probe}
	p.c.metrics.probed(p.name, result.Latency, found.Cause)
	if found.Cause != health.OK {
		p.memory.unreadable, p.memory.renewed = time.Time{}, false
		return found
	}
	p.identify(t)
	if p.known.waits(result.At, t.member.HealthOptions().Interval) {
		return found // it is asked once more before it is connected
	}
	if fresh && p.c.keeperOf(p.name) != "" {
		return found // it is connected once that is in its status
	}
	if err := p.c.fleet.Connect(p.ctx, p.name, t.way.hash, t.way.config); err != nil {
		return p.cannot(v1alpha1.MemberInvalidKubeconfig, err.Error())
	}
	if m := p.c.fleet.connection(p.name); m != nil {
		p.look(t, m, &found)
	}
	return found
}

// cannot says why there is no way to the member, which ends the connection.
func (p *prober) cannot(reason, problem string) finding {
	p.c.fleet.Disconnect(p.name)
	return finding{Probe: health.Probe{At: p.c.now(), Cause: health.Invalid, Message: problem}, reason: reason}
}

// look adds to a probe that succeeded what the member's caches show, or why they show nothing.
func (p *prober) look(t *task, m *Member, found *finding) {
	broken := m.lookout.brokenSince()
	if !p.memory.renewed && !broken.IsZero() && time.Since(broken) > brokenFor {
		p.renew(t)
	}
	if missing := m.lookout.missing(); len(missing) > 0 {
		p.memory.unreadable = time.Time{}
		found.Cause, found.reason = health.Unauthorized, v1alpha1.MemberForbidden
		found.Message = fmt.Sprintf("its API server is ready, but the credential may not %s: apply manifests/member there", strings.Join(missing, " nor "))
		return
	}
	if m.filled.Load() && broken.IsZero() {
		p.memory.unreadable = time.Time{}
		p.observe(m, found)
		return
	}
	if p.memory.unreadable.IsZero() {
		p.memory.unreadable = found.At
	}
	if found.At.Sub(p.memory.unreadable) > unreadableFor {
		found.Cause, found.reason = health.Unauthorized, v1alpha1.MemberUnreadable
		found.Message = "its API server says that it is ready, but lists of its nodes, pods and workloads do not come: look at its load"
	}
}

// renew makes the connection anew, once after the member has come back: its caches ask again at once. An API server that has
// just started refuses what it grants a moment later, too.
func (p *prober) renew(t *task) {
	p.memory.renewed = true
	p.c.fleet.Disconnect(p.name)
	if err := p.c.fleet.Connect(p.ctx, p.name, t.way.hash, t.way.config); err != nil {
		klog.FromContext(p.ctx).Error(err, "A member that answers again cannot be connected to", "member", p.name)
	}
}

// askVersion asks for the member's version now and then.
func (p *prober) askVersion(m *Member) string {
	if p.memory.version != "" && time.Since(p.memory.versionAt) < versionFor {
		return p.memory.version
	}
	client, err := discovery.NewDiscoveryClientForConfigAndClient(m.config, m.brief)
	if err != nil {
		return p.memory.version
	}
	info, err := client.ServerVersionWithContext(p.ctx)
	if err != nil {
		klog.FromContext(p.ctx).V(2).Info("A member does not say its version", "member", p.name, "err", err)
		return p.memory.version
	}
	p.memory.version, p.memory.versionAt = info.GitVersion, time.Now()
	return p.memory.version
}
