// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/plimsoll/plimsoll/manifests"
)

const namespace, adapter, scaler = "plimsoll-system", "plimsoll-adapter", "plimsoll-scaler"

// into converts every object of a kind to its Go type; a field that the type does not know is an error.
func into[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []*T {
	t.Helper()
	var typed []*T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		one := new(T)
		err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true)
		require.NoError(t, err, "%s %s", kind, object.GetName())
		typed = append(typed, one)
	}
	return typed
}

func overlays(t *testing.T) []string {
	t.Helper()
	folders, err := fs.Glob(manifests.Files, "overlays/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	return append(folders, "base")
}

func TestEveryOverlayRenders(t *testing.T) {
	for _, overlay := range overlays(t) {
		t.Run(overlay, func(t *testing.T) {
			objects, err := manifests.Render(overlay)
			require.NoError(t, err)
			require.Equal(t, "Namespace", objects[0].GetKind())
			checkWorkload(t, objects)
			checkRoles(t, objects)
			checkAPIServices(t, objects)
			for _, secret := range into[corev1.Secret](t, objects, "Secret") {
				require.Empty(t, secret.Data, "the adapter makes its certificate itself")
				require.Empty(t, secret.StringData)
			}
		})
	}
}

// What a member cluster gets has no wildcard either, reads no Secrets, and runs nothing.
func TestMemberRenders(t *testing.T) {
	objects, err := manifests.Render("member")
	require.NoError(t, err)
	require.Empty(t, into[appsv1.Deployment](t, objects, "Deployment"))
	for _, role := range into[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			checkRule(t, role.Name, rule)
			require.NotContains(t, rule.Resources, "secrets")
		}
	}
	for _, role := range into[rbacv1.Role](t, objects, "Role") {
		for _, rule := range role.Rules {
			checkRule(t, role.Name, rule)
			require.NotContains(t, rule.Resources, "secrets")
		}
	}
}

// What is added by hand, for the metrics of a member, may list metrics by name in a namespace, and nothing else.
func TestExternalMetricsOfAMember(t *testing.T) {
	text, err := manifests.Files.ReadFile("member/external-metrics.yaml")
	require.NoError(t, err)
	objects := documents(t, text)
	require.Len(t, objects, 3)
	for _, object := range objects {
		require.NotContains(t, object.GetKind(), "Cluster")
	}
	roles := into[rbacv1.Role](t, objects, "Role")
	require.Len(t, roles, 1)
	require.Len(t, roles[0].Rules, 1)
	checkRule(t, roles[0].Name, roles[0].Rules[0])
	require.Equal(t, []string{"list"}, roles[0].Rules[0].Verbs)
	require.Equal(t, []string{"external.metrics.k8s.io"}, roles[0].Rules[0].APIGroups)
	bindings := into[rbacv1.RoleBinding](t, objects, "RoleBinding")
	require.Equal(t, roles[0].Name, bindings[0].RoleRef.Name)
	accounts := into[corev1.ServiceAccount](t, objects, "ServiceAccount")
	require.False(t, *accounts[0].AutomountServiceAccountToken)
	require.Equal(t, accounts[0].Namespace+"/"+accounts[0].Name, bindings[0].Subjects[0].Namespace+"/"+bindings[0].Subjects[0].Name)

	rendered, err := manifests.Render("member")
	require.NoError(t, err)
	require.Empty(t, named(into[corev1.ServiceAccount](t, rendered, "ServiceAccount"), accounts[0].Name), "it is added by hand")
}

// Which ClusterMetricRules there are, and which cluster has whose pods, is nothing for tenants: the scaler may see it, and those
// who look after the whole cluster.
func TestMemberDemandsAreForFew(t *testing.T) {
	objects, err := manifests.Render("base")
	require.NoError(t, err)
	has := map[string][]string{}
	for _, role := range into[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "memberdemands") {
				require.Equal(t, []string{"query.plimsoll.dev"}, rule.APIGroups)
				for label := range role.Labels {
					require.NotContains(t, label, "aggregate-to", "%s must not be a part of another role", role.Name)
				}
				has[role.Name] = append(has[role.Name], rule.Verbs...)
			}
		}
	}
	require.Equal(t, map[string][]string{scaler: {"list"}, "plimsoll-cluster-edit": {"list"}}, has)
}

