// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// startWithin is how long a process may take to be ready, an account to have its rights, and the API server to reach an adapter.
const startWithin = 4 * time.Minute

// untilReady returns when the process at the address, such as https://127.0.0.1:1, says that it is ready.
func untilReady(ctx context.Context, process *child, address string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(startWithin, func() { cancel(fmt.Errorf("it was not ready within %s", startWithin)) })
	defer limit.Stop()
	client := newProber()
	defer client.CloseIdleConnections()
	return eventually(ctx, func(ctx context.Context) error {
		if err := process.ended(); err != nil {
			cancel(err) // nothing to wait for
			return err
		}
		return isReady(ctx, client, address)
	})
}

// newProber returns a client that, like the kubelet's, does not verify the certificate of what it probes.
func newProber() *http.Client {
	return &http.Client{
		Timeout:   probePeriod,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // see above
	}
}

// isReady returns nil if the process at the address says that it is ready.
func isReady(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it is not ready: %s: %s", response.Status, body)
	}
	return nil
}
