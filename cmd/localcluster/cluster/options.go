// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

// Options says what a cluster is like.
type Options struct {
	// Name is the cluster's and its kubeconfig context's name, a DNS label.
	Name string `json:"name"`
	// Dir is the cluster's folder; empty for the default one.
	Dir string `json:"dir"`

	Nodes int `json:"nodes"`
	// Zones is the number of zones that the nodes are spread over.
	Zones      int    `json:"zones"`
	NodeCPU    string `json:"nodeCPU"`
	NodeMemory string `json:"nodeMemory"`
	NodePods   int    `json:"nodePods"`
	// PodReadyDelay is the time from a pod's scheduling until it is Ready.
	PodReadyDelay time.Duration `json:"podReadyDelay"`

	HPASyncPeriod time.Duration `json:"hpaSyncPeriod"`
	// KubeAPIQPS limits the requests per second of the controller manager and of the scheduler.
	KubeAPIQPS int `json:"kubeAPIQPS"`
	// FeatureGates are given to the Kubernetes components, as Name=true.
	FeatureGates []string `json:"featureGates,omitempty"`
	// Arguments are further ones of single components, as component=--flag=value.
	Arguments []string `json:"arguments,omitempty"`
	// PrometheusConfig is the configuration file of a Prometheus; empty for none.
	PrometheusConfig string `json:"prometheusConfig,omitempty"`

	// ParentPID is the process whose end ends the cluster; 0 for none.
	ParentPID int `json:"parentPID,omitempty"`
	// Timeout bounds the time until the cluster is ready, without the time to build the components.
	Timeout time.Duration `json:"timeout"`
}

// DefaultOptions is a small cluster in the shape of a production one.
func DefaultOptions() Options {
	return Options{
		Name:          "hub",
		Nodes:         4,
		Zones:         3,
		NodeCPU:       "16",
		NodeMemory:    "64Gi",
		NodePods:      250,
		HPASyncPeriod: 15 * time.Second,
		KubeAPIQPS:    1000,
		Timeout:       5 * time.Minute,
	}
}

// validate reports everything that is wrong and makes paths absolute.
func (o *Options) validate() error {
	var problems []error
	refuse := func(format string, values ...any) { problems = append(problems, fmt.Errorf(format, values...)) }
	if reasons := validation.IsDNS1123Label(o.Name); len(reasons) > 0 {
		refuse("--name %q: %s", o.Name, strings.Join(reasons, "; "))
	}
	if o.Nodes < 0 || o.Nodes > 5000 {
		refuse("--nodes %d: must be between 0 and 5000", o.Nodes)
	}
	if o.Zones < 1 || o.NodePods < 1 || o.KubeAPIQPS < 1 {
		refuse("--zones, --node-pods and --kube-api-qps must be at least 1")
	}
	for flag, text := range map[string]string{"--node-cpu": o.NodeCPU, "--node-memory": o.NodeMemory} {
		if quantity, err := resource.ParseQuantity(text); err != nil || quantity.Sign() <= 0 {
			refuse("%s %q: must be a positive quantity such as 16 or 64Gi", flag, text)
		}
	}
	if o.HPASyncPeriod < time.Second || o.PodReadyDelay < 0 || o.Timeout <= 0 {
		refuse("--hpa-sync-period must be at least 1s, --pod-ready-delay at least 0s and --timeout above 0s")
	}
	for _, argument := range o.Arguments {
		if component, flag, found := strings.Cut(argument, "="); !found || !isComponent(component) || !strings.HasPrefix(flag, "-") {
			refuse("--component-arg %q: must look like kube-apiserver=--flag=value", argument)
		}
	}
	problems = append(problems, o.absolutePaths())
	return errors.Join(problems...)
}

func (o *Options) absolutePaths() error {
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if o.PrometheusConfig == "" {
		return nil
	}
	if o.PrometheusConfig, err = filepath.Abs(o.PrometheusConfig); err != nil {
		return fmt.Errorf("--prometheus-config: %w", err)
	}
	if _, err := os.Stat(o.PrometheusConfig); err != nil {
		return fmt.Errorf("--prometheus-config: %w", err)
	}
	return nil
}

// same tells whether two option sets ask for the same cluster; who watches over it does not matter.
func (o Options) same(other Options) bool {
	slim := func(o Options) string {
		o.ParentPID, o.Timeout = 0, 0
		return fmt.Sprintf("%#v", o)
	}
	return slim(o) == slim(other)
}

// argumentsOf returns the further arguments of one component.
func (o Options) argumentsOf(component string) []string {
	var arguments []string
	for _, argument := range o.Arguments {
		if name, flag, _ := strings.Cut(argument, "="); name == component {
			arguments = append(arguments, flag)
		}
	}
	return arguments
}

func isComponent(name string) bool {
	return slices.ContainsFunc(components.All(), func(c components.Component) bool { return c.Name == name })
}