// Every component builds by itself on the base, also those that no overlay takes.
func TestEveryComponentRenders(t *testing.T) {
	components, err := fs.Glob(manifests.Files, "components/*")
	require.NoError(t, err)
	require.Len(t, components, 4)
	for _, component := range components {
		objects, err := manifests.RenderWith("base", component)
		require.NoError(t, err, component)
		checkRoles(t, objects)
	}
}

// named are the objects of a name.
func named[T interface{ GetName() string }](objects []T, name string) []T {
	return slices.DeleteFunc(slices.Clone(objects), func(object T) bool { return object.GetName() != name })
}

func checkWorkload(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	services := into[corev1.Service](t, objects, "Service")
	deployments := into[appsv1.Deployment](t, objects, "Deployment")
	if own := named(services, adapter); own[0].Spec.Type == corev1.ServiceTypeExternalName {
		require.Len(t, services, 1)
		require.Empty(t, deployments, "overlay local runs adapter and scaler as processes")
		require.Empty(t, into[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget"))
		return
	}
	require.Len(t, deployments, 2)
	for _, deployment := range deployments {
		checkDeployment(t, objects, deployment, services)
	}
	container := named(deployments, adapter)[0].Spec.Template.Spec.Containers[0]
	require.Contains(t, container.Args, "--secure-port=6443")
	require.EqualValues(t, 6443, container.Ports[0].ContainerPort)
	require.EqualValues(t, 2, *named(deployments, scaler)[0].Spec.Replicas, "one scaler acts, the other stands by")
	container = named(deployments, scaler)[0].Spec.Template.Spec.Containers[0]
	for i, flag := range []string{"--metrics-bind-address=:8443", "--health-probe-bind-address=:8081"} {
		require.Contains(t, container.Args, flag)
		require.True(t, strings.HasSuffix(flag, ":"+strconv.Itoa(int(container.Ports[i].ContainerPort))))
	}
	require.NotContains(t, strings.Join(container.Args, " "), "--leader-elect=false")
}

func checkDeployment(t *testing.T, objects []*unstructured.Unstructured, deployment *appsv1.Deployment, services []*corev1.Service) {
	t.Helper()
	service := named(services, deployment.Name)
	require.Len(t, service, 1)
	pod := deployment.Spec.Template
	require.Equal(t, pod.Labels, service[0].Spec.Selector)
	require.Equal(t, pod.Labels, deployment.Spec.Selector.MatchLabels)
	require.Equal(t, deployment.Name, pod.Spec.ServiceAccountName)
	require.Len(t, named(into[corev1.ServiceAccount](t, objects, "ServiceAccount"), deployment.Name), 1)
	require.Equal(t, pod.Spec.Containers[0].Ports[0].Name, service[0].Spec.Ports[0].TargetPort.StrVal)
	checkRestricted(t, pod.Spec)
	for _, spread := range pod.Spec.TopologySpreadConstraints {
		require.Equal(t, pod.Labels, spread.LabelSelector.MatchLabels)
	}
	for _, budget := range named(into[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget"), deployment.Name) {
		require.Equal(t, pod.Labels, budget.Spec.Selector.MatchLabels)
		require.Less(t, budget.Spec.MinAvailable.IntVal, *deployment.Spec.Replicas, "a budget must let a node drain")
	}
}

// checkRestricted is the part of the restricted pod security standard that concerns this pod.
func checkRestricted(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	for _, container := range pod.Containers {
		security := container.SecurityContext
		require.False(t, *security.AllowPrivilegeEscalation)
		require.True(t, *security.ReadOnlyRootFilesystem)
		require.Equal(t, []corev1.Capability{"ALL"}, security.Capabilities.Drop)
		require.NotZero(t, container.Resources.Limits.Memory().Value())
		require.NotNil(t, container.ReadinessProbe)
		require.NotNil(t, container.LivenessProbe)
	}
}

// onlyForSecrets are the roles in namespaces that exist for the Secrets of one account; each may read, and in its own only.
var onlyForSecrets = map[string]bool{"plimsoll-members/" + scaler: true, "plimsoll-sources/" + adapter: true}

func checkRoles(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	exists := map[string]bool{}
	for _, role := range into[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		exists["ClusterRole/"+role.Name] = true
		for _, rule := range role.Rules {
			checkRule(t, role.Name, rule)
			require.NotContains(t, rule.Resources, "secrets", "%s must not read Secrets cluster-wide", role.Name)
		}
	}
	for _, role := range into[rbacv1.Role](t, objects, "Role") {
		exists["Role/"+role.Name] = true
		for _, rule := range role.Rules {
			checkRule(t, role.Name, rule)
			if slices.Contains(rule.Resources, "secrets") && !onlyForSecrets[role.Namespace+"/"+role.Name] {
				require.Equal(t, []string{"plimsoll-adapter-tls"}, rule.ResourceNames)
			}
		}
	}
	require.Len(t, into[corev1.ServiceAccount](t, objects, "ServiceAccount"), 2)
	check := func(name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		ours := strings.HasPrefix(ref.Name, "plimsoll")
		require.True(t, !ours || exists[ref.Kind+"/"+ref.Name], "no %s %s", ref.Kind, ref.Name)
		account, _, _ := strings.Cut(name, ":")
		require.Contains(t, []string{adapter, scaler}, account)
		require.Equal(t, []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: namespace}}, subjects, "the name of a binding begins with its account")
	}
	for _, binding := range into[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
		check(binding.Name, binding.RoleRef, binding.Subjects)
	}
	for _, binding := range into[rbacv1.RoleBinding](t, objects, "RoleBinding") {
		check(binding.Name, binding.RoleRef, binding.Subjects)
	}
}

func checkRule(t *testing.T, role string, rule rbacv1.PolicyRule) {
	t.Helper()
	for _, words := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs, rule.ResourceNames} {
		for _, word := range words {
			require.NotContains(t, word, "*", "role %s has a wildcard", role)
		}
	}
	for _, verb := range []string{"escalate", "bind", "impersonate"} {
		require.NotContains(t, rule.Verbs, verb, "role %s", role)
	}
	if slices.Contains(rule.APIGroups, "apiregistration.k8s.io") {
		require.NotEmpty(t, rule.ResourceNames, "role %s may touch its own APIServices only", role)
	}
}

