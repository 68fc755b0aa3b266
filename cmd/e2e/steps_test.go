// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// newNamespace makes a namespace that goes with the test.
func (w *world) newNamespace(t *testing.T) string {
	t.Helper()
	ns, err := w.cluster.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.cluster.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{}))
	})
	return ns.Name
}

// apply applies YAML in which $NS is the namespace.
func (w *world) apply(t *testing.T, ns, yaml string) {
	t.Helper()
	require.NoError(t, w.ApplyYAML(t.Context(), strings.ReplaceAll(yaml, "$NS", ns)))
}

// expose sets the exporter's series for a namespace, in which $NS is the namespace, until the test ends.
func (w *world) expose(t *testing.T, ns, series string) {
	t.Helper()
	text := strings.ReplaceAll(series, "$NS", ns)
	w.exporter.Set(ns, func() string { return text })
	t.Cleanup(func() { w.exporter.Set(ns, nil) })
}

// get reads a path of the API as an administrator; an error says what the server's Status says.
func (w *world) get(path string) ([]byte, error) { return ask(w.cluster, path) }

func ask(client kubernetes.Interface, uri string) ([]byte, error) {
	result := client.CoreV1().RESTClient().Get().RequestURI(uri).Do(context.Background())
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

func podsPath(ns, metric string) string {
	return "/apis/custom.metrics.k8s.io/v1beta2/namespaces/" + ns + "/pods/*/" + metric
}

// deploy makes a Deployment with so many pods and returns their names once they run.
func (w *world) deploy(t *testing.T, ns, name string, replicas int) []string {
	t.Helper()
	w.apply(t, ns, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: $NS}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: app, image: app}]}
`, name, replicas))
	var names []string
	stacktest.Eventually(t, "running pods", func() error {
		var err error
		names, err = w.runningPods(ns, name)
		if err == nil && len(names) != replicas {
			err = fmt.Errorf("%d of %d pods run", len(names), replicas)
		}
		return err
	})
	return names
}

func (w *world) runningPods(ns, app string) ([]string, error) {
	list, err := w.cluster.CoreV1().Pods(ns).List(context.Background(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range list.Items {
		if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
			names = append(names, p.Name)
		}
	}
	return names, nil
}

// series writes one sample for each pod.
func series(metric, ns string, pods []string, value float64) string {
	var out strings.Builder
	for _, p := range pods {
		fmt.Fprintf(&out, "%s{namespace=%q,pod=%q} %g\n", metric, ns, p, value)
	}
	return out.String()
}

// replicas are what the Deployment's spec says.
func (w *world) replicas(ns, name string) (int32, error) {
	d, err := w.cluster.AppsV1().Deployments(ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	return *d.Spec.Replicas, nil
}

// scaledTo waits for a number of replicas.
func (w *world) scaledTo(t *testing.T, ns, name string, want int32) {
	t.Helper()
	stacktest.Eventually(t, fmt.Sprintf("%d replicas of %s", want, name), func() error {
		got, err := w.replicas(ns, name)
		if err == nil && got != want {
			err = fmt.Errorf("it has %d replicas; the HPA says: %s", got, w.hpaSays(ns, name))
		}
		return err
	})
}

func (w *world) hpaSays(ns, name string) string {
	hpa, err := w.cluster.AutoscalingV2().HorizontalPodAutoscalers(ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	return stacktest.Says(hpa)
}

// condition reads the Ready condition of a rule.
func (w *world) condition(ns, name string) (*metav1.Condition, *v1alpha1.MetricRuleStatus, error) {
	resource := v1alpha1.SchemeGroupVersion.WithResource("metricrules")
	if ns == "" {
		resource.Resource = "clustermetricrules"
	}
	u, err := w.objects.Resource(resource).Namespace(ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	var r v1alpha1.MetricRule
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r); err != nil {
		return nil, nil, err
	}
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || r.Status.ObservedGeneration != r.Generation {
		return nil, nil, fmt.Errorf("rule %s has no status for its generation yet", name)
	}
	return c, &r.Status, nil
}

// says waits for a rule's reason, and for words in its message.
func (w *world) says(t *testing.T, ns, name, reason, words string) *v1alpha1.MetricRuleStatus {
	t.Helper()
	var status *v1alpha1.MetricRuleStatus
	stacktest.Eventually(t, "reason "+reason+" of rule "+name, func() error {
		c, s, err := w.condition(ns, name)
		if err != nil {
			return err
		}
		if c.Reason != reason || !strings.Contains(c.Message, words) {
			return fmt.Errorf("it says %s: %s", c.Reason, c.Message)
		}
		status = s
		return nil
	})
	return status
}

// as returns a client of a new ServiceAccount in the namespace, with the given rights there.
func (w *world) as(t *testing.T, ns string, rights ...rbacv1.PolicyRule) *kubernetes.Clientset {
	t.Helper()
	account, err := w.cluster.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "reader-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	role, err := w.cluster.RbacV1().Roles(ns).Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{GenerateName: "reader-"}, Rules: rights}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = w.cluster.RbacV1().RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "reader-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: ns, Name: account.Name}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	config := rest.AnonymousClientConfig(w.RESTConfig)
	config.Impersonate = rest.ImpersonationConfig{}
	config.BearerToken = w.token(t, ns, account.Name)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}
