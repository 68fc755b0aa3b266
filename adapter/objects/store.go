// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// store lets a reflector write into an Index.
type store struct{ index *Index }

var _ cache.TransformingStore = store{}

func (s store) Add(obj any) error {
	o, err := meta(obj)
	if err != nil {
		return err
	}
	s.index.Set(o.Namespace, o.Name, o.Labels)
	return nil
}

func (s store) Update(obj any) error { return s.Add(obj) }

func (s store) Delete(obj any) error {
	o, err := meta(obj)
	if err != nil {
		return err
	}
	s.index.Remove(o.Namespace, o.Name)
	return nil
}

func (s store) Replace(list []any, _ string) error {
	objects := make([]*metav1.PartialObjectMetadata, len(list))
	for i, obj := range list {
		o, err := meta(obj)
		if err != nil {
			return err
		}
		objects[i] = o
	}
	s.index.replace(objects)
	return nil
}

func (s store) Resync() error { return nil }

// Transformer drops what the index does not keep as soon as it is decoded, so that the first list of a large fleet does not
// hold every object's managed fields at once.
func (s store) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		o, ok := obj.(*metav1.PartialObjectMetadata)
		if !ok {
			return obj, nil
		}
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, ResourceVersion: o.ResourceVersion,
		}}, nil
	}
}

func meta(obj any) (*metav1.PartialObjectMetadata, error) {
	o, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("the watch delivered a %T instead of an object's metadata", obj)
	}
	return o, nil
}
