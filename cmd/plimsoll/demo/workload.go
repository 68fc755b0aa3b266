// SPDX-License-Identifier: Apache-2.0

package demo

import (
	_ "embed"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
)

// shopYAML are the objects of the demo.
//
//go:embed shop.yaml
var shopYAML string

const (
	namespace = "shop"
	name      = "shop" // of the Deployment and of the HPA
	selector  = "app=shop"
	metric    = "online_users"
)

// target is what the HPA in shop.yaml says.
var target = report.Target{PerPod: 100, Min: 2, Max: 40}
