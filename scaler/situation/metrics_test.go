// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// hpaOf reads an HPA's spec.metrics and status.currentMetrics.
func hpaOf(t *testing.T, metrics, current string) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := new(autoscalingv2.HorizontalPodAutoscaler)
	text := `{"metadata":{"name":"shop"},"spec":{"maxReplicas":10,"metrics":[` + metrics + `]},
		"status":{"conditions":[{"type":"ScalingActive","status":"True"}],"currentMetrics":[` + current + `]}}`
	require.NoError(t, json.Unmarshal([]byte(text), hpa))
	return hpa
}

const (
	podsTarget      = `{"type":"Pods","pods":{"metric":{"name":"users"},"target":{"type":"AverageValue","averageValue":"100"}}}`
	podsAt130       = `{"type":"Pods","pods":{"metric":{"name":"users"},"current":{"averageValue":"130"}}}`
	podsAt105       = `{"type":"Pods","pods":{"metric":{"name":"users"},"current":{"averageValue":"105"}}}`
	cpuTarget       = `{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}}`
	cpuAt30         = `{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":30}}}`
	externalTarget  = `{"type":"External","external":{"metric":{"name":"queue"},"target":{"type":"Value","value":"50"}}}`
	externalAt100   = `{"type":"External","external":{"metric":{"name":"queue"},"current":{"value":"100"}}}`
	objectTarget    = `{"type":"Object","object":{"metric":{"name":"rps"},"describedObject":{"kind":"Ingress","name":"shop"},"target":{"type":"AverageValue","averageValue":"200m"}}}`
	objectAt        = `{"type":"Object","object":{"metric":{"name":"rps"},"describedObject":{"kind":"Ingress","name":"shop"},"current":{"averageValue":"301m"}}}`
	memoryTarget    = `{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"200Mi"}}}`
	missing         = `{"type":""}`
	containerTarget = `{"type":"ContainerResource","containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization","averageUtilization":50}}}`
	containerAt     = `{"type":"ContainerResource","containerResource":{"name":"cpu","container":"app","current":{"averageUtilization":100}}}`
)

func TestWanted(t *testing.T) {
	for _, test := range []struct {
		name             string
		metrics, current string
		running          int32
		held             bool
		want             int32 // 0: unknown
	}{
		{"average", podsTarget, podsAt130, 10, false, 13},
		{"within tolerance", podsTarget, podsAt105, 100, false, 100},
		{"within tolerance of a floor", podsTarget, podsAt105, 100, true, 105},
		{"utilization", cpuTarget, cpuAt30, 10, false, 5},
		{"container", containerTarget, containerAt, 10, false, 20},
		{"value", externalTarget, externalAt100, 10, false, 20},
		{"a rounded average", objectTarget, objectAt, 10, false, 16},
		{"the largest of two", podsTarget + "," + cpuTarget, podsAt130 + "," + cpuAt30, 10, false, 13},
		{"one is missing, the other asks for more", podsTarget + "," + cpuTarget, podsAt130 + "," + missing, 10, false, 13},
		{"one is missing, the other asks for less", podsTarget + "," + cpuTarget, missing + "," + cpuAt30, 10, false, 0},
		{"all are missing", podsTarget, missing, 10, false, 0},
		{"not read", podsTarget, "", 10, false, 0},
		{"no metrics", "", "", 10, false, 0},
		{"no replicas", podsTarget, podsAt130, 0, false, 0},
		{"another metric's status", podsTarget, cpuAt30, 10, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Wanted(hpaOf(t, test.metrics, test.current), test.running, test.held)
			if test.want == 0 {
				require.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			require.Equal(t, test.want, *got)
		})
	}
	hpa := hpaOf(t, podsTarget, podsAt130)
	hpa.Status.Conditions[0].Status = "False"
	require.Nil(t, Wanted(hpa, 10, false), "the metrics of an HPA that cannot read them are old")
	hpa = hpaOf(t, cpuTarget, cpuAt30)
	*hpa.Spec.Metrics[0].Resource.Target.AverageUtilization = 0
	require.Nil(t, Wanted(hpa, 10, false), "a target of 0")
}

func TestPerReplicaMilli(t *testing.T) {
	for _, test := range []struct {
		name, metrics string
		want          int64
		wrong         string
	}{
		{"one", podsTarget, 100_000, ""},
		{"in thousandths", objectTarget + "," + cpuTarget, 200, ""},
		{"beside memory", memoryTarget + "," + podsTarget, 100_000, ""},
		{"memory alone", memoryTarget, 0, "no Pods, Object or External metric with an AverageValue target"},
		{"none", cpuTarget, 0, "no Pods, Object or External metric with an AverageValue target"},
		{"two", podsTarget + "," + objectTarget, 0, "2 metrics with AverageValue targets"},
		{"no metrics", "", 0, "no Pods, Object or External metric with an AverageValue target"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := PerReplicaMilli(hpaOf(t, test.metrics, ""))
			require.Equal(t, test.want, got)
			if test.wrong != "" {
				require.ErrorContains(t, err, test.wrong)
				return
			}
			require.NoError(t, err)
		})
	}
}
