// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// next says what to do after an installation.
func next(content Content, objects []*unstructured.Unstructured) string {
	var text strings.Builder
	if content.Overlay == "shadow" {
		text.WriteString("\nPlimsoll runs beside the other adapter: no HPA reads it. Next:\n")
	} else {
		text.WriteString("\nPlimsoll is installed. Next:\n")
	}
	line := func(command, why string) { fmt.Fprintf(&text, "  %-48s  %s\n", command, why) }
	line("kubectl apply -f RULE.yaml", "a MetricRule: one PromQL query becomes a metric")
	line("kubectl get plimsoll -A", "whether the rules work, and why not")
	line("kubectl apply -f SCHEDULE.yaml", "a ScaleSchedule: other bounds every evening, or for one event")
	line("plimsoll explain metric NAMESPACE/METRIC", "what a metric is worth, its age, query and source")
	if content.Overlay == "shadow" {
		line("plimsoll install", "when the numbers agree and the other adapter is uninstalled")
	}
	line("plimsoll uninstall", "removes what was created here; rules stay")
	if urls := sources(objects); len(urls) > 0 {
		fmt.Fprintf(&text, "The numbers come from %s (--prometheus-url).\n", strings.Join(urls, ", then "))
	}
	return text.String()
}

// sources are the Prometheus servers that the adapter asks.
func sources(objects []*unstructured.Unstructured) []string {
	var urls []string
	for _, object := range objects {
		containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		for _, one := range containers {
			fields, _ := one.(map[string]any)
			args, _, _ := unstructured.NestedStringSlice(fields, "args")
			for _, arg := range args {
				if isURLFlag(arg) {
					urls = append(urls, strings.TrimPrefix(arg, urlFlag))
				}
			}
		}
	}
	return urls
}
