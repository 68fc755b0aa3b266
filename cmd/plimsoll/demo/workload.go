// SPDX-License-Identifier: Apache-2.0

package demo

import (
	_ "embed"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
)

// shopYAML are the objects of one shop. Both shops have the same but for their namespace.
//
//go:embed shop.yaml
var shopYAML string

// The namespaces of the shops: one has an HPA alone, the other one schedule, forecast and override beside it.
const (
	aloneNamespace   = "shop"
	plannedNamespace = "shop-planned"
)

const (
	name     = "shop" // of the Deployment and of the HPA
	selector = "app=shop"
	metric   = "online_users"

	scheduleName = "sale"
	forecastName = "users"
)

// syncPeriod is the time between two decisions of the HPA controller.
const syncPeriod = 5 * time.Second

// targetOf is what the HPA in shop.yaml says, and what its pods are like on a day of that length.
func targetOf(day time.Duration) report.Target {
	return report.Target{PerPod: 100, Capacity: 120, Min: 2, Max: 40, Startup: startupOf(day)}
}

// startupOf is how long a pod takes to be Ready. Beside a real day it would be an hour, so that a day of minutes shows
// what a minute does to a real rise.
func startupOf(day time.Duration) time.Duration {
	return max(4*time.Second, (day / 25).Round(time.Second))
}

// manifestOf are the objects of the shop in a namespace.
func manifestOf(namespace string) string {
	return strings.ReplaceAll(shopYAML, "NAMESPACE", namespace)
}
