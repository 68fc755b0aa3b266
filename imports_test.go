// SPDX-License-Identifier: Apache-2.0

package plimsoll_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who may import whom. The folders are the architecture: policy decides, adapter and scaler act, cmd wires.

const module = "github.com/plimsoll/plimsoll"

// importRule holds for the packages below a folder, except those below another.
type importRule struct {
	folder, except string
	why            string
	direct         func(path string) bool // whether a package may import path itself
	indirect       func(path string) bool // whether it may depend on path at all; nil: on anything
}

var importRules = []importRule{
	{
		folder: "policy", except: "policy/v1alpha1",
		why:      "policy is arithmetic on plain values: the standard library without os and net, and pure libraries",
		direct:   allOf(not("os", "net"), anyOf(standard, below(module+"/policy", "gonum.org/v1/gonum", "github.com/robfig/cron/v3", "github.com/teambition/rrule-go", "github.com/emersion/go-ical"))),
		indirect: allOf(func(path string) bool { return path != "net" }, not("net/http", "os/exec", "k8s.io", "sigs.k8s.io")), // net/url is pure
	},
	{
		folder:   "policy/v1alpha1",
		why:      "API types are easy to import: apimachinery only",
		direct:   anyOf(standard, below("k8s.io/apimachinery", module+"/policy")),
		indirect: not("k8s.io/client-go", "k8s.io/api", "k8s.io/apiserver", "sigs.k8s.io/controller-runtime"),
	},
	{
		folder: "adapter", why: "adapter and scaler never import each other, and nobody imports cmd",
		direct: not(module+"/scaler", module+"/cmd"), indirect: not(module+"/scaler", module+"/cmd"),
	},
	{
		folder: "scaler", why: "adapter and scaler never import each other, and nobody imports cmd",
		direct: not(module+"/adapter", module+"/cmd"), indirect: not(module+"/adapter", module+"/cmd"),
	},
	{
		folder: "adapter/explain", why: "the explain document is what clients import: nothing of the adapter",
		direct: not(module), indirect: not(module),
	},
	{
		folder: "manifests", why: "the manifests are files and a renderer",
		direct: not(module), indirect: not(module),
	},
	{
		folder: "", except: "cmd", why: "only cmd knows signals and commands",
		direct: allOf(not("os/signal", "flag", "github.com/spf13/cobra"), not(module+"/cmd")),
	},
}

func TestImports(t *testing.T) {
	packages := listPackages(t)
	for _, rule := range importRules {
		for _, p := range packages {
			if !inside(p.ImportPath, module, rule.folder) || rule.except != "" && inside(p.ImportPath, module, rule.except) || isBench(p.ImportPath) {
				continue
			}
			for _, path := range p.Imports {
				require.True(t, rule.direct(path) || own(p.ImportPath, path), "%s must not import %s: %s", p.ImportPath, path, rule.why)
			}
			for _, path := range p.Deps {
				require.True(t, rule.indirect == nil || rule.indirect(path) || own(p.ImportPath, path),
					"%s must not depend on %s: %s", p.ImportPath, path, rule.why)
			}
		}
	}
	for _, folder := range []string{"policy", "policy/v1alpha1", "adapter", "manifests"} {
		require.True(t, slices.ContainsFunc(packages, func(p listed) bool { return inside(p.ImportPath, module, folder) }), "no packages in %s", folder)
	}
}

// The environment and the command line are read in cmd only: everything else gets options.
func TestOnlyCommandsReadTheEnvironment(t *testing.T) {
	forbidden := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Args", "Exit"}
	files := 0
	for _, folder := range []string{"adapter", "scaler", "policy", "manifests"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // not every folder exists yet
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if from, ok := selector.X.(*ast.Ident); ok && from.Name == "os" {
					require.NotContains(t, forbidden, selector.Sel.Name, "%s uses os.%s: let cmd read it and pass it on in the options", path, selector.Sel.Name)
				}
				return true
			})
			return nil
		})
		require.NoError(t, err)
	}
	require.NotZero(t, files)
}

// The rules themselves tell good from bad.
func TestImportRulesBite(t *testing.T) {
	rule := func(folder string) importRule {
		return importRules[slices.IndexFunc(importRules, func(r importRule) bool { return r.folder == folder })]
	}
	for _, test := range []struct {
		folder, path string
		allowed      bool
	}{
		{"policy", "math", true},
		{"policy", "os", false},
		{"policy", "net/http", false},
		{"policy", "gonum.org/v1/gonum/stat", true},
		{"policy", "k8s.io/apimachinery/pkg/types", false},
		{"policy", "github.com/robfig/cron/v3", true},
		{"policy/v1alpha1", "k8s.io/apimachinery/pkg/apis/meta/v1", true},
		{"policy/v1alpha1", "k8s.io/client-go/rest", false},
		{"adapter", module + "/scaler/bounds", false},
		{"adapter", module + "/policy/v1alpha1", true},
		{"scaler", module + "/adapter/rule", false},
		{"scaler", module + "/cmd/stack", false},
		{"", "os/signal", false},
	} {
		require.Equal(t, test.allowed, rule(test.folder).direct(test.path), "%s imports %s", test.folder, test.path)
	}
}

type listed struct {
	ImportPath    string
	Imports, Deps []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	var problems bytes.Buffer
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	command.Stderr = &problems
	out, err := command.Output()
	require.NoError(t, err, problems.String())
	decoder := json.NewDecoder(bytes.NewReader(out))
	var packages []listed
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// standard: a package of the standard library has no dot in its first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func below(roots ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
	}
}

func not(roots ...string) func(string) bool {
	return func(path string) bool { return !below(roots...)(path) }
}

func anyOf(rules ...func(string) bool) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(rules, func(rule func(string) bool) bool { return rule(path) })
	}
}

func allOf(rules ...func(string) bool) func(string) bool {
	return func(path string) bool {
		return !slices.ContainsFunc(rules, func(rule func(string) bool) bool { return !rule(path) })
	}
}

func inside(path, root, folder string) bool {
	if folder == "" {
		return below(root)(path)
	}
	return below(root + "/" + folder)(path)
}

// own: a package may import what lies below itself.
func own(importer, path string) bool { return below(importer)(path) }

// isBench: a benchmark is a command too, beside the code's own folders.
func isBench(path string) bool { return inside(path, module, "bench") }
