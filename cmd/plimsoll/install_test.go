// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/spf13/cobra"
)

func TestInstallCommand(t *testing.T) {
	executeAll(t, map[string]invocation{
		"manifests without a cluster": {[]string{"install", "--dry-run", "-o", "yaml", "--image", "r.example.com/a:1"}, 0, "image: r.example.com/a:1\n", ""},
		"yaml is a dry run":           {[]string{"install", "-o", "yaml"}, 1, "", "-o yaml is for --dry-run"},
		"unknown output":              {[]string{"install", "--dry-run", "-o", "json"}, 1, "", "use yaml"},
		"unknown overlay":             {[]string{"install", "--overlay", "local"}, 1, "", "use ha, embedded, shadow"},
		"unknown API":                 {[]string{"install", "--apis", "custom,metrics"}, 1, "", `--apis has "metrics"`},
		"not a URL":                   {[]string{"install", "--dry-run", "-o", "yaml", "--prometheus-url", "prometheus"}, 1, "", "is not a URL such as"},
		"bad context":                 {[]string{"install", "--context", "none"}, 1, "", "no cluster to ask"},
		"bad context to uninstall":    {[]string{"uninstall", "--context", "none"}, 1, "", "no cluster to ask"},
		"no arguments":                {[]string{"uninstall", "everything"}, 1, "", `unknown command "everything"`},
		"complete --overlay":          {[]string{cobra.ShellCompRequestCmd, "install", "--overlay", ""}, 0, "ha\nembedded\nshadow\n", ""},
		"complete --apis":             {[]string{cobra.ShellCompRequestCmd, "install", "--apis", ""}, 0, "custom\nexternal\nquery\n", ""},
		"help":                        {[]string{"uninstall", "--help"}, 0, "--rules", ""},
	})
}
