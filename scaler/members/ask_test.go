// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// front is a member's API server as far as it says whether it is ready and which cluster it is.
type front struct {
	ready   atomic.Bool
	cluster atomic.Pointer[string] // "": it may not be asked; nil: no answer comes
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/readyz":
		if !f.ready.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	case "/api/v1/namespaces/kube-system":
		switch id := f.cluster.Load(); {
		case id == nil:
			<-r.Context().Done()
		case *id == "":
			w.WriteHeader(http.StatusForbidden)
		default:
			_, _ = fmt.Fprintf(w, `{"kind": "Namespace", "metadata": {"uid": %q}}`, *id)
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// asker is a prober that asks a front whenever a test says so.
type asker struct {
	*prober
	front  *front
	config *rest.Config
	now    time.Time
}

// newAsker makes one of a MemberCluster east, of which others have these claims.
func newAsker(t *testing.T, member *v1alpha1.MemberCluster, claims map[string]claim) *asker {
	t.Helper()
	a := &asker{front: &front{}, now: noon}
	a.front.ready.Store(true)
	server := httptest.NewTLSServer(a.front)
	t.Cleanup(server.Close)
	a.config = &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{
		CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}}
	scheme := clustertest.Scheme(t)
	c := fleetOf(claims)
	c.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(member).WithStatusSubresource(member).Build()
	c.fleet, c.metrics, c.events = NewFleet(scheme), newMetrics(), events.NewFakeRecorder(100)
	c.judged, c.now = map[string]health.Member{}, func() time.Time { return a.now }
	c.demand = newDemandWatch(nil, c.fleet, c.now)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c.life = ctx
	a.prober = newProber(c, member)
	c.probers[member.Name] = a.prober
	c.claims[member.Name] = claim{cluster: a.known.ID, created: a.created}
	return a
}

// with asks by a kubeconfig.
func (a *asker) with(member *v1alpha1.MemberCluster, hash string) finding {
	a.now = a.now.Add(time.Second)
	a.found = a.ask(&task{member: member, way: way{config: a.config, hash: hash}})
	return a.found
}

func (a *asker) says(id string) { a.front.cluster.Store(&id) }

func east(t *testing.T, spec string) *v1alpha1.MemberCluster {
	m := parse[v1alpha1.MemberCluster](t, "{metadata: {name: east, uid: 1-2}, spec: {"+spec+"}}")
	m.CreationTimestamp = metav1.Time{Time: noon}
	return m
}

// A duplicate stays one whatever a new kubeconfig does not say; only another cluster's name ends it.
func TestNewKubeconfigKeepsTheClaim(t *testing.T) {
	member := east(t, "")
	a := newAsker(t, member, map[string]claim{"older": {"1", noon.Add(-time.Hour)}})
	a.says("1")
	a.with(member, "a")
	require.Equal(t, "older", a.c.keeperOf("east"))
	require.Nil(t, a.c.fleet.connection("east"), "not before its status says so")
	a.with(member, "a")
	require.NotNil(t, a.c.fleet.connection("east"))

	a.front.ready.Store(false)
	a.with(member, "b")
	require.Equal(t, "older", a.c.keeperOf("east"), "it does not answer by the new one")
	require.Nil(t, a.c.fleet.connection("east"), "nobody writes by the old one")
	a.front.ready.Store(true)
	a.says("")
	require.Equal(t, health.OK, a.with(member, "b").Cause)
	require.Equal(t, "older", a.c.keeperOf("east"), "it may not be asked")
	require.Equal(t, "1", a.known.ID)
	require.True(t, a.known.Refused)
	a.with(member, "b")
	require.Equal(t, "older", a.c.keeperOf("east"))

	a.says("2")
	a.with(member, "b")
	require.Empty(t, a.c.keeperOf("east"))
	require.Equal(t, "2", a.known.ID)
	require.False(t, a.known.Refused)
}

// A restarted hub keeps what the status says, too.
func TestRefusedIdentityStaysAsTheStatusSays(t *testing.T) {
	member := east(t, "")
	member.Status.ClusterID = "1"
	a := newAsker(t, member, map[string]claim{"older": {"1", noon.Add(-time.Hour)}})
	a.says("")
	a.with(member, "a")
	require.Equal(t, "older", a.c.keeperOf("east"))
}

// By a new kubeconfig nobody is connected for an interval to what does not say in time which cluster it is.
func TestSilentIdentityIsConnectedLater(t *testing.T) {
	member := east(t, "probe: {interval: 10s, timeout: 5s}")
	a := newAsker(t, member, nil)
	require.Equal(t, health.OK, a.with(member, "a").Cause)
	require.Nil(t, a.c.fleet.connection("east"))
	a.with(member, "a")
	require.Nil(t, a.c.fleet.connection("east"), "the interval is not over")
	a.now = a.now.Add(10 * time.Second)
	a.with(member, "a")
	require.NotNil(t, a.c.fleet.connection("east"))

	a.says("")
	a.with(member, "b")
	require.NotNil(t, a.c.fleet.connection("east"), "a right that is refused is no silence")
}

// What is drained is noted with what is thought of it: the hub does not suspect itself for it.
func TestJudgeNotesDrain(t *testing.T) {
	member := east(t, "")
	proven := v1alpha1.MemberHealth{Cause: string(health.Unreachable), Proven: true}
	member.Status = v1alpha1.MemberClusterStatus{State: v1alpha1.MemberFailed, Since: &metav1.Time{Time: noon}, Health: &proven}
	a := newAsker(t, member, nil)
	a.found = finding{Probe: health.Probe{At: noon, Cause: health.Unreachable, Message: "it is gone"}}
	a.judge(&task{member: member})
	require.True(t, a.c.doubt.Suspect)
	require.Contains(t, a.c.doubt.Message, "drained")
	member = member.DeepCopy()
	member.Spec.Drain = true
	a.judge(&task{member: member})
	require.False(t, a.c.doubt.Suspect)
}
