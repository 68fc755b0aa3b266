// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Whatever the day's length, each part of it has the time that it needs with default settings.
func TestPlotHasTime(t *testing.T) {
	h := health.DefaultOptions()
	moved := h.Interval + 2*time.Second + v1alpha1.DefaultFailoverAfter // at the latest: it died right after it was asked
	for length := Shortest; length <= time.Hour; length += 10 * time.Second {
		p := plotOf(length)
		require.Less(t, p.risen, p.dies)
		require.Less(t, p.dies+moved+p.nodeDelay+podDelay, p.surge, "%s: the reserve is whole again when the crowd comes", length)
		require.Less(t, p.back, p.surge)
		require.Less(t, p.surge+p.nodeDelay/2, p.back+h.HealthyAfter, "%s: the crowd is judged by the survivors", length)
		returned := p.back + 10*time.Second + h.Interval + h.HealthyAfter + p.returnAfter + 4*p.returnAfter/5 // a quarter at a time
		require.Less(t, returned, p.length+late, length)
		require.Equal(t, quietUsers, p.users(0))
		require.Equal(t, peakUsers, p.users(p.risen))
		require.Equal(t, peakUsers, p.users(p.surge-1))
		require.Equal(t, peakUsers+surgeUsers, p.users(p.surge))
	}
}

func TestOptions(t *testing.T) {
	require.NoError(t, Options{Duration: DefaultDuration}.Validate())
	require.ErrorContains(t, Options{Duration: Shortest - time.Second}.Validate(), "at least 5m0s")
	require.ErrorContains(t, Options{Duration: Shortest + time.Millisecond}.Validate(), "whole number of seconds")
}

func TestExporter(t *testing.T) {
	e, err := serve()
	require.NoError(t, err)
	defer func() { require.NoError(t, e.close()) }()
	e.users.Store(3000)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.address()+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `online_users{namespace="shop"} 3000`)
	require.Contains(t, string(body), `online_users{namespace="shop-alone"} 1000`)
}

func TestUnschedulable(t *testing.T) {
	waits := func() *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}}}
	}
	require.True(t, unschedulable(waits()))
	bound, nominated, young := waits(), waits(), waits()
	bound.Spec.NodeName, nominated.Status.NominatedNodeName, young.Status.Conditions = "a", "a", nil
	for _, pod := range []*corev1.Pod{bound, nominated, young} {
		require.False(t, unschedulable(pod))
	}
}

// A frame fits the terminal; lines are plain where there is none.
func TestView(t *testing.T) {
	o := &observation{Sample: report.Sample{
		At: 90 * time.Second, Users: 3600, Desired: 36, Alone: report.Shop{Desired: 12, Ready: 11},
		Members: map[string]report.Member{
			"berlin": {Answers: true, State: "Healthy", Replicas: 20, Ready: 18, Nodes: 6, Goal: 20, Room: 4800},
			"paris":  {State: "Failed", Away: true},
			"rome":   {Answers: true, State: "Healthy", Replicas: 16, Ready: 16, Nodes: 4, Goal: 16, Room: 3200},
		},
	}, said: v1alpha1.FederatedFailedOver}
	n := &news{}
	for range 40 {
		n.say(80*time.Second, "%s", strings.Repeat("something happened ", 20))
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	v := newView(out)
	require.Nil(t, v.terminal)
	for _, s := range []size{{80, 24}, {40, 10}, {200, 60}} {
		frame := v.frame(o, n, plotOf(DefaultDuration), "/somewhere/kubeconfig", s)
		require.LessOrEqual(t, strings.Count(frame, "\n")+1, s.height)
		require.LessOrEqual(t, lipgloss.Width(frame), s.width)
	}
	require.Contains(t, v.frame(o, n, plotOf(DefaultDuration), "/k", size{120, 24}), "no answer")
	require.Equal(t, " 1:30  users 3600, asked for 36 | berlin 18/20 reserve 4.8 | paris no answer | rome 16/16 reserve 3.2 | alone 11/12", line(o))
}

// What the news tell is what changed.
func TestNews(t *testing.T) {
	member := func(state string, away bool, nodes int) *observation {
		o := &observation{Sample: report.Sample{Members: map[string]report.Member{}}}
		for _, name := range names() {
			o.Members[name] = report.Member{Answers: true, State: "Healthy", Nodes: 4}
		}
		o.Members[lost] = report.Member{Answers: true, State: state, Away: away, Nodes: nodes}
		return o
	}
	n := &news{}
	for _, o := range []*observation{member("Healthy", false, 4), member("Failed", false, 4), member("Failed", true, 4), member("Healthy", true, 5), member("Healthy", false, 5)} {
		n.compare(o)
	}
	require.Equal(t, []string{
		" 0:00  paris is Failed", " 0:00  the replicas of paris are with the others", " 0:00  paris is Healthy",
		" 0:00  paris has 5 nodes: pods had found no room", " 0:00  paris has its share again",
	}, n.lines)
}
