// SPDX-License-Identifier: Apache-2.0

// Package manifests holds what Plimsoll installs into a cluster, and renders it the way `kubectl kustomize` does. The
// demo, the tests and the benchmarks apply these very files.
package manifests

import (
	"embed"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Files are all manifests: crd, base, components, overlays and examples, and what a member cluster gets (member).
//
//go:embed crd base components overlays examples member
var Files embed.FS

// Render builds the kustomization in a folder of Files, for example "overlays/local". The objects come in an order in
// which they can be applied: namespaces and CRDs first.
func Render(folder string) ([]*unstructured.Unstructured, error) {
	memory, err := inMemory()
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	return build(memory, folder)
}

// RenderWith builds an overlay of one's own: a folder of Files with components of Files on top.
func RenderWith(folder string, components ...string) ([]*unstructured.Unstructured, error) {
	memory, err := inMemory()
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	overlay := types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{"../" + folder},
	}
	for _, component := range components {
		overlay.Components = append(overlay.Components, "../"+component)
	}
	text, err := yaml.Marshal(overlay)
	if err != nil {
		return nil, fmt.Errorf("write the overlay of %s: %w", folder, err)
	}
	if err := memory.WriteFile("own/kustomization.yaml", text); err != nil {
		return nil, fmt.Errorf("write the overlay of %s: %w", folder, err)
	}
	return build(memory, "own")
}

func build(memory filesys.FileSystem, folder string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	resources, err := krusty.MakeKustomizer(options).Run(memory, folder)
	if err != nil {
		return nil, fmt.Errorf("build the kustomization %s: %w", folder, err)
	}
	objects := make([]*unstructured.Unstructured, 0, resources.Size())
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("write %s of %s: %w", resource.CurId(), folder, err)
		}
		// Through YAML, because kustomize's maps hold ints, which deep copies of unstructured objects do not know.
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, object); err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", resource.CurId(), folder, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func inMemory() (filesys.FileSystem, error) {
	memory := filesys.MakeFsInMemory()
	err := fs.WalkDir(Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := Files.ReadFile(path)
		if err != nil {
			return err
		}
		return memory.WriteFile(path, data)
	})
	return memory, err
}
