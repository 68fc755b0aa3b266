// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// fieldManager owns what we apply.
const fieldManager = "plimsoll-stack"

// step is the time between two attempts, servedWithin how long a new CRD may take to be served.
const (
	step         = 100 * time.Millisecond
	servedWithin = 2 * time.Minute
)

// applier applies objects to one cluster, as `kubectl apply --server-side` does.
type applier struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

func newApplier(config *rest.Config) (*applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &applier{client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discoverer))}, nil
}

// Apply creates the objects, or brings those that exist to what is written. It waits for CRDs among them to be served.
func (c *Cluster) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	applier, err := newApplier(c.RESTConfig)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := applier.apply(ctx, object); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// ApplyYAML is Apply for a text with one or more YAML documents.
func (c *Cluster) ApplyYAML(ctx context.Context, text string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return c.Apply(ctx, objects...)
		}
		if err != nil {
			return fmt.Errorf("read the objects to apply: %w", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func (a *applier) apply(ctx context.Context, object *unstructured.Unstructured) error {
	mapping, err := a.mapping(ctx, object)
	if err != nil {
		return err
	}
	resource := dynamic.ResourceInterface(a.client.Resource(mapping.Resource))
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = a.client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	applied, err := resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager})
	if err != nil || object.GetKind() != "CustomResourceDefinition" {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, servedWithin, fmt.Errorf("it was not served within %s", servedWithin))
	defer cancel()
	return eventually(ctx, func(ctx context.Context) error {
		applied, err = resource.Get(ctx, object.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		return a.served(ctx, applied)
	})
}

// mapping finds the resource of an object's kind; a kind whose CRD is new is waited for.
func (a *applier) mapping(ctx context.Context, object *unstructured.Unstructured) (*meta.RESTMapping, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, servedWithin, errors.New("the cluster does not serve this kind"))
	defer cancel()
	kind := object.GroupVersionKind()
	var mapping *meta.RESTMapping
	err := eventually(ctx, func(context.Context) error {
		var err error
		mapping, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			a.mapper.Reset()
		}
		return err
	})
	return mapping, err
}

// served returns nil if a CRD is established, and its objects can be found and listed, which may be a moment later.
func (a *applier) served(ctx context.Context, object *unstructured.Unstructured) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crd); err != nil {
		return fmt.Errorf("read the CRD: %w", err)
	}
	if err := established(crd); err != nil {
		return err
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		mapping, err := a.mapper.RESTMapping(schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}, version.Name)
		if err != nil {
			a.mapper.Reset()
			return err
		}
		if _, err := a.client.Resource(mapping.Resource).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return err
		}
	}
	return nil
}

// established returns nil if a CRD says so.
func established(crd *apiextensionsv1.CustomResourceDefinition) error {
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
			return nil
		}
	}
	return errors.New("the CRD is not established")
}

// eventually tries until check succeeds; if the context ends first, the error says why and what check said last.
func eventually(ctx context.Context, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if errors.Is(cause, err) {
				return cause // it was check that gave up
			}
			return fmt.Errorf("%w; at last: %w", cause, err)
		case <-time.After(step):
		}
	}
}
