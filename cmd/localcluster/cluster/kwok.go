// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"strings"
	"time"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"
)

// nodeAnnotation marks the nodes that kwok plays: those that up creates and those that a test adds.
const nodeAnnotation = "kwok.x-k8s.io/node=fake"

// podReadyAgain is a stage for a pod whose Ready was taken away by the controller manager, which had taken its node for dead:
// a kubelet that is back says so again, and kwok's own stages do not. The containers, which are the kubelet's, stay Ready then.
const podReadyAgain = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-ready-again
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Running]}
    - {key: '.status.conditions.[] | select( .type == "ContainersReady" ) | .status', operator: In, values: ["True"]}
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: In, values: ["False"]}
  delay:
    durationMilliseconds: 1000
  next:
    statusTemplate: |
      conditions:
      - lastTransitionTime: {{ Now | Quote }}
        reason: ""
        status: "True"
        type: Ready
`

// writeKwokConfig writes the stages, kwok's own and one of ours, that nodes and pods go through.
func (s *State) writeKwokConfig() error {
	podReady, err := delayed(podfast.DefaultPodReady, s.Options.PodReadyDelay)
	if err != nil {
		return err
	}
	stages := []string{
		nodefast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease,
		podReady, podReadyAgain, podfast.DefaultPodComplete, podfast.DefaultPodDelete,
	}
	if err := os.WriteFile(s.path("kwok.yaml"), []byte(strings.Join(stages, "\n---\n")), 0o600); err != nil {
		return fmt.Errorf("write kwok's configuration: %w", err)
	}
	return nil
}

// delayed returns a stage that waits before it acts.
func delayed(stage string, delay time.Duration) (string, error) {
	if delay == 0 {
		return stage, nil
	}
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(stage), &object); err != nil {
		return "", fmt.Errorf("read kwok's stage: %w", err)
	}
	object.Spec["delay"] = map[string]any{"durationMilliseconds": delay.Milliseconds()}
	content, err := yaml.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("write kwok's stage: %w", err)
	}
	return string(content), nil
}
