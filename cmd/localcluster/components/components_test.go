// SPDX-License-Identifier: Apache-2.0

package components

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const goModText = `module example.test/m

require (
	k8s.io/kubernetes v1.36.3
	sigs.k8s.io/kwok v0.8.0 // indirect
)
`

func TestKeyFollowsWhatIsBuilt(t *testing.T) {
	key := Recipe{GoMod: []byte(goModText), GoSum: []byte("a h1:x\n")}.Key()
	reordered := "module example.test/m\nrequire (\n\tsigs.k8s.io/kwok v0.8.0\n\n\tk8s.io/kubernetes v1.36.3 // why\n)\n"
	tests := map[string]struct {
		recipe Recipe
		same   bool
	}{
		"the same":       {Recipe{[]byte(goModText), []byte("a h1:x\n")}, true},
		"other comments": {Recipe{[]byte(reordered), []byte("a h1:x\n")}, true},
		"other version":  {Recipe{bytes.Replace([]byte(goModText), []byte("1.36.3"), []byte("1.36.4"), 1), []byte("a h1:x\n")}, false},
		"other checksum": {Recipe{[]byte(goModText), []byte("a h1:y\n")}, false},
		"moved lines":    {Recipe{[]byte(goModText + "a h1:x\n"), nil}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.same, key == test.recipe.Key())
		})
	}
	require.Regexp(t, "^[0-9a-f]{16}$", key)
}

// Folders of the checkout are not there where a recipe is followed.
func TestRecipeLeavesFoldersOut(t *testing.T) {
	plain, err := NewRecipe([]byte(goModText), nil)
	require.NoError(t, err)
	withFolder, err := NewRecipe([]byte(goModText+"require example.test/own v0.0.0\nreplace example.test/own => ./own\n"), nil)
	require.NoError(t, err)
	require.NotContains(t, string(withFolder.GoMod), "example.test/own")
	require.Equal(t, plain.Key(), withFolder.Key())
	other, err := NewRecipe([]byte(goModText+"replace example.test/a => example.test/b v1.0.0\n"), nil)
	require.NoError(t, err)
	require.NotEqual(t, plain.Key(), other.Key())
	_, err = NewRecipe([]byte("require ("), nil)
	require.Error(t, err)
}

func TestFindWantsEveryProgram(t *testing.T) {
	cache, recipe := Cache(t.TempDir()), Recipe{GoMod: []byte(goModText)}
	build, found := Find(cache, recipe)
	require.False(t, found)
	require.NoError(t, os.MkdirAll(string(build), 0o700))
	for _, component := range All() {
		_, found = Find(cache, recipe)
		require.False(t, found, "before %s is there", component.Name)
		require.NoError(t, os.WriteFile(build.Program(component.Name), nil, 0o700))
	}
	_, found = Find(cache, recipe)
	require.True(t, found)
}

func TestPruneKeepsWhatIsUsed(t *testing.T) {
	cache, now := Cache(t.TempDir()), time.Now()
	ages := map[string]time.Duration{"fresh": time.Hour, "old": unusedFor + time.Hour, "tmp-killed": time.Second}
	for name, age := range ages {
		dir := cache.Path("builds", name)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.Chtimes(dir, now.Add(-age), now.Add(-age)))
	}
	require.NoError(t, prune(cache, now))
	left, err := filepath.Glob(cache.Path("builds", "*"))
	require.NoError(t, err)
	require.Equal(t, []string{cache.Path("builds", "fresh")}, left)
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	cache := Cache(t.TempDir())
	recipe := Recipe{GoMod: []byte("module example.test/empty\n")}
	var progress bytes.Buffer
	_, err := Ensure(t.Context(), cache, recipe, &progress)
	require.ErrorContains(t, err, "build kube-apiserver")
	require.Contains(t, progress.String(), "5 to 7 minutes")
	left, err := filepath.Glob(cache.Path("builds", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestMeterCountsPackagesAndKeepsErrors(t *testing.T) {
	var progress bytes.Buffer
	meter := newMeter(&progress, "etcd (1 of 2)")
	stop := meter.start()
	_, err := meter.Write([]byte("internal/abi\nexample.test/p\n./x.go:1:1: syntax error\n"))
	require.NoError(t, err)
	stop(nil)
	require.Contains(t, progress.String(), "built etcd (1 of 2): 3 packages compiled")
	require.Equal(t, "./x.go:1:1: syntax error\n", meter.tail())
}
