// SPDX-License-Identifier: Apache-2.0

package preflight_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/preflight"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const (
	hpa = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s, namespace: shop, labels: {event: yes-please}}
spec:
  minReplicas: 4
  maxReplicas: %[2]d
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
---`
	deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {%[3]s containers: [{name: web, image: web, resources: {%[2]s}}]}
---`
	node = `
apiVersion: v1
kind: Node
metadata: {name: %[1]s, labels: {kubernetes.io/hostname: %[1]s, pool: %[2]s}}
spec: {%[3]s}
status: {allocatable: {cpu: "8", memory: 32Gi, pods: "20"}, conditions: [{type: Ready, status: "%[4]s"}]}
---`
	event = `
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: %[1]s, namespace: shop}
spec:
  %[2]s
  timeZone: Asia/Shanghai
  windows:
  - {name: day, start: "2026-11-11T00:00", end: "2026-11-12T00:00", %[3]s}
---`
	quota = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: compute, namespace: shop}
spec: {%s}
---`
)

func shopHPA(maximum int) string { return fmt.Sprintf(hpa, "web", maximum) }
func web(resources string) string {
	return fmt.Sprintf(deployment, "web", resources, "")
}
func nodes(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, node, fmt.Sprintf("n%d", i), "a", "", "True")
	}
	return all.String()
}
func sale(what string) string { return fmt.Sprintf(event, "sale", "targetRef: {name: web}", what) }
func pod(name, node, more string) string {
	return fmt.Sprintf("\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: shop, labels: {app: web}}\nspec: {nodeName: %q, containers: [{name: web, image: web, resources: {requests: {cpu: 1}}}]}\nstatus: {phase: %s}\n---", name, node, more)
}

const oneCore = "requests: {cpu: 1, memory: 1Gi}"

func examine(o preflight.Options, texts ...string) (preflight.Result, error) {
	world, err := preflight.Read([]lint.File{{Name: "all.yaml", Text: []byte(strings.Join(texts, ""))}}, "default", now)
	if err != nil {
		return preflight.Result{}, err
	}
	if o.Now.IsZero() {
		o.Now = now
	}
	if o.For == 0 {
		o.For = 7 * 24 * time.Hour
	}
	return preflight.Examine(world, o)
}

// states are the checks as "nodes shop/web 20/16 short".
func states(r preflight.Result) []string {
	var all []string
	for _, c := range r.Checks {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s/%s %s", c.Check, c.For, c.Need, c.Have, c.State)))
	}
	return all
}

func TestExamine(t *testing.T) {
	for name, tc := range map[string]struct {
		files   []string
		want    []string
		verdict preflight.State
		todo    string
	}{
		"it fits": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2)},
			[]string{"maxReplicas shop/web 12/20 ok", "nodes shop/web 12/12 ok"}, preflight.OK, "",
		},
		"the maximum of the HPA stops it": {
			[]string{sale("minReplicas: 30, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(4)},
			[]string{"maxReplicas shop/web 30/20 short", "nodes shop/web 30/30 ok"}, preflight.Short, "state maxReplicas: 30 in the window",
		},
		"the window states a maximum": {
			[]string{sale("minReplicas: 30, maxReplicas: 40, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(4)},
			[]string{"maxReplicas shop/web 30/40 ok", "nodes shop/web 30/30 ok"}, preflight.OK, "",
		},
		"a jump is a warning": {
			[]string{sale("minReplicas: 12"), shopHPA(20), web(oneCore), nodes(2)},
			[]string{"maxReplicas shop/web 12/20 ok", "nodes shop/web 12/12 ok", "ramp shop/web 12/4 warning"}, preflight.OK, "rampUp",
		},
		"the nodes are full": {
			[]string{sale("minReplicas: 20, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2)},
			[]string{"maxReplicas shop/web 20/20 ok", "nodes shop/web 20/16 short"}, preflight.Short, "add 1 more nodes like the largest there (an empty one takes 8 of them)",
		},
		"pods that run already have a place; ended ones take none; waiting ones need one": {
			[]string{sale("minReplicas: 20, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2),
				pod("a", "n0", "Running"), pod("b", "n1", "Running"), pod("c", "n1", "Succeeded"), pod("d", "", "Pending")},
			[]string{"maxReplicas shop/web 20/20 ok", "nodes shop/web 18/14 short"}, preflight.Short, "4 of 18",
		},
		"cordoned, not Ready and tainted nodes do not count": {
			[]string{sale("minReplicas: 9, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(1),
				fmt.Sprintf(node, "n7", "a", "unschedulable: true", "True"), fmt.Sprintf(node, "n8", "a", "", "False"),
				fmt.Sprintf(node, "n9", "a", "taints: [{key: gpu, value: big, effect: NoSchedule}]", "True")},
			[]string{"maxReplicas shop/web 9/20 ok", "nodes shop/web 9/8 short"}, preflight.Short, "1 of 9",
		},
		"tolerations, nodeSelector and affinity are honored": {
			[]string{sale("minReplicas: 9, rampUp: 30m"), shopHPA(20), nodes(3),
				fmt.Sprintf(deployment, "web", oneCore, "nodeSelector: {pool: b}, tolerations: [{key: gpu, operator: Exists}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n8]}]}]}}},"),
				fmt.Sprintf(node, "n8", "b", "", "True"), fmt.Sprintf(node, "n9", "b", "taints: [{key: gpu, value: big, effect: NoSchedule}]", "True")},
			[]string{"maxReplicas shop/web 9/20 ok", "nodes shop/web 9/8 short"}, preflight.Short, "1 of 9",
		},
		"no node is for them": {
			[]string{sale("minReplicas: 9, rampUp: 30m"), shopHPA(20), nodes(3), fmt.Sprintf(deployment, "web", oneCore, "nodeSelector: {pool: none},")},
			[]string{"maxReplicas shop/web 9/20 ok", "nodes shop/web 9/0 short"}, preflight.Short, "no node is for them",
		},
		"a pod that is larger than every node": {
			[]string{sale("minReplicas: 9, rampUp: 30m"), shopHPA(20), nodes(3), web("requests: {cpu: 9}")},
			[]string{"maxReplicas shop/web 9/20 ok", "nodes shop/web 9/0 short"}, preflight.Short, "not even an empty node",
		},
		"one pod for each node": {
			[]string{sale("minReplicas: 4, rampUp: 30m"), shopHPA(20), nodes(3), pod("a", "n0", "Running"),
				fmt.Sprintf(deployment, "web", oneCore, "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}},")},
			[]string{"maxReplicas shop/web 4/20 ok", "nodes shop/web 3/2 short"}, preflight.Short, "1 of 3",
		},
		"sidecars and init containers count": {
			[]string{sale("minReplicas: 4, rampUp: 30m"), shopHPA(20), nodes(1), fmt.Sprintf(deployment, "web", oneCore,
				"initContainers: [{name: mesh, image: m, restartPolicy: Always, resources: {requests: {cpu: 1}}}, {name: setup, image: m, resources: {requests: {cpu: 2}}}],")},
			[]string{"maxReplicas shop/web 4/20 ok", "nodes shop/web 4/2 short"}, preflight.Short, "2 of 4", // max(1+1, 1+2) = 3 cores
		},
		"quota": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2), fmt.Sprintf(quota, `hard: {requests.cpu: 10, memory: 12Gi, pods: 20, services: 1}`)},
			[]string{"maxReplicas shop/web 12/20 ok", "quota shop/compute memory 12Gi/12Gi ok", "quota shop/compute pods 12/20 ok", "quota shop/compute requests.cpu 12/10 short", "nodes shop/web 12/12 ok"},
			preflight.Short, "raise requests.cpu of ResourceQuota shop/compute by 2, from 10 to at least 12",
		},
		"what a quota counts must be stated": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2), fmt.Sprintf(quota, `hard: {limits.cpu: 100}`)},
			[]string{"maxReplicas shop/web 12/20 ok", "quota shop/compute limits.cpu 0/100 short", "nodes shop/web 12/12 ok"}, preflight.Short, "the container web states none",
		},
		"a LimitRange states it": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2), fmt.Sprintf(quota, `hard: {limits.cpu: 100}`),
				"\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: shop}\nspec: {limits: [{type: Container, default: {cpu: 2}}]}\n---"},
			[]string{"maxReplicas shop/web 12/20 ok", "quota shop/compute limits.cpu 24/100 ok", "nodes shop/web 12/12 ok"}, preflight.OK, "",
		},
		"a LimitRange refuses": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2),
				"\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: shop}\nspec: {limits: [{type: Container, max: {cpu: 500m}}]}\n---"},
			[]string{"maxReplicas shop/web 12/20 ok", "limits shop/web / short", "nodes shop/web 12/12 ok"}, preflight.Short, "allows a container at most 500m of cpu, not 1",
		},
		"a quota of other pods": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2), fmt.Sprintf(quota, `hard: {pods: 1}, scopes: [BestEffort]`)},
			[]string{"maxReplicas shop/web 12/20 ok", "nodes shop/web 12/12 ok"}, preflight.OK, "",
		},
		"two targets share the nodes": {
			[]string{fmt.Sprintf(event, "sale", "targetSelector: {matchLabels: {event: yes-please}}", "minReplicas: 10, rampUp: 30m"), shopHPA(20), web(oneCore),
				fmt.Sprintf(hpa, "cart", 20), fmt.Sprintf(deployment, "cart", oneCore, ""), nodes(2)},
			[]string{"maxReplicas shop/cart 10/20 ok", "maxReplicas shop/web 10/20 ok", "nodes shop/cart 10/8 short", "nodes shop/web 10/8 short"}, preflight.Short, "2 of 10",
		},
		"a workload without an HPA": {
			[]string{fmt.Sprintf(event, "sale", "targetRef: {kind: Deployment, name: web}", "minReplicas: 12, rampUp: 30m"), web(oneCore), nodes(1)},
			[]string{"replicas shop/web 12/no HPA ok", "nodes shop/web 12/8 short"}, preflight.Short, "4 of 12",
		},
		"a demand without a target for one replica": {
			[]string{sale(`demand: "12000", rampUp: 30m`), shopHPA(20), web(oneCore), nodes(2)},
			[]string{"maxReplicas shop/web 4/20 ok", "target shop/web / unknown", "nodes shop/web 4/4 ok"}, preflight.Unknown, "use minReplicas instead",
		},
		"without nodes nothing is claimed": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore)},
			[]string{"maxReplicas shop/web 12/20 ok", "nodes all / unknown"}, preflight.Unknown, "no nodes are known",
		},
		"without the workload nothing is claimed": {
			[]string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), nodes(2)},
			[]string{"maxReplicas shop/web 12/20 ok", "nodes shop/web / unknown"}, preflight.Unknown, "the Deployment web was not found",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := examine(preflight.Options{}, tc.files...)
			require.NoError(t, err)
			require.Equal(t, tc.want, states(r))
			require.Equal(t, tc.verdict, r.Verdict)
			var out bytes.Buffer
			require.NoError(t, r.WriteTable(&out))
			require.Contains(t, out.String(), tc.todo)
			require.Equal(t, tc.verdict == preflight.OK, strings.Contains(out.String(), "It fits."))
			_, err = json.Marshal(r)
			require.NoError(t, err)
		})
	}
}

// Other schedules count at the moments at which the event is on, and at no others.
func TestOtherSchedulesCount(t *testing.T) {
	world := func(other string) *preflight.World {
		read := func(text string) *preflight.World {
			w, err := preflight.Read([]lint.File{{Name: "f", Text: []byte(text)}}, "default", now)
			require.NoError(t, err)
			return w
		}
		w := read(sale("minReplicas: 10, rampUp: 30m") + shopHPA(20) + web(oneCore) + fmt.Sprintf(hpa, "cart", 20) + fmt.Sprintf(deployment, "cart", oneCore, "") + nodes(2))
		w.Schedules = read(other).Event
		return w
	}
	same := fmt.Sprintf(event, "other", "targetRef: {name: cart}", "minReplicas: 10, rampUp: 30m")
	r, err := preflight.Examine(world(same), preflight.Options{Now: now, For: time.Hour})
	require.NoError(t, err)
	require.Equal(t, preflight.Short, r.Verdict)
	r, err = preflight.Examine(world(strings.ReplaceAll(same, "2026-11-1", "2026-12-1")), preflight.Options{Now: now, For: time.Hour})
	require.NoError(t, err)
	require.Equal(t, []string{"maxReplicas shop/web 10/20 ok", "nodes shop/web 10/10 ok"}, states(r), "cart needs 4, which is what it would have anyway")
}

// In files lint finds it; here the HPA is in the cluster.
func TestWorkloadThatAnHPAScales(t *testing.T) {
	read := func(texts ...string) *preflight.World {
		w, err := preflight.Read([]lint.File{{Name: "f", Text: []byte(strings.Join(texts, ""))}}, "default", now)
		require.NoError(t, err)
		return w
	}
	w := read(fmt.Sprintf(event, "sale", "targetRef: {kind: Deployment, name: web}", "minReplicas: 12, rampUp: 30m"), web(oneCore), nodes(2))
	w.HPAs = read(sale("minReplicas: 1"), shopHPA(20)).HPAs
	r, err := preflight.Examine(w, preflight.Options{Now: now, For: time.Hour})
	require.NoError(t, err)
	require.Equal(t, []string{"target shop/web / short", "replicas shop/web 12/no HPA ok", "nodes shop/web 12/12 ok"}, states(r))
	require.Contains(t, r.Checks[0].ToDo, "name the HPA as the target")
}

func TestWindows(t *testing.T) {
	files := []string{sale("minReplicas: 12, rampUp: 30m"), shopHPA(20), web(oneCore), nodes(2)}
	r, err := examine(preflight.Options{Lead: 10 * time.Minute}, files...)
	require.NoError(t, err)
	w := r.Windows[0]
	require.Equal(t, "2026-11-10 23:20 2026-11-10 23:50 2026-11-11 00:00", w.Rises.Format("2006-01-02 15:04 ")+w.Full.Format("2006-01-02 15:04 ")+w.Start.Format("2006-01-02 15:04"))
	require.Equal(t, []int32{4, 12, 12}, []int32{w.Before, *w.Asks, w.Floor})

	// One moment: half-way up the ramp.
	r, err = examine(preflight.Options{At: time.Date(2026, 11, 10, 15, 45, 0, 0, time.UTC)}, files...)
	require.NoError(t, err)
	require.Equal(t, []string{"maxReplicas shop/web 8/20 ok", "nodes shop/web 8/8 ok"}, states(r))
	_, err = examine(preflight.Options{At: time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)}, files...)
	require.ErrorContains(t, err, "no window of it is on or ramps then")
}

func TestBadInput(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no schedule":    {shopHPA(20), "no ScaleSchedule"},
		"no HPA":         {sale("minReplicas: 12"), "for the HorizontalPodAutoscaler web, which does not exist in namespace shop"},
		"over":           {strings.ReplaceAll(sale("minReplicas: 12"), "2026", "2025") + shopHPA(20), "asks for nothing any more"},
		"not valid":      {sale("minReplicas: -1"), "all.yaml:2: error: ScaleSchedule sale"},
		"not YAML":       {"a: [", "all.yaml:1"},
		"a pod of words": {sale("minReplicas: 1") + shopHPA(2) + "\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: 7\n", "the Pod p cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := examine(preflight.Options{}, tc.text)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// What fits is what the nodes have room for, whatever is asked.
func TestNodesDecide(t *testing.T) {
	files := sale("minReplicas: 4, rampUp: 30m") + shopHPA(500) + web(oneCore) + nodes(6)
	world, err := preflight.Read([]lint.File{{Name: "f", Text: []byte(files)}}, "default", now)
	require.NoError(t, err)
	all := world.Nodes
	rapid.Check(t, func(t *rapid.T) {
		floor, count := rapid.Int32Range(4, 60).Draw(t, "floor"), rapid.IntRange(1, 6).Draw(t, "nodes")
		world.Nodes, world.Event[0].Spec.Windows[0].MinReplicas = all[:count], &floor
		r, err := preflight.Examine(world, preflight.Options{Now: now, For: time.Hour})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(min(int(floor), 8*count)), r.Checks[1].Have)
		require.Equal(t, int(floor) <= 8*count, r.Verdict == preflight.OK)
	})
}