func checkAPIServices(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "APIService" {
			insecure, said, err := unstructured.NestedBool(object.Object, "spec", "insecureSkipTLSVerify")
			require.NoError(t, err)
			require.True(t, said && !insecure, "%s must say false: over an APIService that has true the default changes nothing", object.GetName())
		}
	}
	var names []string
	priority := map[string]int32{}
	for _, service := range into[apiregistrationv1.APIService](t, objects, "APIService") {
		names = append(names, service.Name)
		priority[service.Name] = service.Spec.VersionPriority
		require.Equal(t, service.Spec.Version+"."+service.Spec.Group, service.Name)
		require.False(t, service.Spec.InsecureSkipTLSVerify)
		require.Empty(t, service.Spec.CABundle, "the adapter writes it")
		require.Equal(t, adapter, service.Spec.Service.Name)
		require.Equal(t, namespace, service.Spec.Service.Namespace)
	}
	if len(names) == 1 {
		require.Equal(t, []string{"v1alpha1.query.plimsoll.dev"}, names, "overlay shadow")
		return
	}
	require.Greater(t, priority["v1beta2.custom.metrics.k8s.io"], priority["v1beta1.custom.metrics.k8s.io"])
	slices.Sort(names)
	for _, role := range into[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			if role.Name == adapter && slices.Contains(rule.Resources, "apiservices") {
				slices.Sort(rule.ResourceNames)
				require.Equal(t, names, rule.ResourceNames)
			}
		}
	}
}
