// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Prometheus is down for ten times maxAge.
func TestFaultPrometheusDown(t *testing.T) {
	s := newStage(t)
	reads := s.read(t, 2, 50*time.Millisecond)
	s.restores(t, "start", "prometheus")
	begin := time.Now()
	s.component(t, "stop", "prometheus")
	down := time.Now()
	for _, rule := range []string{s.users, s.orders} {
		s.says(t, "", rule, v1alpha1.ReasonSourceUnreachable, s.realSource)
	}
	time.Sleep(time.Until(down.Add(10 * maxAge))) // the outage's length is what is tested

	require.NotEmpty(t, reads.since(begin, succeeded), "the last good values are served for a while")
	reads.requireErrorsSince(t, down.Add(maxAge+time.Second), "cannot be reached")
	s.component(t, "start", "prometheus")
	s.comesBack(t, s.realSource)
	reads.requireAnswered(t)
	reads.stop()
	s.stillScales(t)
}

// comesBack waits until the source answers with new samples; values must then be back within two intervals.
func (s *stage) comesBack(t *testing.T, source string) {
	t.Helper()
	stacktest.Eventually(t, "new samples in the source", func() error { return s.fresh(source) })
	answers := time.Now()
	stacktest.Eventually(t, "values", s.hasValues)
	require.Less(t, time.Since(answers), 2*interval+slack, "the time until values are back")
	s.isWell(t)
	for _, rule := range []string{s.users, s.orders} {
		s.says(t, "", rule, v1alpha1.ReasonWorking, "")
	}
}

// fresh returns nil if the source itself has samples not older than a rule's evaluation would accept.
func (s *stage) fresh(source string) error {
	query := fmt.Sprintf("count(users{namespace=%q} or orders{namespace=%q})", s.ns, s.ns)
	client := http.Client{Timeout: readDeadline}
	response, err := client.Get(source + "/api/v1/query?lookback_delta=2s&query=" + url.QueryEscape(query))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && !strings.Contains(string(body), fmt.Sprintf("%q", fmt.Sprint(steadyReplicas+1))) {
		err = fmt.Errorf("it says %s", body)
	}
	return err
}

// Prometheus takes connections and never answers. Reads are answered all the same, also those of a rule that rested.
func TestFaultPrometheusPaused(t *testing.T) {
	s := newStage(t)
	s.apply(t, s.ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: resting, namespace: $NS}
spec: {query: sum(orders), interval: 5s, maxAge: 10s}
`)
	s.says(t, s.ns, "resting", v1alpha1.ReasonIdle, "1 series")
	reads := s.read(t, 2, 50*time.Millisecond)
	s.restores(t, "resume", "prometheus")
	s.component(t, "pause", "prometheus")
	paused := time.Now()
	for _, rule := range []string{s.users, s.orders} {
		s.says(t, "", rule, v1alpha1.ReasonTimedOut, "did not answer in time")
	}
	time.Sleep(time.Until(paused.Add(2 * maxAge))) // the outage's length
	resting := s.ask(question{path: "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.ns + "/resting"})
	require.Error(t, resting.err)
	require.False(t, resting.unanswered(), "%s", resting)
	reads.requireErrorsSince(t, paused.Add(maxAge+time.Second), "did not answer in time")

	s.component(t, "resume", "prometheus")
	s.comesBack(t, s.realSource)
	reads.requireAnswered(t)
	reads.stop()
	s.stillScales(t)
}
