// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

// probeStep is the time between two attempts of a probe, probeTimeout the time that one may take.
const (
	probeStep    = 50 * time.Millisecond
	probeTimeout = 5 * time.Second
)

// probeURL is where a component says that it is ready.
func (s *State) probeURL(component string) string {
	switch component {
	case components.Etcd:
		return fmt.Sprintf("http://127.0.0.1:%d/readyz", s.Ports.Etcd)
	case components.APIServer:
		return s.Server + "/readyz"
	case components.ControllerManager:
		return fmt.Sprintf("https://127.0.0.1:%d/healthz", s.Ports.ControllerManager)
	case components.Scheduler:
		return fmt.Sprintf("https://127.0.0.1:%d/readyz", s.Ports.Scheduler)
	case components.Kwok:
		return fmt.Sprintf("http://127.0.0.1:%d/readyz", s.Ports.Kwok)
	case components.Prometheus:
		return s.PrometheusURL + "/-/ready"
	}
	return ""
}

// connection is an administrator's access to a cluster.
type connection struct {
	http   *http.Client
	client kubernetes.Interface
}

func (s *State) connect() (*connection, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = float32(s.Options.KubeAPIQPS), 2*s.Options.KubeAPIQPS
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	return &connection{http: httpClient, client: client}, nil
}

// probe returns nil if the component says that it is ready.
func (s *State) probe(ctx context.Context, c *connection, component string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.probeURL(component), nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", component, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", component, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s: %s", component, response.Status, body)
	}
	return nil
}

// defaultAccountReady returns nil once pods can be created in the namespace default.
func defaultAccountReady(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get the service account default: %w", err)
	}
	return nil
}

// eventually tries until check succeeds, the context ends or a process of the cluster does.
func eventually(ctx context.Context, died func() error, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if death := died(); death != nil {
			return death
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(probeStep):
		}
	}
}
