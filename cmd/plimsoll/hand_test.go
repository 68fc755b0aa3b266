// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/spf13/cobra"
)

// The commands about HPAs, as far as they get without a cluster.
func TestCommandsAboutHPAs(t *testing.T) {
	const complete = cobra.ShellCompRequestCmd
	executeAll(t, map[string]invocation{
		"explain nothing":              {[]string{"explain"}, 2, "", "name one object to explain"},
		"explain two":                  {[]string{"explain", "hpa", "a", "b"}, 2, "", "name one object to explain"},
		"explain another kind":         {[]string{"explain", "deployment/shop"}, 2, "", "write hpa/NAME"},
		"explain without a cluster":    {[]string{"explain", "hpa/shop", "--context", "none"}, 1, "", "no cluster to ask"},
		"explain as xml":               {[]string{"explain", "hpa/shop", "-o", "xml"}, 2, "", "use table or json"},
		"override nothing":             {[]string{"override", "--min", "3", "--for", "1h"}, 2, "", "no HPA named"},
		"override without an end":      {[]string{"override", "hpa/shop", "--min", "3"}, 2, "", "with --for 2h or --until 23:00"},
		"override with two ends":       {[]string{"override", "hpa/shop", "--min", "3", "--for", "1h", "--until", "23:00"}, 2, "", "with --for 2h or --until 23:00"},
		"override for nothing":         {[]string{"override", "hpa/shop", "--for", "1h"}, 2, "", "changes nothing"},
		"override in the past":         {[]string{"override", "hpa/shop", "--min", "3", "--until", "2020-01-01T00:00"}, 2, "", "would have ended already"},
		"override for too long":        {[]string{"override", "hpa/shop", "--min", "3", "--for", "1000h"}, 2, "", "longer than 31 days"},
		"override for less than 0":     {[]string{"override", "hpa/shop", "--min", "3", "--for", "-1h"}, 2, "", "would have ended already"},
		"override min above max":       {[]string{"override", "hpa/shop", "--min", "3", "--max", "2", "--for", "1h"}, 2, "", "min 3 is above max 2"},
		"override exact and bounds":    {[]string{"override", "hpa/shop", "--min", "3", "--replicas", "2", "--for", "1h"}, 2, "", "replicas is the exact count"},
		"override ends and sets":       {[]string{"override", "hpa/shop", "--end", "--min", "2"}, 2, "", "--end ends the present override"},
		"override names and a label":   {[]string{"override", "hpa/shop", "-l", "a=b", "--end"}, 2, "", "give names or -l, not both"},
		"override with a bad label":    {[]string{"override", "hpa", "-l", "a in", "--end"}, 2, "", "-l a in"},
		"override not a number":        {[]string{"override", "hpa/shop", "--min", "many"}, 2, "", "invalid argument"},
		"override without a cluster":   {[]string{"override", "hpa/shop", "--context", "none"}, 1, "", "no cluster to ask"},
		"pause nothing":                {[]string{"pause"}, 2, "", "nothing named"},
		"pause another kind":           {[]string{"pause", "pod/x"}, 2, "", "write hpa/NAME or namespace/NAME"},
		"resume without a cluster":     {[]string{"resume", "hpa/shop", "--context", "none"}, 1, "", "no cluster to ask"},
		"upcoming for a year":          {[]string{"upcoming", "--for", "8760h"}, 2, "", "at most 744h"},
		"upcoming of two":              {[]string{"upcoming", "hpa", "a", "b"}, 2, "", "accepts at most 2 arg(s)"},
		"upcoming of one, everywhere":  {[]string{"upcoming", "hpa/a", "-A"}, 2, "", "name one HPA of one namespace"},
		"upcoming without a cluster":   {[]string{"upcoming", "--context", "none"}, 1, "", "no cluster to ask"},
		"complete explain":             {[]string{complete, "explain", ""}, 0, "hpa/\n", ""},
		"complete explain, the metric": {[]string{complete, "explain", "met"}, 0, "metric\t", ""},
		"complete pause":               {[]string{complete, "pause", ""}, 0, "hpa/\nnamespace/\n", ""},
		"complete without a cluster":   {[]string{complete, "override", "hpa/"}, 0, ":4", ""},
		"help says exit codes":         {[]string{"override", "--help"}, 0, "3 written, but no scaler applied it", ""},
	})
}
