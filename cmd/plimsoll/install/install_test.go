// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/install"
	"github.com/plimsoll/plimsoll/cmd/stack"
)

// objects names everything in the cluster but what notes what happens.
func objects(t *testing.T, cluster *stack.Cluster) []string {
	t.Helper()
	discoverer, err := discovery.NewDiscoveryClientForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	client, err := metadata.NewForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	lists, err := discovery.ServerPreferredResources(discoverer)
	if !discovery.IsGroupDiscoveryFailedError(err) { // an APIService without a server
		require.NoError(t, err)
	}
	var found []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, resource := range list.APIResources {
			if slices.Contains([]string{"events", "leases", "endpoints", "endpointslices"}, resource.Name) {
				continue
			}
			items, err := client.Resource(version.WithResource(resource.Name)).List(t.Context(), metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				continue // a CRD that has just gone
			}
			require.NoError(t, err, resource.Name)
			for _, item := range items.Items {
				found = append(found, resource.Kind+" "+item.Namespace+"/"+item.Name)
			}
		}
	}
	slices.Sort(found)
	return found
}

// settled are the objects once the controllers of a new cluster have made theirs: what each namespace has, and nothing
// new for five seconds.
func settled(t *testing.T, cluster *stack.Cluster) []string {
	t.Helper()
	var found []string
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Second, patience, true, func(context.Context) (bool, error) {
		last := found
		found = objects(t, cluster)
		return slices.Equal(last, found) && !slices.ContainsFunc(found, func(object string) bool {
			namespace, is := strings.CutPrefix(object, "Namespace /")
			return is && !(slices.Contains(found, "ServiceAccount "+namespace+"/default") && slices.Contains(found, "ConfigMap "+namespace+"/kube-root-ca.crt"))
		}), nil
	})
	require.NoError(t, err)
	return found
}

// requireObjects waits until the cluster holds these objects and no others: what Kubernetes makes for an object (the
// APIService of a CRD) goes a moment after it.
func requireObjects(t *testing.T, cluster *stack.Cluster, want []string) {
	t.Helper()
	var found []string
	_ = wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		found = objects(t, cluster)
		return slices.Equal(want, found), nil
	}) // the difference says more than its error
	require.Equal(t, want, found)
}

// patience is how long something may take on a busy machine.
const patience = 5 * time.Minute

// do installs or uninstalls, and returns what was told.
func do(t *testing.T, cluster *stack.Cluster, act func(context.Context, *install.Cluster) error) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return doWith(ctx, t, cluster.RESTConfig, act)
}

func doWith(ctx context.Context, t *testing.T, config *rest.Config, act func(context.Context, *install.Cluster) error) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c, err := install.Connect(config, &out)
	require.NoError(t, err)
	err = act(ctx, c)
	return out.String(), err
}

// told does something that must succeed.
func told(t *testing.T, cluster *stack.Cluster, act func(context.Context, *install.Cluster) error) string {
	t.Helper()
	out, err := do(t, cluster, act)
	require.NoError(t, err, out)
	return out
}

const foreign = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.custom.metrics.k8s.io}
spec:
  {group: custom.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, service: {namespace: monitoring, name: other-adapter}}
