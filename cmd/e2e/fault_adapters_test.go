// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// All adapters are away for several of the HPA's periods, and come back.
func TestFaultAllAdaptersDown(t *testing.T) {
	s := newStage(t)
	reads := s.read(t, 2, 50*time.Millisecond)
	t.Cleanup(func() { s.startMissing(t) })
	for _, name := range adapterNames() {
		require.NoError(t, s.KillAdapter(name))
	}
	down := time.Now()
	deleted := s.makeAndDeleteNamespace(t)
	time.Sleep(time.Until(down.Add(12 * time.Second))) // six periods of the HPA
	require.Empty(t, reads.since(down, succeeded))
	for _, name := range []string{"shop", "worker"} {
		require.Contains(t, s.hpaSays(s.ns, name), "ScalingActive=False")
		hpa, err := s.cluster.AutoscalingV2().HorizontalPodAutoscalers(s.ns).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		require.EqualValues(t, steadyReplicas, hpa.Status.DesiredReplicas)
		got, err := s.replicas(s.ns, name)
		require.NoError(t, err)
		require.EqualValues(t, steadyReplicas, got)
	}

	s.startMissing(t)
	s.isWell(t)
	s.goes(t, s.makeAndDeleteNamespace(t))
	s.goes(t, deleted)
	reads.stop()
	s.stillScales(t)
}

// makeAndDeleteNamespace returns the name of a namespace that is on its way out.
func (s *stage) makeAndDeleteNamespace(t *testing.T) string {
	t.Helper()
	namespaces := s.cluster.CoreV1().Namespaces()
	ns, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "gone-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, namespaces.Delete(t.Context(), ns.Name, metav1.DeleteOptions{}))
	return ns.Name
}

// goes waits until a namespace is gone: as long as discovery fails for one API, none goes.
func (s *stage) goes(t *testing.T, ns string) {
	t.Helper()
	stacktest.Eventually(t, "the end of namespace "+ns, func() error {
		got, err := s.cluster.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it says %v", got.Status.Conditions)
		}
		return err
	})
}

// startMissing starts the adapters that do not run.
func (s *stage) startMissing(t *testing.T) {
	t.Helper()
	for _, name := range adapterNames() {
		if s.AdapterPID(name) == 0 {
			require.NoError(t, s.StartAdapter(context.Background(), name))
		}
	}
	require.NoError(t, s.WaitAvailable(context.Background()))
}

// A replica is killed under load: only reads that were on their way to it may fail. The API server sends its reads to one
// replica at a time, so each of the three is killed in turn: at least one of them was being read.
func TestFaultAdapterKilledUnderLoad(t *testing.T) {
	s := newStage(t)
	names := append(adapterNames(), "third")
	require.NoError(t, s.StartAdapter(t.Context(), "third"))
	t.Cleanup(func() {
		require.NoError(t, s.KillAdapter("third"))
		s.startMissing(t)
	})
	const readers = 4
	reads := s.read(t, readers, 5*time.Millisecond)
	hit := 0
	for _, name := range names {
		begin := time.Now()
		require.NoError(t, s.KillAdapter(name))
		killed := time.Now()
		s.goesOnFor(t, reads, 2*time.Second)
		lost := reads.since(begin.Add(-readDeadline), failed)
		hit += len(lost)
		require.LessOrEqual(t, len(lost), 2*readers, "more failed than were on their way: %v", lost)
		require.Empty(t, reads.since(killed.Add(readDeadline), failed), "reads after the end of %s", name)
		require.NoError(t, s.StartAdapter(t.Context(), name))
	}
	t.Logf("%d of %d reads failed in three kills", hit, len(reads.since(time.Time{}, func(read) bool { return true })))
	reads.stop()
	s.stillScales(t)
}

// goesOnFor waits for so long, and for reads that succeed after that.
func (s *stage) goesOnFor(t *testing.T, reads *log, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	begin := time.Now()
	stacktest.Eventually(t, "a good read", func() error {
		if len(reads.since(begin, succeeded)) == 0 {
			return fmt.Errorf("none since %s", begin.Format(time.TimeOnly))
		}
		return nil
	})
}

// Every replica is asked to end and is replaced, one after the other, as in a rolling update: no read fails.
func TestFaultAdapterStopsGracefully(t *testing.T) {
	s := newStage(t)
	t.Cleanup(func() { s.startMissing(t) })
	reads := s.read(t, 4, 5*time.Millisecond)
	s.goesOnFor(t, reads, time.Second)
	for _, name := range adapterNames() {
		s.stopInOrder(t, name)
		require.NoError(t, s.StartAdapter(t.Context(), name))
		s.goesOnFor(t, reads, time.Second)
	}
	reads.stop()
	require.Empty(t, reads.since(time.Time{}, failed), "reads that failed")
	s.stillScales(t)
}

// stopInOrder sends SIGTERM and lets the balancer find out by its probes, as endpoints are found out in a cluster.
func (s *stage) stopInOrder(t *testing.T, name string) {
	t.Helper()
	pid := s.AdapterPID(name)
	require.NoError(t, s.SignalAdapter(name, syscall.SIGTERM))
	stacktest.Eventually(t, "the end of "+name, func() error {
		if err := syscall.Kill(pid, 0); err == nil {
			return fmt.Errorf("process %d runs", pid)
		}
		return nil
	})
	require.NoError(t, s.StopAdapter(name), "its exit status")
}

// The API server is killed, and comes back.
func TestFaultAPIServerRestarts(t *testing.T) {
	s := newStage(t)
	reads := s.read(t, 2, 50*time.Millisecond)
	s.restores(t, "start", "kube-apiserver")
	s.component(t, "kill", "kube-apiserver")
	down := time.Now()
	time.Sleep(time.Until(down.Add(2 * maxAge))) // the outage's length
	require.Empty(t, reads.since(down, succeeded))
	for _, name := range adapterNames() {
		s.isAlive(t, name)
	}

	s.component(t, "start", "kube-apiserver")
	s.isWell(t)
	require.NoError(t, s.WaitAvailable(t.Context()))
	reads.stop()
	s.apply(t, s.ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: afterwards, namespace: $NS}
spec: {query: sum(orders) + 1, interval: 5s, maxAge: 10s}
`)
	stacktest.Eventually(t, "the value of a rule that came after the restart", func() error {
		r := s.ask(question{"/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.ns + "/afterwards", 1, fmt.Sprint(ordersWaiting + 1)})
		if r.err == nil {
			require.NoError(t, r.wrong)
		}
		return r.err
	})
	s.stillScales(t)
}

// isAlive: a kubelet would not restart the adapter because the API server is away.
func (s *stage) isAlive(t *testing.T, name string) {
	t.Helper()
	// Like the kubelet's, this client does not verify the certificate of what it probes.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: readDeadline}).Get("https://" + s.AdapterAddress(name) + "/livez")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode, "/livez of %s", name)
}
