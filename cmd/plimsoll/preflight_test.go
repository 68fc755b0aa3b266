// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

const preflightEvent = `
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: sale}
spec:
  targetRef: {name: shop}
  timeZone: UTC
  windows: [{name: evening, schedule: "0 19 * * *", duration: 4h, minReplicas: 8, rampUp: 30m}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec: {minReplicas: 4, maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: web, image: web, resources: {requests: {cpu: 1}}}]}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {allocatable: {cpu: "8", memory: 32Gi, pods: "20"}, conditions: [{type: Ready, status: "True"}]}
`

func TestPreflightExitCodes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	fits, short := write("fits.yaml", preflightEvent), write("short.yaml", strings.ReplaceAll(preflightEvent, "minReplicas: 8", "minReplicas: 9"))
	for name, tc := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"fits":           {[]string{"-f", fits, "--offline"}, 0, "It fits.", ""},
		"short":          {[]string{"-f", short, "--offline"}, 1, "1 of 9 new pods of default/shop have no place", "it does not fit: 1 check is short"},
		"not known":      {[]string{"-f", write("few.yaml", preflightEvent[:strings.LastIndex(preflightEvent, "---")]), "--offline"}, 1, "UNKNOWN", "it is not known whether it fits"},
		"no file":        {nil, 2, "", "-f EVENT.yaml"},
		"missing file":   {[]string{"-f", filepath.Join(dir, "none"), "--offline"}, 2, "", "none"},
		"mistake":        {[]string{"-f", write("bad.yaml", strings.ReplaceAll(preflightEvent, "UTC", "Utopia")), "--offline"}, 2, "", `time zone "Utopia" is not known`},
		"no such time":   {[]string{"-f", fits, "--offline", "--at", "tomorrow"}, 2, "", "is not a time with an offset"},
		"nothing then":   {[]string{"-f", fits, "--offline", "--at", "2026-11-11T03:00:00Z"}, 2, "", "no window of it is on"},
		"on the ramp":    {[]string{"-f", short, "--offline", "--at", "2026-11-11T18:45:00Z"}, 0, "It fits.", ""},
		"lost offline":   {[]string{"-f", fits, "--offline", "--lose", "berlin"}, 2, "", "it does not go with --offline"},
		"unknown flag":   {[]string{"--nodes"}, 2, "", "unknown flag"},
		"unknown output": {[]string{"-f", fits, "--offline", "-o", "xml"}, 2, "", "use table or json"},
		"no cluster":     {[]string{"-f", fits}, 1, "", "no API server answers"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(t, append([]string{"preflight"}, tc.args...)...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stdout, tc.stdout)
			require.Contains(t, stderr, tc.stderr)
		})
	}
	code, stdout, _ := execute(t, "preflight", "-f", short, "--offline", "-o", "json")
	require.Equal(t, 1, code)
	var answer struct {
		Verdict string
		Checks  []struct{ Check, Need, Have, State string }
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.Equal(t, "short", answer.Verdict)
	require.Equal(t, []string{"nodes", "9", "8", "short"}, []string{answer.Checks[1].Check, answer.Checks[1].Need, answer.Checks[1].Have, answer.Checks[1].State})
	_, stdout, _ = execute(t, cobra.ShellCompRequestCmd, "preflight", "-f", "")
	require.Contains(t, stdout, "yaml")
	_, stdout, _ = execute(t, cobra.ShellCompRequestCmd, "preflight", "--lose", "")
	require.Equal(t, ":4\n", stdout, "no names without a cluster, and no file names")
	_, stdout, _ = execute(t, cobra.ShellCompRequestCmd, "lint", "")
	require.Contains(t, stdout, "yaml")
}
