// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// leader is the name of the scaler that holds the Lease now.
func (w *world) leader() (string, error) {
	lease := new(coordinationv1.Lease)
	key := types.NamespacedName{Namespace: stack.Namespace, Name: stack.Scaler}
	if err := w.client.Get(context.Background(), key, lease); err != nil {
		return "", err
	}
	// The holder is host_uuid; who it is, the scalers say themselves, in a metric.
	for i := range replicas {
		name := scalerName(i)
		if address := w.ScalerAddress(name); address != "" && leads(address) {
			return name, nil
		}
	}
	return "", fmt.Errorf("none of the scalers leads; the Lease is held by %q", ptr.Deref(lease.Spec.HolderIdentity, ""))
}

// leads says whether the scaler at an address says so in its metrics.
func leads(address string) bool {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return err == nil && regexp.MustCompile(`(?m)^leader_election_master_status\{[^}]*\} 1$`).Match(body)
}

// theLeader waits until a scaler leads.
func (w *world) theLeader(t *testing.T) string {
	t.Helper()
	var name string
	stacktest.Eventually(t, "a leader", func() error {
		var err error
		name, err = w.leader()
		return err
	})
	return name
}

// scalerFlags make a change of leader short, as long as the tests' machine is not at a standstill.
func scalerFlags() []string {
	return []string{"--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s"}
}

// startScaler starts a scaler again that was ended.
func (w *world) startScaler(t *testing.T, name string, flags ...string) {
	t.Helper()
	require.NoError(t, w.StartScaler(context.Background(), name, append(scalerFlags(), flags...)...))
}

// withoutScalers kills all scalers, does something, and starts them again.
func (w *world) withoutScalers(t *testing.T, do func()) {
	t.Helper()
	w.killingScalersAfter(t, func() {}, do)
}

// killingScalersAfter is withoutScalers with something to do just before they are killed. Others wait meanwhile.
func (w *world) killingScalersAfter(t *testing.T, last, do func()) {
	t.Helper()
	w.scalers.Lock()
	defer w.scalers.Unlock()
	last()
	for i := range replicas {
		require.NoError(t, w.KillScaler(scalerName(i)))
	}
	defer func() {
		for i := range replicas {
			w.startScaler(t, scalerName(i))
		}
	}()
	do()
}
