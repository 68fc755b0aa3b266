// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// charge is what one pod takes of a quota's resource; false for those that pods do not take, such as services.
func charge(name corev1.ResourceName, pod *corev1.PodSpec) (int64, bool) {
	plainName, limit := strings.CutPrefix(string(name), "limits.")
	plainName = strings.TrimPrefix(plainName, "requests.")
	switch {
	case name == corev1.ResourcePods || name == "count/pods":
		return 1, true
	case limit:
		return capacity.Limits(pod)[plainName], true
	case strings.Contains(plainName, "/") && plainName == string(name), plainName == "storage":
		return 0, false // count/services, storage classes
	case plainName == string(name) && !slices.Contains([]string{"cpu", "memory", "ephemeral-storage"}, plainName):
		return 0, false // services, configmaps
	case strings.Contains(plainName, ".storageclass.storage.k8s.io/"):
		return 0, false
	}
	return capacity.Requests(pod)[plainName], true
}

// quantity writes an amount of a quota's resource as manifests do.
func quantity(name corev1.ResourceName, amount int64) string {
	return unit(strings.TrimPrefix(strings.TrimPrefix(string(name), "requests."), "limits."), amount)
}

func unit(name string, amount int64) string {
	switch name {
	case "cpu":
		return resource.NewMilliQuantity(amount, resource.DecimalSI).String()
	case "memory", "ephemeral-storage":
		return resource.NewQuantity(amount, resource.BinarySI).String()
	}
	return resource.NewQuantity(amount, resource.DecimalSI).String()
}

// covers says whether a quota counts pods like this one.
func covers(quota *corev1.ResourceQuota, pod *corev1.PodSpec) bool {
	for _, scope := range quota.Spec.Scopes {
		if !inScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, pod) {
			return false
		}
	}
	if quota.Spec.ScopeSelector != nil {
		for _, r := range quota.Spec.ScopeSelector.MatchExpressions {
			if !inScope(r, pod) {
				return false
			}
		}
	}
	return true
}

func inScope(r corev1.ScopedResourceSelectorRequirement, pod *corev1.PodSpec) bool {
	bestEffort := len(capacity.Requests(pod))+len(capacity.Limits(pod)) == 0
	name := pod.PriorityClassName
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return pod.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return pod.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort
	case corev1.ResourceQuotaScopePriorityClass:
		switch r.Operator {
		case corev1.ScopeSelectorOpIn:
			return slices.Contains(r.Values, name)
		case corev1.ScopeSelectorOpNotIn:
			return !slices.Contains(r.Values, name)
		case corev1.ScopeSelectorOpDoesNotExist:
			return name == ""
		}
		return name != ""
	}
	return false // scopes of other things than pods, and those that pods of a workload rarely have
}

// used is what a quota counts already. Status has it; a quota that no controller has looked at counts what is there.
func (w *World) used(quota *corev1.ResourceQuota, name corev1.ResourceName) int64 {
	if q, known := quota.Status.Used[name]; known {
		return capacity.Amounts(corev1.ResourceList{base(name): q})[string(base(name))]
	}
	sum := fit.Resources{}
	for i := range w.Pods {
		if pod := &w.Pods[i]; pod.Namespace == quota.Namespace && !capacity.Ended(pod) && covers(quota, &pod.Spec) {
			amount, _ := charge(name, &pod.Spec)
			sum = sum.Add(fit.Resources{string(name): amount})
		}
	}
	return sum[string(name)]
}

// base is the resource that a quota's name is about.
func base(name corev1.ResourceName) corev1.ResourceName {
	return corev1.ResourceName(strings.TrimPrefix(strings.TrimPrefix(string(name), "requests."), "limits."))
}

// quotaNeed is what the new pods of one moment take of one resource of a quota.
type quotaNeed struct {
	quota      *corev1.ResourceQuota
	name       corev1.ResourceName
	need, left int64
	hard       int64
	missing    string // a container without the number that the quota asks for
	targets    []string
}

// advice says what to do about a quota that refuses pods; "" if it does not.
func (n quotaNeed) advice() string {
	short := n.need - n.left
	switch {
	case n.missing != "":
		return fmt.Sprintf("ResourceQuota %s/%s counts %s, and the container %s states none: such pods are refused; set it in the pod template, or a default in a LimitRange",
			n.quota.Namespace, n.quota.Name, n.name, n.missing)
	case short > 0 && n.need > 0:
		return fmt.Sprintf("raise %s of ResourceQuota %s/%s by %s, from %s to at least %s, for the new pods of %s",
			n.name, n.quota.Namespace, n.quota.Name, quantity(n.name, short), quantity(n.name, n.hard), quantity(n.name, n.hard+short), strings.Join(n.targets, ", "))
	}
	return ""
}

