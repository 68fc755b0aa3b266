// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// execute runs the program with a kubeconfig that leads nowhere.
func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.Close()) })
	var errors bytes.Buffer
	code = run(args, out, &errors)
	_, err = out.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	return code, string(text), errors.String()
}

// invocation is a command line, its exit code, and parts of what it says.
type invocation struct {
	args           []string
	code           int
	stdout, stderr string
}

// executeAll runs command lines. Each one that fails says why in one sentence.
func executeAll(t *testing.T, tests map[string]invocation) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(t, tc.args...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stdout, tc.stdout)
			require.Contains(t, stderr, tc.stderr)
			if tc.code != 0 {
				require.Equal(t, 1, strings.Count(stderr, "\n"), "one sentence: %s", stderr)
			}
		})
	}
}

func TestRun(t *testing.T) {
	executeAll(t, map[string]invocation{
		"help":              {[]string{"--help"}, 0, "kubectl-plimsoll", ""},
		"no metric":         {[]string{"explain", "metric"}, 1, "", "accepts between 1 and 2 arg(s)"},
		"not a metric":      {[]string{"explain", "metric", "a/b/c"}, 1, "", "write NAMESPACE/METRIC"},
		"unknown output":    {[]string{"explain", "metric", "shop/online_users", "-o", "xml"}, 1, "", "use table or json"},
		"bad context":       {[]string{"explain", "metric", "shop/online_users", "--context", "none"}, 1, "", "the kubeconfig cannot be used"},
		"too short a day":   {[]string{"demo", "--duration", "10s"}, 1, "", "at least 3m"},
		"complete nothing":  {[]string{cobra.ShellCompRequestCmd, "explain", "metric", "shop/"}, 0, ":4", ""},
		"complete -o":       {[]string{cobra.ShellCompRequestCmd, "explain", "metric", "shop/x", "-o", ""}, 0, "json", ""},
		"bash's completion": {[]string{"completion", "bash"}, 0, "__start_plimsoll", ""},
	})
}

func TestSuggestsACommand(t *testing.T) {
	code, _, stderr := execute(t, "explian")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `unknown command "explian"`)
	require.Contains(t, stderr, "explain\n")
}

// What kubectl's completion calls is what our own completion answers.
func TestKubectlCompletes(t *testing.T) {
	require.Equal(t, []string{"lint", "-"}, arguments([]string{"/bin/kubectl-plimsoll", "lint", "-"}))
	args := arguments([]string{"/opt/bin/kubectl_complete-plimsoll", "pause", ""})
	code, stdout, stderr := execute(t, args...)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "hpa/\nnamespace/\n")
}
