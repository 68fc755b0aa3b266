// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"net/http"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
)

// Member is a connection to a member cluster.
type Member struct {
	// Client reads from memory what is cached (nodes, pods, workloads, HPAs, quotas: see cacheOptions), and asks the member
	// for anything else; it writes to the member.
	client.Client

	name, hash string
	config     *rest.Config
	cluster    cluster.Cluster
	filled     atomic.Bool

	ctx    context.Context //nolint:containedctx // the connection's own life
	cancel context.CancelFunc
}

func newMember(ctx context.Context, name, hash string, config *rest.Config, scheme *runtime.Scheme) (*Member, error) {
	config = rest.AddUserAgent(config, "plimsoll-scaler")
	config.QPS, config.Burst = memberQPS, memberBurst
	connection, err := cluster.New(config, func(o *cluster.Options) {
		o.Scheme, o.Cache, o.Logger = scheme, cacheOptions(), klog.Background()
	})
	if err != nil {
		return nil, err
	}
	m := &Member{Client: connection.GetClient(), name: name, hash: hash, config: config, cluster: connection}
	m.ctx, m.cancel = context.WithCancel(ctx)
	return m, nil
}

// The requests to one member's API server: a failover writes hundreds of scales there at once.
const (
	memberQPS   = 100
	memberBurst = 200
)

// Name of the MemberCluster.
func (m *Member) Name() string { return m.name }

// Cache has the informers, to add handlers to in OnConnect.
func (m *Member) Cache() cache.Cache { return m.cluster.GetCache() }

// HTTPClient is the one of the connection: verified TLS, no time-out of its own.
func (m *Member) HTTPClient() *http.Client { return m.cluster.GetHTTPClient() }

// Config returns a copy of the connection's configuration.
func (m *Member) Config() *rest.Config { return rest.CopyConfig(m.config) }

func (m *Member) ended() bool { return m.ctx.Err() != nil }

// run fills the caches and keeps them so until the connection ends.
func (m *Member) run() {
	defer m.cancel()
	go func() {
		if m.Cache().WaitForCacheSync(m.ctx) {
			m.filled.Store(true)
		}
	}()
	if err := m.cluster.Start(m.ctx); err != nil && m.ctx.Err() == nil {
		klog.Background().Error(err, "The connection to a member has ended", "member", m.name)
	}
	m.filled.Store(false)
}
