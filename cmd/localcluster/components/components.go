// SPDX-License-Identifier: Apache-2.0

package components

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// The programs of a local cluster, by the names that the command line and the state file use.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
	Prometheus        = "prometheus"
)

// Component is one program and how it is built.
type Component struct {
	Name string
	// Package is the import path of its main package.
	Package string
	// Module holds the package and gives the version.
	Module string
	// Tags are Go build tags, separated by commas.
	Tags string
	// VersionVariables are the string variables that the linker sets to the module's version.
	VersionVariables []string
}

// All lists the components in the order in which they are built: the largest first, because what it
// compiles serves the others.
func All() []Component {
	return []Component{
		kubernetes(APIServer),
		kubernetes(ControllerManager),
		kubernetes(Scheduler),
		{Name: Etcd, Package: "go.etcd.io/etcd/server/v3", Module: "go.etcd.io/etcd/server/v3"},
		{Name: Kwok, Package: "sigs.k8s.io/kwok/cmd/kwok", Module: "sigs.k8s.io/kwok"},
		{
			Name:    Prometheus,
			Package: "github.com/prometheus/prometheus/cmd/prometheus",
			Module:  "github.com/prometheus/prometheus",
			// Cloud service discovery is most of Prometheus' code and of no use on loopback.
			Tags:             "remove_all_sd,enable_kubernetes_sd",
			VersionVariables: []string{"github.com/prometheus/common/version.Version"},
		},
	}
}

func kubernetes(name string) Component {
	return Component{
		Name:    name,
		Package: "k8s.io/kubernetes/cmd/" + name,
		Module:  "k8s.io/kubernetes",
		// Without these the server calls itself v0.0.0 and clients that check versions refuse it.
		VersionVariables: []string{
			"k8s.io/component-base/version.gitVersion",
			"k8s.io/client-go/pkg/version.gitVersion",
		},
	}
}

// Recipe is the module whose requirements the components are built with.
type Recipe struct {
	GoMod []byte
	GoSum []byte
}

// NewRecipe makes a recipe of a module file and its checksums. Modules that are replaced by folders of the
// checkout are left out: our own code needs them (in tests), the components do not, and the recipe has to
// work anywhere.
func NewRecipe(goMod, goSum []byte) (Recipe, error) {
	file, err := modfile.Parse("go.mod", goMod, nil)
	if err != nil {
		return Recipe{}, fmt.Errorf("read the recipe of the components: %w", err)
	}
	for _, replace := range slices.Clone(file.Replace) {
		if replace.New.Version != "" {
			continue
		}
		err := errors.Join(file.DropRequire(replace.Old.Path), file.DropReplace(replace.Old.Path, replace.Old.Version))
		if err != nil {
			return Recipe{}, fmt.Errorf("read the recipe of the components: %w", err)
		}
	}
	file.Cleanup()
	content, err := file.Format()
	if err != nil {
		return Recipe{}, fmt.Errorf("write the recipe of the components: %w", err)
	}
	return Recipe{GoMod: content, GoSum: goSum}, nil
}

// Key names a build by everything that decides its outcome: the module file and its checksums, the way
// each component is built, the Go version and the platform. It is safe as a folder name. Order and
// comments of the module file do not count: they say what our own code imports, not what is built.
func (r Recipe) Key() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q\n%q\n", statements(r.GoMod), statements(r.GoSum))
	fmt.Fprintf(hash, "%+v\n%s %s/%s\n", All(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// statements returns the different lines of a module file, sorted and without comments.
func statements(content []byte) []string {
	var lines []string
	for line := range strings.Lines(string(content)) {
		line, _, _ = strings.Cut(line, "//")
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// Cache is the folder that keeps builds, locks and default cluster folders: plimsoll/localcluster in
// $XDG_CACHE_HOME, or else in ~/.cache.
type Cache string

// DefaultCache returns the user's cache folder, created if it is missing.
func DefaultCache() (Cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w; set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(base, "plimsoll", "localcluster")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the cache folder: %w", err)
	}
	return Cache(dir), nil
}

// Path joins names to the cache folder.
func (c Cache) Path(names ...string) string {
	return filepath.Join(append([]string{string(c)}, names...)...)
}

// Build is a finished build: a folder that holds one file per component.
type Build string

// Program returns the path of a component's program.
func (b Build) Program(component string) string {
	return filepath.Join(string(b), component)
}

// Find returns the recipe's build, and whether it is there.
func Find(cache Cache, recipe Recipe) (Build, bool) {
	build := Build(cache.Path("builds", recipe.Key()))
	for _, component := range All() {
		if _, err := os.Stat(build.Program(component.Name)); err != nil {
			return build, false
		}
	}
	return build, true
}
