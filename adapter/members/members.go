// SPDX-License-Identifier: Apache-2.0

// Package members knows the metric sources of the member clusters, for rules that add up what their query says in each of
// them (members: Sum). What is thought of a member is in its MemberCluster's status, which the scaler writes.
package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// SecretNamespace is where the credentials of the members' metric sources are.
const SecretNamespace = "plimsoll-sources"

// Member is a cluster with a metric source of its own.
type Member struct {
	Name string
	// Failed: it was declared failed, so that its demand is somebody else's by now.
	Failed bool
	// Source answers for it, or External does; Problem is why neither can.
	Source   source.Source
	External *source.External
	Problem  error
	// View is the same for members whose source is the same, asked with the same credentials: what it says of one it says of
	// the other.
	View string
}

// ErrNone says that there is nothing to add up.
var ErrNone = fmt.Errorf("%w: no MemberCluster has spec.metrics, so there is nothing to add up; give it to the members, or remove `members: Sum` from the rule", source.ErrRefused)

// Members follows the MemberClusters and the Secrets of their sources.
type Members struct {
	clusters, secrets cache.SharedIndexInformer

	mu     sync.Mutex
	opened map[string]opened // by member: a source keeps its connections as long as nothing of it changes
}

type opened struct {
	version  string // of the MemberCluster's spec.metrics and the Secret
	source   source.Source
	external *source.External
	err      error
}

// New starts nothing; Run does.
func New(objects dynamic.Interface, secrets kubernetes.Interface) *Members {
	resource := v1alpha1.SchemeGroupVersion.WithResource("memberclusters")
	clusters := dynamicinformer.NewDynamicSharedInformerFactory(objects, 0)
	here := informers.NewSharedInformerFactoryWithOptions(secrets, 0, informers.WithNamespace(SecretNamespace))
	return &Members{
		clusters: clusters.ForResource(resource).Informer(),
		secrets:  here.Core().V1().Secrets().Informer(),
		opened:   map[string]opened{},
	}
}

// Run follows them until the context ends.
func (m *Members) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { m.clusters.RunWithContext(ctx) })
	running.Go(func() { m.secrets.RunWithContext(ctx) })
	running.Wait()
}

// All are the members with a metric source, by name, each cluster once. It fails while they are not known, and if there are none.
func (m *Members) All() ([]Member, error) {
	if !m.clusters.HasSynced() || !m.secrets.HasSynced() {
		return nil, errors.New("the MemberClusters and the Secrets of their sources are not known yet")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	measured, err := withMetrics(m.clusters.GetStore().List())
	if err != nil {
		return nil, err
	}
	var all []Member
	now := map[string]opened{}
	for _, cluster := range once(measured) {
		o := m.open(cluster)
		now[cluster.Name] = o
		all = append(all, Member{
			Name: cluster.Name, Failed: cluster.Status.State == v1alpha1.MemberFailed, Source: o.source, External: o.external, Problem: o.err, View: o.version,
		})
	}
	m.opened = now
	if len(all) == 0 {
		return nil, ErrNone
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func withMetrics(objects []any) ([]*v1alpha1.MemberCluster, error) {
	var out []*v1alpha1.MemberCluster
	for _, object := range objects {
		cluster, err := typed(object)
		if err != nil {
			return nil, err
		}
		if cluster.Spec.Metrics != nil {
			out = append(out, cluster)
		}
	}
	return out, nil
}

// once leaves out those that are the cluster of another one of them, whose demand would count twice. One whose elder has no
// metrics stays: a sum must not lack a cluster.
func once(all []*v1alpha1.MemberCluster) []*v1alpha1.MemberCluster {
	counted := map[string]bool{} // by cluster
	for _, c := range all {
		if !duplicate(c) {
			counted[c.Status.ClusterID] = true
		}
	}
	var out []*v1alpha1.MemberCluster
	for _, c := range all {
		if !duplicate(c) || c.Status.ClusterID == "" || !counted[c.Status.ClusterID] {
			out = append(out, c)
		}
	}
	return out
}

// duplicate is whether the scaler found that an older MemberCluster is the same cluster.
func duplicate(c *v1alpha1.MemberCluster) bool {
	ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.MemberDuplicateCluster
}

func typed(object any) (*v1alpha1.MemberCluster, error) {
	cluster := &v1alpha1.MemberCluster{}
	raw, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a MemberCluster is a %T", object)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, cluster); err != nil {
		return nil, fmt.Errorf("MemberCluster %s cannot be read: %w", raw.GetName(), err)
	}
	return cluster, nil
}

// open returns the member's source, the same one as before if neither its address nor its credentials changed.
func (m *Members) open(cluster *v1alpha1.MemberCluster) opened {
	secret, err := m.secretOf(cluster)
	if err != nil {
		return opened{err: err}
	}
	o := options(cluster, secret)
	version := fmt.Sprintf("%s\x00%t", o.URL, cluster.Spec.Metrics.ExternalMetrics != nil)
	if secret != nil {
		version += "\x00" + string(secret.UID) + "\x00" + secret.ResourceVersion
	}
	if before, ok := m.opened[cluster.Name]; ok && before.err == nil && before.version == version {
		return before
	}
	one := opened{version: version}
	if cluster.Spec.Metrics.ExternalMetrics != nil {
		one.external, err = source.NewExternal(o)
	} else {
		one.source, err = source.NewRemote(o)
	}
	if err != nil {
		return opened{version: version, err: fmt.Errorf("%w: MemberCluster %s: spec.metrics cannot be used: %w", source.ErrRefused, cluster.Name, err)}
	}
	klog.Background().V(1).Info("Opened the metric source of a member", "member", cluster.Name)
	return one
}

func (m *Members) secretOf(cluster *v1alpha1.MemberCluster) (*corev1.Secret, error) {
	ref := cluster.Spec.Metrics.SecretRef
	if ref == nil {
		return nil, nil //nolint:nilnil // a source without credentials
	}
	object, there, err := m.secrets.GetStore().GetByKey(SecretNamespace + "/" + ref.Name)
	if err != nil {
		return nil, fmt.Errorf("MemberCluster %s: Secret %s/%s cannot be read: %w", cluster.Name, SecretNamespace, ref.Name, err)
	}
	secret, ok := object.(*corev1.Secret)
	if !there || !ok {
		return nil, fmt.Errorf("%w: MemberCluster %s: there is no Secret %s/%s; create it, or correct spec.metrics.secretRef", source.ErrRefused, cluster.Name, SecretNamespace, ref.Name)
	}
	return secret, nil
}

// options are the source's: its address, and the credentials of the Secret. It is called by the member: tenants read its name, and
// why it failed, in the status of their rules.
func options(cluster *v1alpha1.MemberCluster, secret *corev1.Secret) source.Options {
	o := source.Options{URL: cluster.Spec.Metrics.URL, Name: "Prometheus of member " + cluster.Name}
	if external := cluster.Spec.Metrics.ExternalMetrics; external != nil {
		o.URL, o.Name = external.Server, "external metrics of member "+cluster.Name
	}
	if secret == nil {
		return o
	}
	data := secret.Data
	o.Inline = source.Inline{
		CA: string(data["ca.crt"]), Cert: string(data["tls.crt"]), Key: string(data["tls.key"]),
		BearerToken: strings.TrimSpace(string(data["token"])), Password: string(data["password"]),
	}
	o.Username = string(data["username"])
	return o
}
