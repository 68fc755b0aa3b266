// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"errors"
	"fmt"
)

var (
	errNoPods   = errors.New("the selector matches no pods")
	errNoValues = errors.New("no pod that counts has a value (pods might not be ready)")
)

// groups are the pods as one metric sees them.
type groups struct {
	ready   int
	values  map[string]int64 // of the ready pods, and of names that no pod has
	unready []string
	missing []string
}

// group sorts the pods. resource is empty for metrics that are not a resource's.
func (p proposer) group(values []PodValue, resource string) (*groups, error) {
	if len(p.obs.Pods) == 0 {
		return nil, errNoPods
	}
	byPod := make(map[string]PodValue, len(values))
	g := &groups{values: make(map[string]int64, len(values)+len(p.obs.Pods))}
	for _, v := range values {
		byPod[v.Pod] = v
		g.values[v.Pod] = v.Value
	}
	for _, pod := range p.obs.Pods {
		v, has := byPod[pod.Name]
		switch {
		case pod.Deleting || pod.Phase == PodFailed:
			delete(g.values, pod.Name)
		case pod.Phase == PodPending:
			g.unready = append(g.unready, pod.Name)
			delete(g.values, pod.Name)
		case !has:
			g.missing = append(g.missing, pod.Name)
		case resource == CPU && p.warming(pod, v):
			g.unready = append(g.unready, pod.Name)
			delete(g.values, pod.Name)
		default:
			g.ready++
		}
	}
	if len(g.values) == 0 {
		return nil, errNoValues
	}
	return g, nil
}

// warming says whether a pod's CPU is that of its start, which tells nothing about the load.
func (p proposer) warming(pod Pod, v PodValue) bool {
	if pod.Ready == "" || pod.Started.IsZero() {
		return true
	}
	if pod.Started.Add(p.opts.CPUInitialization).After(p.obs.Now) {
		return pod.Ready == ReadyFalse || v.Time.Before(pod.ReadySince.Add(v.Window))
	}
	// A pod that was ready once and is not any more counts; one that never was does not.
	return pod.Ready == ReadyFalse && pod.Started.Add(p.opts.InitialReadinessDelay).After(pod.ReadySince)
}

func readyPods(pods []Pod) int {
	n := 0
	for _, pod := range pods {
		if pod.Phase == PodRunning && pod.Ready == ReadyTrue {
			n++
		}
	}
	return n
}

// requestsOf returns each pod's request of the metric's resource, in thousandths. One pod without a request is an error.
func requestsOf(pods []Pod, m Metric) (map[string]int64, error) {
	requests := make(map[string]int64, len(pods))
	for _, pod := range pods {
		request, err := requestOf(pod, m)
		if err != nil {
			return nil, err
		}
		requests[pod.Name] = request
	}
	return requests, nil
}

func requestOf(pod Pod, m Metric) (int64, error) {
	if m.Container == "" && pod.Requests != nil {
		request, ok := pod.Requests[m.Name]
		if !ok {
			return 0, fmt.Errorf("pod %s has no request for %s at pod level", pod.Name, m.Name)
		}
		return request, nil
	}
	var sum int64
	found := m.Container == ""
	for _, c := range pod.Containers {
		if m.Container != "" && m.Container != c.Name {
			continue
		}
		request, ok := c.Requests[m.Name]
		if !ok {
			return 0, fmt.Errorf("container %s of pod %s has no request for %s", c.Name, pod.Name, m.Name)
		}
		sum += request
		if m.Container != "" {
			found = true
			break
		}
	}
	if !found {
		return 0, fmt.Errorf("pod %s has no container %s", pod.Name, m.Container)
	}
	return sum, nil
}
