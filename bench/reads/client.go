// SPDX-License-Identifier: Apache-2.0

package reads

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// target is one server's way to be asked.
type target struct {
	client *http.Client
	base   string
}

// newTarget reaches a server as the API server's aggregator does: with the front proxy's certificate, over HTTP/2.
func newTarget(port int, ca []byte, serverName string, proxy tls.Certificate) (*target, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the server's CA has no certificate")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: serverName, Certificates: []tls.Certificate{proxy}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	return &target{client: &http.Client{Transport: transport}, base: fmt.Sprintf("https://127.0.0.1:%d", port)}, nil
}

// get asks for a path as the HPA controller's service account, in protobuf, and returns the body's size.
func (t *target) get(ctx context.Context, path string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+path, nil)
	if err != nil {
		return 0, fmt.Errorf("asking for %s: %w", path, err)
	}
	request.Header = http.Header{
		"Accept":         {"application/vnd.kubernetes.protobuf,application/json"},
		"User-Agent":     {"kube-controller-manager/v1.36.3"},
		"X-Remote-User":  {"system:serviceaccount:kube-system:horizontal-pod-autoscaler"},
		"X-Remote-Group": {"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
	}
	response, err := t.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("asking for %s: %w", path, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return 0, fmt.Errorf("asking for %s: status %d: %s", path, response.StatusCode, body)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return n, fmt.Errorf("reading the answer for %s: %w", path, err)
	}
	return n, nil
}

// burst is what one part of a round saw.
type burst struct {
	perSecond float64
	latencies []time.Duration
}

// loop asks for the paths in turn, with so many clients, each as soon as it has its last answer.
func (t *target) loop(ctx context.Context, paths []string, clients int, length time.Duration) (burst, error) {
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var wg sync.WaitGroup
	began := time.Now()
	for c := range clients {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for i := c; err == nil && time.Since(began) < length; i += clients {
				asked := time.Now()
				if _, err = t.get(ctx, paths[i%len(paths)]); err == nil {
					mine = append(mine, time.Since(asked))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return burst{perSecond: float64(len(all)) / time.Since(began).Seconds(), latencies: all}, errors.Join(errs...)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// spread is the smallest and the largest.
func spread(values []float64) [2]float64 { return [2]float64{slices.Min(values), slices.Max(values)} }

func quantile(latencies []time.Duration, q float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	at := min(int(q*float64(len(latencies))), len(latencies)-1)
	return float64(latencies[at].Microseconds()) / 1000
}
