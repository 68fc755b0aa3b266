// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/members/kubeconfig"
)

// The requests to one member's API server: a failover writes hundreds of scales there at once.
const (
	memberQPS   = 100
	memberBurst = 200
)

// answerWithin is how long one request to a member may take, watches and the lists that fill the caches apart.
const answerWithin = 15 * time.Second

// dialWithin is how long it may take to reach a member.
const dialWithin = 10 * time.Second

// snapshotFor is how long a snapshot counts as new: many workloads are divided by the same one.
const snapshotFor = 3 * time.Second

// Member is a connection to a member cluster.
type Member struct {
	// Client reads from memory what is cached (nodes, pods, Deployments, StatefulSets, HPAs and quotas, as typed objects,
	// trimmed), and asks the member for anything else; it writes to the member. What it asks takes 15 seconds at most.
	client.Client

	name, hash string
	config     *rest.Config
	http       *http.Client // without a time-out: for what goes on
	brief      *http.Client // for questions
	cache      cache.Cache
	lookout    *lookout
	filled     atomic.Bool

	ctx    context.Context //nolint:containedctx // the connection's own life
	cancel context.CancelFunc

	snapshotMu sync.Mutex
	snapshot   *capacity.Snapshot
	taken      time.Time
}

func newMember(ctx context.Context, name, hash string, config *rest.Config, scheme *runtime.Scheme) (*Member, error) {
	config = rest.AddUserAgent(rest.CopyConfig(config), "plimsoll-scaler")
	config.QPS, config.Burst = memberQPS, memberBurst
	// A dialer of its own gives the connection a transport of its own: one that is made anew must not get what is left of
	// the old one.
	config.Dial = (&net.Dialer{Timeout: dialWithin, KeepAlive: 30 * time.Second}).DialContext
	m := &Member{name: name, hash: hash, config: config, lookout: newLookout()}
	var err error
	if m.http, err = kubeconfig.Client(config); err != nil {
		return nil, err
	}
	m.brief = &http.Client{Transport: m.http.Transport, CheckRedirect: m.http.CheckRedirect, Timeout: answerWithin}
	discovered, err := apiutil.NewDynamicRESTMapper(config, m.brief)
	if err != nil {
		return nil, err
	}
	known, err := knownKinds(scheme)
	if err != nil {
		return nil, err
	}
	mapper := meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{known, discovered}}
	options := cacheOptions()
	options.Scheme, options.Mapper = scheme, mapper
	options.HTTPClient = &http.Client{Transport: lookoutTripper{m.lookout, m.http.Transport}, CheckRedirect: m.http.CheckRedirect}
	if m.cache, err = cache.New(config, options); err != nil {
		return nil, err
	}
	direct, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper, HTTPClient: m.brief})
	if err != nil {
		return nil, err
	}
	m.Client = partlyCached{Client: direct, cached: m.cache}
	m.ctx, m.cancel = context.WithCancel(ctx)
	return m, nil
}

// Name of the MemberCluster.
func (m *Member) Name() string { return m.name }

// Cache has the informers, to add handlers to in OnConnect.
func (m *Member) Cache() cache.Cache { return m.cache }

// HTTPClient is the one of the connection: verified TLS, no time-out of its own.
func (m *Member) HTTPClient() *http.Client { return m.http }

// Config returns a copy of the connection's configuration.
func (m *Member) Config() *rest.Config { return rest.CopyConfig(m.config) }

// Snapshot returns what nodes and pods there are, a few seconds old at most where the member still answers.
func (m *Member) Snapshot(ctx context.Context) (*capacity.Snapshot, error) {
	return m.snapshotOf(ctx, snapshotFor)
}

// snapshotOf returns a snapshot that was taken within a time.
func (m *Member) snapshotOf(ctx context.Context, age time.Duration) (*capacity.Snapshot, error) {
	m.snapshotMu.Lock()
	defer m.snapshotMu.Unlock()
	if m.snapshot != nil && time.Since(m.taken) < age {
		return m.snapshot, nil
	}
	taken := time.Now()
	s, err := capacity.Take(ctx, m.cache)
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", m.name, err)
	}
	m.snapshot, m.taken = s, taken
	return s, nil
}

func (m *Member) ended() bool { return m.ctx.Err() != nil }

// run fills the caches and keeps them so until the connection ends.
func (m *Member) run(onConnect []OnConnect) {
	defer m.end()
	running := make(chan struct{})
	go func() {
		defer close(running)
		if err := m.cache.Start(m.ctx); err != nil {
			klog.Background().Error(err, "The caches of a member cannot be started", "member", m.name)
			m.cancel()
		}
	}()
	if m.watch(onConnect) && m.cache.WaitForCacheSync(m.ctx) {
		m.filled.Store(true)
		klog.Background().Info("Connected to a member", "member", m.name, "server", m.config.Host)
	} else {
		m.cancel()
	}
	<-running
}

func (m *Member) end() {
	m.filled.Store(false)
	m.cancel()
	utilnet.CloseIdleConnectionsFor(m.http.Transport)
}

// watch starts the informers of everything that is cached, and lets others watch.
func (m *Member) watch(onConnect []OnConnect) bool {
	for _, object := range cached() {
		if _, err := m.cache.GetInformer(m.ctx, object, cache.BlockUntilSynced(false)); err != nil {
			klog.Background().Error(err, "A kind of a member cannot be watched", "member", m.name)
			return false
		}
	}
	for _, do := range onConnect {
		if err := do(m.ctx, m); err != nil {
			if !m.ended() {
				klog.Background().Error(err, "A member cannot be watched; it is connected again", "member", m.name)
			}
			return false
		}
	}
	return true
}
