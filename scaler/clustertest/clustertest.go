// SPDX-License-Identifier: Apache-2.0

// Package clustertest gives the scaler's tests real clusters on loopback, as many at a time as a test asks for.
package clustertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// programs are bin/localcluster as the packages one and two folders below scaler see it.
var programs = []string{"../../bin/localcluster", "../../../bin/localcluster"}

// frugal makes a cluster that does little half as expensive on a machine that runs ten of them: only the controllers that
// tests of the scaler meet, and reads and watches from etcd itself. The end-to-end tests and the demos run clusters as they are.
var frugal = []string{
	"--component-arg", "kube-apiserver=--watch-cache=false",
	"--component-arg", "kube-controller-manager=--controllers=" + strings.Join([]string{
		"clusterrole-aggregation-controller", "daemonset-controller", "deployment-controller", "disruption-controller", "endpointslice-controller",
		"garbage-collector-controller", "horizontal-pod-autoscaler-controller", "job-controller", "namespace-controller", "node-lifecycle-controller",
		"pod-garbage-collector-controller", "replicaset-controller", "resourcequota-controller", "root-ca-certificate-publisher-controller",
		"serviceaccount-controller", "serviceaccount-token-controller", "statefulset-controller", "taint-eviction-controller",
	}, ","),
}

// Cluster is a running cluster with Plimsoll's CRDs, without nodes and without anything else of Plimsoll.
type Cluster struct {
	// RESTConfig is an administrator's, without client-side rate limits.
	RESTConfig *rest.Config
	// Client is an administrator's, for the kinds of Kubernetes and of Plimsoll.
	Client client.WithWatch
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string

	program, name, dir string
}

// started counts the clusters of this process, for their names.
var started atomic.Int32

// Start starts a cluster that ends with the test. The arguments are further flags of `localcluster up`, such as
// "--nodes", "3". The test is skipped under -short, and where nobody has built bin/localcluster.
func Start(t *testing.T, arguments ...string) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a local cluster")
	}
	at := slices.IndexFunc(programs, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
	if at < 0 {
		t.Skip("bin/localcluster is not there: run `make build` first")
	}
	path, err := filepath.Abs(programs[at])
	require.NoError(t, err)
	c := &Cluster{program: path, name: fmt.Sprintf("test-%d-%d", os.Getpid(), started.Add(1)), dir: t.TempDir()}
	// Lists of controllers add up, and the first word on a controller counts: the test's come first. Of other flags the last
	// one counts, so a test cannot change those of all tests.
	up := slices.Concat([]string{"up", "--nodes", "0", "--parent-pid", fmt.Sprint(os.Getpid())}, arguments, frugal)
	lines := strings.Fields(c.run(t, up...))
	t.Cleanup(func() { c.run(t, "down") })
	c.Kubeconfig = lines[len(lines)-1]
	c.RESTConfig, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	require.NoError(t, err)
	c.RESTConfig.QPS = -1
	c.Client, err = client.NewWithWatch(c.RESTConfig, client.Options{Scheme: Scheme(t)})
	require.NoError(t, err)
	crds, err := manifests.Render("crd")
	require.NoError(t, err)
	c.createKinds(t, crds...)
	return c
}

// Component does a verb (start, stop, kill, restart, pause, resume) to a component of the cluster, such as
// kube-apiserver, and returns when it is done.
func (c *Cluster) Component(t *testing.T, verb, component string) {
	t.Helper()
	c.run(t, verb, component)
}

func (c *Cluster) run(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := exec.Command(c.program, append(arguments, "--name", c.name, "--dir", c.dir)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("localcluster %s: %w\n%s", arguments[0], err, exit.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

// Create creates the object of a manifest in a namespace, "" for a cluster-scoped one. After a CRD it waits until the
// kind is served.
func (c *Cluster) Create(t *testing.T, namespace, manifest string) {
	t.Helper()
	object := new(unstructured.Unstructured)
	require.NoError(t, yaml.Unmarshal([]byte(manifest), object))
	if object.GetKind() == "CustomResourceDefinition" {
		c.createKinds(t, object)
		return
	}
	object.SetNamespace(namespace)
	require.NoError(t, c.Client.Create(t.Context(), object))
}

func (c *Cluster) createKinds(t *testing.T, crds ...*unstructured.Unstructured) {
	t.Helper()
	for _, crd := range crds {
		require.NoError(t, c.Client.Create(t.Context(), crd))
	}
	for _, crd := range crds {
		Eventually(t, crd.GetName()+" is served", func() error { return c.served(t, crd) })
	}
}

// served returns an error as long as a version of a kind cannot be listed.
func (c *Cluster) served(t *testing.T, crd *unstructured.Unstructured) error {
	group, _, groupErr := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, kindErr := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	versions, _, versionsErr := unstructured.NestedSlice(crd.Object, "spec", "versions")
	require.NoError(t, errors.Join(groupErr, kindErr, versionsErr))
	for _, version := range versions {
		list := new(unstructured.UnstructuredList)
		list.SetAPIVersion(fmt.Sprint(group, "/", version.(map[string]any)["name"]))
		list.SetKind(kind + "List")
		if err := c.Client.List(t.Context(), list); err != nil {
			return err
		}
	}
	return nil
}

// Scheme knows the kinds of Kubernetes and of Plimsoll.
func Scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	all := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(all))
	require.NoError(t, v1alpha1.AddToScheme(all))
	return all
}

// patience is how long a condition may take to hold on a machine that runs other tests, too.
const patience = 4 * time.Minute

// Eventually polls until a condition holds, for as long as patience.
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err, what)
}
