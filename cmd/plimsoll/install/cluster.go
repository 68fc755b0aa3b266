// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// pollEvery is the time between two looks at what is waited for.
const pollEvery = 250 * time.Millisecond

// Cluster is a cluster to install into, and who is told what is done there.
type Cluster struct {
	out        io.Writer
	config     *rest.Config
	typed      kubernetes.Interface
	objects    dynamic.Interface
	metadata   metadata.Interface
	discoverer discovery.CachedDiscoveryInterface
	mapper     meta.RESTMapper
}

// Connect makes the clients; it does not ask the cluster anything yet. Out gets one line for each object.
func Connect(config *rest.Config, out io.Writer) (*Cluster, error) {
	config = rest.CopyConfig(config)
	// No limit of our own: it is some eighty requests one after the other, and close to the --timeout a limiter's refusal
	// would stand where the error has to say what was waited for.
	config.QPS = -1
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	content, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	discoverer := memory.NewMemCacheClient(typed.Discovery())
	return &Cluster{
		out: out, config: config, typed: typed, objects: objects, metadata: content, discoverer: discoverer,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(discoverer),
	}, nil
}

// tell writes one line: what became of an object.
func (c *Cluster) tell(done string, object *unstructured.Unstructured, why ...string) {
	line := fmt.Sprintf("%-13s %s", done, title(object))
	for _, reason := range why {
		line += ": " + reason
	}
	fmt.Fprintln(c.out, line)
}

// resource is where the objects of a kind are.
func (c *Cluster) resource(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("ask the cluster for its kinds: %w", err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.objects.Resource(mapping.Resource).Namespace(namespace), nil
	}
	return c.objects.Resource(mapping.Resource), nil
}

func (c *Cluster) resourceOf(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	return c.resource(object.GroupVersionKind(), object.GetNamespace())
}

// live is an object as it is in the cluster, or nil.
func (c *Cluster) live(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := c.resourceOf(object)
	if err != nil {
		return nil, err
	}
	found, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", title(object), err)
	}
	return found, nil
}

// installed are the objects in the cluster that install created, those last that were written first.
func (c *Cluster) installed(ctx context.Context) ([]*unstructured.Unstructured, error) {
	type place struct {
		kind      schema.GroupVersionKind
		namespace string
	}
	var places []place
	for _, overlay := range Overlays() {
		objects, err := Render(Content{Overlay: overlay, APIs: APIs()})
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			p := place{object.GroupVersionKind(), object.GetNamespace()}
			if !slices.Contains(places, p) {
				places = append(places, p)
			}
		}
	}
	var found []*unstructured.Unstructured
	for _, p := range places {
		resource, err := c.resource(p.kind, p.namespace)
		if err != nil {
			return nil, err
		}
		list, err := resource.List(ctx, metav1.ListOptions{LabelSelector: markLabel + "=" + markValue})
		if err != nil {
			return nil, fmt.Errorf("list what is installed of kind %s: %w", p.kind.Kind, err)
		}
		for i := range list.Items {
			if marked(&list.Items[i]) {
				found = append(found, &list.Items[i])
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *unstructured.Unstructured) int { return turn(a) - turn(b) })
	slices.Reverse(found)
	return found, nil
}

// marked says whether install created an object: the mark alone could be anybody's.
func marked(object *unstructured.Unstructured) bool {
	return object.GetLabels()[markLabel] == markValue &&
		slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
			return entry.Manager == fieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
		})
}

// ownerOf names the Service that an APIService leads to, "" for ours.
func ownerOf(object *unstructured.Unstructured) string {
	namespace, _, _ := unstructured.NestedString(object.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(object.Object, "spec", "service", "name")
	switch owner := (types.NamespacedName{Namespace: namespace, Name: name}); {
	case owner == adapter():
		return ""
	case name == "":
		return "the API server itself"
	default:
		return owner.String()
	}
}

// remove deletes the objects in turn, each only if it is still the one that was seen.
func (c *Cluster) remove(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		resource, err := c.resourceOf(object)
		if err != nil {
			return err
		}
		uid, background := object.GetUID(), metav1.DeletePropagationBackground
		err = resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid},
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove %s: %w; run the command again to remove what is left", title(object), err)
		}
		c.tell("removed", object)
	}
	return nil
}

// eventually returns nil once check does. If the context ends first, the error says what check said last.
func eventually(ctx context.Context, what string, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); err == nil {
			return true, nil
		} else if ctx.Err() == nil || last == nil {
			last = err
		}
		return false, nil
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: interrupted: %w", what, last)
	default:
		return fmt.Errorf("%s: not within the --timeout: %w", what, last)
	}
}