// quotaNeeds works out all quotas for the new pods of one moment.
func (w *World) quotaNeeds(crews []crew) []quotaNeed {
	var all []quotaNeed
	for i := range w.Quotas {
		quota := &w.Quotas[i]
		for name, hard := range hardOf(quota) {
			n := quotaNeed{quota: quota, name: name, hard: hard}
			sum := fit.Resources{}
			for _, c := range crews {
				if amount, counted := charge(name, &c.pod.Spec); counted && c.target.hpa.Namespace == quota.Namespace && covers(quota, &c.pod.Spec) && c.create > 0 {
					sum = sum.Add(fit.Resources{string(name): amount}.Times(c.create))
					n.targets = append(n.targets, c.target.name())
					n.missing = cmp.Or(n.missing, unstated(name, c.pod))
				}
			}
			if len(n.targets) > 0 {
				n.need, n.left = sum[string(name)], n.hard-w.used(quota, name)
				all = append(all, n)
			}
		}
	}
	slices.SortFunc(all, func(a, b quotaNeed) int {
		return cmp.Or(cmp.Compare(a.quota.Namespace, b.quota.Namespace), cmp.Compare(a.quota.Name, b.quota.Name), cmp.Compare(a.name, b.name))
	})
	return all
}

// unstated names a container without the request or limit that a quota insists on: such pods are refused.
func unstated(name corev1.ResourceName, pod *corev1.Pod) string {
	list, what := requestsOf, base(name)
	if strings.HasPrefix(string(name), "limits.") {
		list = limitsOf
	}
	if what != corev1.ResourceCPU && what != corev1.ResourceMemory {
		return ""
	}
	if pod.Spec.Resources != nil {
		if _, set := list(*pod.Spec.Resources)[what]; set {
			return ""
		}
	}
	for i := range pod.Spec.Containers {
		if _, set := list(pod.Spec.Containers[i].Resources)[what]; !set {
			return pod.Spec.Containers[i].Name
		}
	}
	return ""
}

// outside says how a pod breaks the LimitRanges of its namespace, "" if it does not: such pods are refused.
func outside(pod *corev1.PodSpec, ranges []corev1.LimitRange) string {
	for i := range ranges {
		for _, item := range ranges[i].Spec.Limits {
			var broken string
			switch item.Type {
			case corev1.LimitTypePod:
				broken = breaks(item, capacity.Requests(pod), capacity.Limits(pod))
			case corev1.LimitTypeContainer:
				for j := range pod.Containers {
					c := &pod.Containers[j]
					broken = cmp.Or(broken, breaks(item, capacity.Amounts(c.Resources.Requests), capacity.Amounts(c.Resources.Limits)))
				}
			}
			if broken != "" {
				return "LimitRange " + ranges[i].Name + " " + broken
			}
		}
	}
	return ""
}

func breaks(item corev1.LimitRangeItem, requests, limits fit.Resources) string {
	for name, most := range item.Max {
		asked := max(requests[string(name)], limits[string(name)])
		if allowed := capacity.Amounts(corev1.ResourceList{name: most})[string(name)]; asked > allowed {
			return fmt.Sprintf("allows a %s at most %s of %s, not %s", strings.ToLower(string(item.Type)), most.String(), name, unit(string(name), asked))
		}
	}
	for name, least := range item.Min {
		asked, set := requests[string(name)]
		if needed := capacity.Amounts(corev1.ResourceList{name: least})[string(name)]; !set || asked < needed {
			return fmt.Sprintf("asks a %s for at least %s of %s, not %s", strings.ToLower(string(item.Type)), least.String(), name, unit(string(name), asked))
		}
	}
	return ""
}

// allowance is what the quotas of one cluster still let through, while pods are planned for it.
type allowance struct {
	world *World
	left  map[*corev1.ResourceQuota]fit.Resources // by the quota's names of resources
}

func (w *World) allowance() *allowance {
	a := &allowance{world: w, left: map[*corev1.ResourceQuota]fit.Resources{}}
	for i := range w.Quotas {
		quota := &w.Quotas[i]
		a.left[quota] = fit.Resources{}
		for name, amount := range hardOf(quota) {
			a.left[quota][string(name)] = amount - w.used(quota, name)
		}
	}
	return a
}

// more is how many more pods like this one the quotas of its namespace let through.
func (a *allowance) more(pod *corev1.Pod) int64 {
	most := int64(divide.MaxReplicas)
	a.each(pod, func(left fit.Resources, name corev1.ResourceName, amount int64) {
		switch {
		case unstated(name, pod) != "":
			most = 0
		case amount > 0:
			most = min(most, max(left[string(name)], 0)/amount)
		}
	})
	return most
}

// take books pods; fewer than 0 gives them back.
func (a *allowance) take(pod *corev1.Pod, count int64) {
	a.each(pod, func(left fit.Resources, name corev1.ResourceName, amount int64) {
		left[string(name)] -= fit.Resources{"": amount}.Times(count)[""]
	})
}

// each goes through what pods like this one take of the quotas.
func (a *allowance) each(pod *corev1.Pod, do func(left fit.Resources, name corev1.ResourceName, amount int64)) {
	for i := range a.world.Quotas {
		quota := &a.world.Quotas[i]
		if quota.Namespace != pod.Namespace || !covers(quota, &pod.Spec) {
			continue
		}
		for name := range hardOf(quota) {
			if amount, counted := charge(name, &pod.Spec); counted {
				do(a.left[quota], name, amount)
			}
		}
	}
}

// hardOf are the limits of a quota, in the units of capacity.Amounts.
func hardOf(quota *corev1.ResourceQuota) map[corev1.ResourceName]int64 {
	hard := quota.Status.Hard
	if len(hard) == 0 {
		hard = quota.Spec.Hard
	}
	out := make(map[corev1.ResourceName]int64, len(hard))
	for name, q := range hard {
		out[name] = capacity.Amounts(corev1.ResourceList{base(name): q})[string(base(name))]
	}
	return out
}
