// SPDX-License-Identifier: Apache-2.0

package components

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// unusedFor is how long a build of another key is kept after its last use.
const unusedFor = 14 * 24 * time.Hour

// Ensure returns the recipe's build and makes it first if it is missing. Of several callers at once one
// builds and the others wait for it. Progress goes to progress, a line at a time.
func Ensure(ctx context.Context, cache Cache, recipe Recipe, progress io.Writer) (Build, error) {
	build, found := Find(cache, recipe)
	if found {
		return build, touch(build)
	}
	unlock, err := process.Lock(ctx, cache.Path("build.lock"), func() {
		fmt.Fprintln(progress, "another process is building the components; waiting for it")
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if build, found = Find(cache, recipe); found {
		return build, touch(build)
	}
	if err := prune(cache, time.Now()); err != nil {
		return "", err
	}
	return build, produce(ctx, cache, recipe, progress)
}

// produce builds into a temporary folder and renames it. The caller holds the build lock.
func produce(ctx context.Context, cache Cache, recipe Recipe, progress io.Writer) error {
	dir, err := os.MkdirTemp(cache.Path("builds"), "tmp-")
	if err != nil {
		return fmt.Errorf("create a folder for the build: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // if it fails, the next build does it
	module, output := filepath.Join(dir, "module"), filepath.Join(dir, "programs")
	if err := errors.Join(os.Mkdir(module, 0o700), os.Mkdir(output, 0o700)); err != nil {
		return err
	}
	for name, content := range map[string][]byte{"go.mod": recipe.GoMod, "go.sum": recipe.GoSum} {
		if err := os.WriteFile(filepath.Join(module, name), content, 0o600); err != nil {
			return err
		}
	}
	begin := time.Now()
	fmt.Fprintf(progress, "building %d components into %s; from nothing this takes 5 to 7 minutes on two cores, and is done once\n",
		len(All()), cache.Path("builds", recipe.Key()))
	for i, component := range All() {
		label := fmt.Sprintf("%s (%d of %d)", component.Name, i+1, len(All()))
		if err := compile(ctx, module, output, component, newMeter(progress, label)); err != nil {
			return fmt.Errorf("build %s: %w", component.Name, err)
		}
	}
	target := cache.Path("builds", recipe.Key())
	// An incomplete folder of that name can only be one that somebody deleted files from.
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.Rename(output, target); err != nil {
		return fmt.Errorf("publish the build: %w", err)
	}
	fmt.Fprintf(progress, "built the components in %s\n", time.Since(begin).Round(time.Second))
	return nil
}

// compile builds one component from the module folder into the output folder.
func compile(ctx context.Context, module, output string, component Component, meter *meter) error {
	version, err := moduleVersion(ctx, module, component.Module)
	if err != nil {
		return err
	}
	linker := []string{"-s", "-w"}
	for _, variable := range component.VersionVariables {
		linker = append(linker, "-X", variable+"="+version)
	}
	arguments := []string{"build", "-v", "-o", filepath.Join(output, component.Name),
		"-ldflags", strings.Join(linker, " "), "-tags", component.Tags, component.Package}
	command := goCommand(ctx, module, arguments...)
	command.Stdout, command.Stderr = meter, meter
	stop := meter.start()
	err = process.RunTied(command)
	stop(err)
	if err != nil {
		return fmt.Errorf("go build failed: %w\n%s", err, meter.tail())
	}
	return nil
}

// moduleVersion returns the version of a required module, as go.mod selects it.
func moduleVersion(ctx context.Context, dir, module string) (string, error) {
	out, err := goCommand(ctx, dir, "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("go list -m %s: %w: %s", module, err, exit.Stderr)
		}
		return "", fmt.Errorf("go list -m %s: %w; Go must be installed to build the components", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func goCommand(ctx context.Context, dir string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	// The caller's flags and workspace belong to another module; they would also make the key untrue.
	command.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "PWD="+dir)
	return command
}

// touch marks a build as used now, so that prune keeps it.
func touch(build Build) error {
	now := time.Now()
	if err := os.Chtimes(string(build), now, now); err != nil {
		return fmt.Errorf("mark the build as used: %w", err)
	}
	return nil
}

// prune removes what killed builds left behind, and builds that nobody has used for a while. The caller
// holds the build lock, so a temporary folder is nobody's.
func prune(cache Cache, now time.Time) error {
	if err := os.MkdirAll(cache.Path("builds"), 0o700); err != nil {
		return fmt.Errorf("create the folder for builds: %w", err)
	}
	entries, err := os.ReadDir(cache.Path("builds"))
	if err != nil {
		return fmt.Errorf("list the builds: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("look at build %s: %w", entry.Name(), err)
		}
		if !strings.HasPrefix(entry.Name(), "tmp-") && now.Sub(info.ModTime()) < unusedFor {
			continue
		}
		if err := os.RemoveAll(cache.Path("builds", entry.Name())); err != nil {
			return fmt.Errorf("remove an old build: %w", err)
		}
	}
	return nil
}
