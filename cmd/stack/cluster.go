// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ClusterOptions say what a local cluster is like.
type ClusterOptions struct {
	// Name is the cluster's name, a DNS label. Default: hub.
	Name string
	// Dir is the cluster's folder. Required.
	Dir string
	// Nodes is the number of nodes. Default: 4.
	Nodes int
	// HPASyncPeriod is the time between two decisions of the HPA controller. Default: 5s.
	HPASyncPeriod time.Duration
	// PrometheusConfig is the configuration file of a Prometheus server; "" for none.
	PrometheusConfig string
	// Arguments are further flags of `localcluster up`.
	Arguments []string
	// Progress gets what takes time, a line at a time. Default: nowhere.
	Progress io.Writer
}

// Cluster is a running local cluster.
type Cluster struct {
	// RESTConfig is an administrator's, without client-side rate limits.
	RESTConfig *rest.Config
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// PrometheusURL is "" without a Prometheus.
	PrometheusURL string

	program  string
	dir      string
	progress io.Writer
	// spare are ports on 127.0.0.1 that nobody else uses while the cluster runs.
	spare []int
}

// clusterStatus is what we need of `localcluster status --output json`.
type clusterStatus struct {
	Kubeconfig    string `json:"kubeconfig"`
	PrometheusURL string `json:"prometheusURL"`
	Ports         struct {
		Spare []int `json:"spare"`
	} `json:"ports"`
}

func (o *ClusterOptions) complete() {
	if o.Name == "" {
		o.Name = "hub"
	}
	if o.Nodes == 0 {
		o.Nodes = 4
	}
	if o.HPASyncPeriod == 0 {
		o.HPASyncPeriod = 5 * time.Second
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
}

// StartCluster starts a cluster without anything of Plimsoll in it, and returns when it is ready. It ends by Stop or
// with this process.
func StartCluster(ctx context.Context, options ClusterOptions) (*Cluster, error) {
	options.complete()
	found, err := findBinaries(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	return startCluster(ctx, found.localcluster, options)
}

func startCluster(ctx context.Context, program string, options ClusterOptions) (*Cluster, error) {
	c := &Cluster{program: program, dir: options.Dir, progress: options.Progress}
	arguments := []string{
		"up", "--name", options.Name, "--nodes", strconv.Itoa(options.Nodes),
		"--hpa-sync-period", options.HPASyncPeriod.String(), "--parent-pid", strconv.Itoa(os.Getpid()),
	}
	if options.PrometheusConfig != "" {
		arguments = append(arguments, "--prometheus-config", options.PrometheusConfig)
	}
	if _, err := c.run(ctx, append(arguments, options.Arguments...)...); err != nil {
		return nil, err
	}
	if err := c.connect(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// connect learns where the cluster is.
func (c *Cluster) connect(ctx context.Context) error {
	output, err := c.run(ctx, "status", "--output", "json")
	if err != nil {
		return err
	}
	var status clusterStatus
	if err := json.Unmarshal(output, &status); err != nil {
		return fmt.Errorf("read the status of the local cluster: %w", err)
	}
	c.Kubeconfig, c.PrometheusURL, c.spare = status.Kubeconfig, status.PrometheusURL, status.Ports.Spare
	c.RESTConfig, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig of the local cluster: %w", err)
	}
	c.RESTConfig.QPS = -1
	return nil
}

// Component does a verb (start, stop, kill, restart, pause, resume) to a component of the cluster, such as
// kube-apiserver or prometheus, and returns when it is done.
func (c *Cluster) Component(ctx context.Context, verb, component string) error {
	_, err := c.run(ctx, verb, component)
	return err
}

// Stop ends the cluster and removes its files.
func (c *Cluster) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	_, err := c.run(ctx, "down")
	return err
}

// takePort returns one of the cluster's spare ports.
func (c *Cluster) takePort() (int, error) {
	if len(c.spare) == 0 {
		return 0, fmt.Errorf("the local cluster has no more spare ports: stop an adapter or start fewer")
	}
	port := c.spare[0]
	c.spare = c.spare[1:]
	return port, nil
}

// run runs localcluster on this cluster and returns what it printed.
func (c *Cluster) run(ctx context.Context, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, c.program, append(arguments, "--dir", c.dir)...)
	var output, progress bytes.Buffer
	command.Stdout, command.Stderr = &output, io.MultiWriter(&progress, c.progress)
	// The signal lets an `up` that is given up end what it has started.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 30 * time.Second
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("localcluster %s: %w\n%s", arguments[0], err, progress.String())
	}
	return output.Bytes(), nil
}