`

const rule = `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: online-users, namespace: default}
spec: {metric: online_users, query: sum(online_users)}
`

const secret = `{apiVersion: v1, kind: Secret, metadata: {name: mine, namespace: plimsoll-system}}`

// What install writes is what uninstall removes, on a real cluster, again and again. The pods are kwok's: they are Ready
// and nobody answers behind the APIServices, which is also the worst case for uninstalling.
func TestInstallAndUninstall(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	var progress bytes.Buffer
	cluster, err := stack.StartCluster(t.Context(), stack.ClusterOptions{Name: "install", Dir: t.TempDir(), Progress: &progress})
	require.NoError(t, err, &progress)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })
	before := settled(t, cluster)

	t.Run("another adapter is left alone", func(t *testing.T) { refuses(t, cluster, before) })
	for _, turn := range []string{"once", "twice"} {
		if !t.Run(turn, func(t *testing.T) { comesAndGoes(t, cluster, before) }) {
			return
		}
	}
	t.Run("bounds come back", func(t *testing.T) { restores(t, cluster, before) })
	t.Run("what others own stays", func(t *testing.T) { spares(t, cluster, before) })
}

// refuses: the other adapter is named, and nothing is written.
func refuses(t *testing.T, cluster *stack.Cluster, before []string) {
	require.NoError(t, cluster.ApplyYAML(t.Context(), foreign))
	with := append(slices.Clone(before), "APIService /v1beta1.custom.metrics.k8s.io")
	slices.Sort(with)
	for _, dryRun := range []bool{false, true} {
		out, err := do(t, cluster, func(ctx context.Context, c *install.Cluster) error {
			return c.Install(ctx, install.Content{Overlay: "ha", APIs: install.APIs()}, install.Options{DryRun: dryRun, ForceConflicts: true})
		})
		require.ErrorContains(t, err, "nothing was written")
		require.ErrorContains(t, err, "v1beta1.custom.metrics.k8s.io belongs to monitoring/other-adapter")
		require.ErrorContains(t, err, "uninstall that adapter first")
		require.ErrorContains(t, err, "shadow")
		require.Empty(t, out)
	}
	require.Equal(t, with, objects(t, cluster))
	beside := install.Content{Overlay: "ha", APIs: []string{"external"}}
	require.NotContains(t, told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
		return c.Install(ctx, beside, install.Options{DryRun: true})
	}), "custom.metrics.k8s.io")
	beside = install.Content{Overlay: "shadow", APIs: install.APIs()}
	told(t, cluster, func(ctx context.Context, c *install.Cluster) error { return c.Install(ctx, beside, install.Options{}) })
	// A Namespace does not end while any APIService, here the other's, has no server: NoWait.
	told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
		return c.Uninstall(ctx, install.Options{Rules: true, NoWait: true})
	})
	services, err := metadata.NewForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	resource := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	require.NoError(t, services.Resource(resource).Delete(t.Context(), "v1beta1.custom.metrics.k8s.io", metav1.DeleteOptions{}))
	requireObjects(t, cluster, before)
}

// comesAndGoes: everything that install writes is gone after uninstall --rules.
func comesAndGoes(t *testing.T, cluster *stack.Cluster, before []string) {
	content := install.Content{Overlay: "ha", APIs: install.APIs(), PrometheusURLs: []string{"http://127.0.0.1:9"}}
	in := func(o install.Options) string {
		return told(t, cluster, func(ctx context.Context, c *install.Cluster) error { return c.Install(ctx, content, o) })
	}
	out := func(o install.Options) string {
		return told(t, cluster, func(ctx context.Context, c *install.Cluster) error { return c.Uninstall(ctx, o) })
	}
	plan := in(install.Options{DryRun: true})
	require.Equal(t, before, objects(t, cluster), "a dry run changes nothing")
	first := in(install.Options{})
	require.Equal(t, strings.Count(plan, "would create  "), strings.Count(first, "created       "), "what the dry run says is what is done")
	require.Contains(t, first, "created       Deployment plimsoll-system/plimsoll-adapter")
	second := in(install.Options{})
	require.Equal(t, strings.Count(first, "created       "), strings.Count(second, "unchanged     ")+strings.Count(second, "updated       "))
	require.NotContains(t, second, "created       ")
	require.NoError(t, cluster.ApplyYAML(t.Context(), rule))

	installed := objects(t, cluster)
	require.True(t, strings.HasPrefix(out(install.Options{DryRun: true}), "would remove  APIService "), "APIServices go first")
	require.Equal(t, installed, objects(t, cluster), "a dry run changes nothing")
	require.Contains(t, out(install.Options{}), "kept          CustomResourceDefinition metricrules.plimsoll.dev: with 1 MetricRule; --rules removes it and them")
	require.Contains(t, objects(t, cluster), "MetricRule default/online-users")
	told := out(install.Options{Rules: true})
	require.Contains(t, told, "takes along   CustomResourceDefinition metricrules.plimsoll.dev: all 1 MetricRule")
	requireObjects(t, cluster, before)
	require.Contains(t, out(install.Options{Rules: true}), "There is nothing of `plimsoll install`")
}

// spares: an overlay's own objects go with the overlay, and what others put there or have taken over stays.
func spares(t *testing.T, cluster *stack.Cluster, before []string) {
	in := func(content install.Content) {
		told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
			return c.Install(ctx, content, install.Options{NoWait: true})
		})
	}
	in(install.Content{Overlay: "embedded", APIs: install.APIs()}) // its volume is never bound here
	in(install.Content{Overlay: "ha", APIs: install.APIs()})
	now := objects(t, cluster)
	require.NotContains(t, now, "ClusterRole /plimsoll-adapter:service-discovery")
	require.Contains(t, now, "PersistentVolumeClaim plimsoll-system/plimsoll-adapter", "the history is uninstall's to remove")
	in(install.Content{Overlay: "shadow", APIs: install.APIs()})
	require.NotContains(t, objects(t, cluster), "APIService /v1beta2.custom.metrics.k8s.io")

	require.NoError(t, cluster.ApplyYAML(t.Context(), secret))
	out := told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
		return c.Uninstall(ctx, install.Options{Rules: true})
	})
	require.Contains(t, out, "kept          Namespace plimsoll-system: others put there Secret mine")
	now = objects(t, cluster)
	require.Contains(t, now, "Secret plimsoll-system/mine")
	require.NotContains(t, strings.Join(now, "\n"), "plimsoll-adapter-tls")

	services, err := metadata.NewForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	secrets := services.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("plimsoll-system")
	require.NoError(t, secrets.Delete(t.Context(), "mine", metav1.DeleteOptions{}))
	require.Contains(t, told(t, cluster, func(ctx context.Context, c *install.Cluster) error { return c.Uninstall(ctx, install.Options{}) }), "removed       Namespace plimsoll-system")
	requireObjects(t, cluster, before)

	require.NoError(t, cluster.ApplyYAML(t.Context(), `{apiVersion: v1, kind: Namespace, metadata: {name: plimsoll-system}}`))
	with := append(slices.Clone(before), "Namespace /plimsoll-system", "ServiceAccount plimsoll-system/default", "ConfigMap plimsoll-system/kube-root-ca.crt")
	slices.Sort(with)
	requireObjects(t, cluster, with)
	in(install.Content{Overlay: "ha", APIs: install.APIs()})
	resource := services.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	_, err = resource.Patch(t.Context(), "v1beta1.external.metrics.k8s.io", types.MergePatchType, []byte(`{"spec":{"service":{"name":"theirs"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	out, err = interrupted(t, cluster, "/api/v1/namespaces/plimsoll-", "external.metrics.k8s.io/v1beta1", func(ctx context.Context, c *install.Cluster) error {
		return c.Uninstall(ctx, install.Options{Rules: true})
	})
	require.Contains(t, out, "kept          APIService v1beta1.external.metrics.k8s.io: it now belongs to plimsoll-system/theirs")
	require.ErrorContains(t, err, "external.metrics.k8s.io/v1beta1", "Kubernetes ends no namespace while an API has no server, and the error says which")
	require.NoError(t, resource.Delete(t.Context(), "v1beta1.external.metrics.k8s.io", metav1.DeleteOptions{}))
	told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
		return c.Uninstall(ctx, install.Options{Rules: true})
	})
	requireObjects(t, cluster, with) // the Namespace was there before
}
