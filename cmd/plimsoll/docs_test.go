// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	fenced = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")
	inline = regexp.MustCompile("`((?:kubectl )?plimsoll [^`]+)`")
)

// Every command line of the pages names a command and flags that exist, and arguments that the command takes.
func TestCommandLinesOfThePages(t *testing.T) {
	pages, err := filepath.Glob("../../manifests/guides/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	seen := map[string]bool{}
	for _, page := range append(pages, "../../README.md", "../../manifests/README.md", "../../bench/README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		var lines []string
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			if block[1] == "sh" || block[1] == "" {
				lines = append(lines, strings.Split(strings.ReplaceAll(block[2], "\\\n", " "), "\n")...)
			}
		}
		for _, span := range inline.FindAllStringSubmatch(string(fenced.ReplaceAll(text, nil)), -1) {
			lines = append(lines, strings.ReplaceAll(span[1], "\n", " "))
		}
		for _, line := range lines {
			for _, args := range plimsollArgs(line) {
				seen[checkCommandLine(t, args, page+": "+line)] = true
			}
		}
	}
	for _, name := range []string{"explain", "install", "lint", "override", "pause", "plan", "preflight", "report", "uninstall", "upcoming"} {
		require.True(t, seen["plimsoll "+name], "no page shows plimsoll %s, or it was not found", name)
	}
}

// checkCommandLine returns the path of the command, such as "plimsoll explain metric".
func checkCommandLine(t *testing.T, args []string, where string) string {
	t.Helper()
	root := newRoot(os.Stdout, io.Discard)
	root.InitDefaultCompletionCmd()
	command, rest, err := root.Find(args)
	require.NoError(t, err, where)
	require.NotSame(t, root, command, where)
	require.NoError(t, command.ParseFlags(rest), where)
	if command.Flags().NArg() > 0 { // a page may also speak of a command without its arguments
		require.NoError(t, command.ValidateArgs(command.Flags().Args()), where)
	}
	return command.CommandPath()
}

// plimsollArgs are the arguments of the calls of plimsoll in a line of a shell.
func plimsollArgs(line string) [][]string {
	var calls [][]string
	for _, words := range shellCommands(strings.TrimPrefix(line, "$ ")) {
		if len(words) > 1 && words[0] == "kubectl" && words[1] == "plimsoll" {
			words = words[1:]
		}
		if len(words) > 1 && filepath.Base(words[0]) == "plimsoll" {
			calls = append(calls, words[1:])
		}
	}
	return calls
}

// shellCommands splits a line into commands, and those into words, as far as the pages use a shell: quotes, pipes,
// semicolons, ampersands, redirections and comments.
func shellCommands(line string) [][]string {
	commands, word, open, quote := [][]string{nil}, "", false, rune(0)
	end := func() {
		if open {
			last := len(commands) - 1
			commands[last] = append(commands[last], word)
		}
		word, open = "", false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == '#' && !open:
			return commands
		case strings.ContainsRune("|;&>", r):
			end()
			commands = append(commands, nil)
		case r == ' ':
			end()
		default:
			word, open = word+string(r), true
		}
	}
	end()
	return commands
}

func TestShellCommands(t *testing.T) {
	got := shellCommands(`kubectl get x -o yaml | plimsoll lint - --reason "a # b; c"; plimsoll plan --query 'sum(x{a="b"})' > f # why`)
	require.True(t, slices.EqualFunc(got, [][]string{
		{"kubectl", "get", "x", "-o", "yaml"},
		{"plimsoll", "lint", "-", "--reason", "a # b; c"},
		{"plimsoll", "plan", "--query", `sum(x{a="b"})`},
		{"f"},
	}, slices.Equal), "%q", got)
}
