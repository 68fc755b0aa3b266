// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

const (
	demandAdapter = "demand"
	// probed lets failures of paris last long enough for its demand to be seen: the rule is evaluated every two seconds.
	probed  = `{"spec":{"probe":{"interval":"1s","failedAfter":"12s"},"metrics":{"url":%q}}}`
	probedF = `{"spec":{"probe":{"interval":"1s","failedAfter":"3s"},"metrics":null}}`
)

// The API server of a member is gone, and its pods' metrics still come in: nothing moves and nothing is lowered, however long
// that is and whoever leads. When they stop as well, the member has failed.
func TestFaultMemberServesWithoutItsAPIServer(t *testing.T) {
	s := newScene(t)
	stopMetrics := s.demand(paris)
	s.without(paris)
	s.atLeast(8, berlin, rome)
	mend := s.component(paris, "kill", "start", "kube-apiserver")
	s.keepsServing(paris)
	s.scaleTo(3)
	s.reason(v1alpha1.FederatedScaleDownFrozen)
	s.scaleTo(12)
	s.killScaler() // the next one has not seen any demand
	s.keepsServing(paris)
	s.has("nothing moves", shares{berlin: 6, rome: 2})
	require.NotContains(t, s.thought(paris), v1alpha1.MemberFailed)

	stopMetrics()
	s.moves(v1alpha1.MemberUnreachable)
	mend()
	s.podsAreReady(paris) // it was away for longer than a node may be
	s.returns()
	s.judge(t)
	s.course(berlin, 6, 9, 6)
	s.course(rome, 2, 3, 2)
}

// podsAreReady waits until a member has its replicas again, and does meanwhile what its kubelets do: see setPodsReady.
func (s *scene) podsAreReady(name string) {
	s.t.Helper()
	s.is(name, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.eventually("the pods of "+name+" are Ready", func() error {
		s.setPodsReady(name)
		d := s.deployment()
		if err := s.members[name].client.Get(s.t.Context(), s.key(), d); err != nil {
			return err
		}
		if *d.Spec.Replicas != twelve[name] || d.Status.ReadyReplicas != twelve[name] {
			return fmt.Errorf("%d of %d are Ready", d.Status.ReadyReplicas, *d.Spec.Replicas)
		}
		return nil
	})
}

// keepsServing waits until a member has been failing for twice as long as it takes to be Failed, and is not.
func (s *scene) keepsServing(name string) {
	s.t.Helper()
	began := time.Now()
	s.eventually("it serves in spite of everything", func() error {
		m := &v1alpha1.MemberCluster{}
		if err := s.client.Get(s.t.Context(), types.NamespacedName{Name: name}, m); err != nil {
			return err
		}
		h, says := m.Status.Health, ""
		for _, c := range m.Status.Conditions {
			says = c.Message
		}
		if m.Status.State == v1alpha1.MemberFailed {
			require.FailNow(s.t, "it is Failed", says)
		}
		long := 2 * m.HealthOptions().FailedAfter
		if h.FailingSince == nil || h.Looked.Sub(h.FailingSince.Time) < long || h.Looked.Sub(began) < long || !strings.Contains(says, "its demand metrics still come in") {
			return fmt.Errorf("%s: %+v", says, h)
		}
		require.Equal(s.t, v1alpha1.MemberSuspect, m.Status.State)
		return nil
	})
}

// demand gives a member a Prometheus whose samples come in until the returned function is called, a rule that is read, and the
// hub an adapter, until the test ends.
func (s *scene) demand(name string) (stop func()) {
	s.t.Helper()
	prometheus, push := sourcetest.NewPrometheus(s.t)
	server := httptest.NewServer(prometheus)
	s.t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var pods sync.WaitGroup
	pods.Go(func() {
		for ctx.Err() == nil {
			push(time.Now(), 7, "__name__", "users", "pod", "shop-1")
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
	stop = func() { cancel(); pods.Wait() }
	s.t.Cleanup(stop)

	patch := func(ctx context.Context, text string) error {
		m := &v1alpha1.MemberCluster{}
		m.Name = name
		return s.client.Patch(ctx, m, client.RawPatch(types.MergePatchType, []byte(text)))
	}
	s.breaks(
		func(ctx context.Context) error { return patch(ctx, fmt.Sprintf(probed, server.URL)) },
		func(ctx context.Context) error { return patch(ctx, probedF) })
	metric := "users-" + s.ns
	s.breaks(
		func(ctx context.Context) error {
			return s.hub.ApplyYAML(ctx, `{apiVersion: plimsoll.dev/v1alpha1, kind: ClusterMetricRule, metadata: {name: `+metric+`}, spec: {query: sum(users), interval: 2s, maxAge: 20s, members: Sum}}`)
		},
		func(ctx context.Context) error {
			r := &v1alpha1.ClusterMetricRule{}
			r.Name = metric
			return s.client.Delete(ctx, r)
		})
	s.breaks(
		func(ctx context.Context) error {
			return errors.Join(s.hub.StartAdapter(ctx, demandAdapter, "--prometheus-url="+server.URL), s.hub.WaitAvailable(ctx))
		},
		func(context.Context) error { return s.hub.KillAdapter(demandAdapter) })
	s.read(name, metric)
	return stop
}

// read reads the metric once, which keeps the rule evaluated for minutes, and waits until a sample of the member is known.
func (s *scene) read(name, metric string) {
	s.t.Helper()
	clients, err := kubernetes.NewForConfig(s.hub.RESTConfig)
	require.NoError(s.t, err)
	get := func(path string) ([]byte, error) {
		return clients.RESTClient().Get().AbsPath(path).DoRaw(s.t.Context())
	}
	s.eventually("demand of "+name, func() error {
		if _, err := get("/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.ns + "/" + metric); err != nil {
			return err
		}
		body, err := get("/apis/query.plimsoll.dev/v1alpha1/memberdemands")
		if err != nil {
			return err
		}
		list := &explain.MemberDemandList{}
		if err := json.Unmarshal(body, list); err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].Metadata.Name != name || len(list.Items[0].Samples) != 1 || list.Items[0].Samples[0].Rule != metric {
			return fmt.Errorf("the list is %s", body)
		}
		return nil
	})
}
