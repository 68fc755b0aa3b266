// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
)

// cluster reads and writes the Secret and the APIServices, each by its name only.
type cluster struct {
	options    Options
	core       kubernetes.Interface
	aggregator aggregator.Interface
}

func newCluster(o Options) (*cluster, error) {
	config := rest.CopyConfig(o.RESTConfig)
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the Secret %s: %w", o.Secret, err)
	}
	services, err := aggregator.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for APIServices: %w", err)
	}
	return &cluster{options: o, core: core, aggregator: services}, nil
}

// apiServices reads those that exist and lead to our Service, and names the owners of those that lead elsewhere.
func (c *cluster) apiServices(ctx context.Context) (ours map[string]*apiregistrationv1.APIService, foreign []string, err error) {
	ours = map[string]*apiregistrationv1.APIService{}
	for _, name := range c.options.APIServices {
		service, err := c.aggregator.ApiregistrationV1().APIServices().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("read APIService %s: %w", name, err)
		}
		if owner := ownerOf(service); owner != c.options.Service.String() {
			foreign = append(foreign, fmt.Sprintf("%s belongs to %s", name, owner))
			continue
		}
		ours[name] = service
	}
	return ours, foreign, nil
}

// publish sets a caBundle and has it used, unless the APIService has changed since it was read. The API server refuses a
// caBundle where insecureSkipTLSVerify is true, as some adapters' manifests have it.
func (c *cluster) publish(ctx context.Context, service *apiregistrationv1.APIService, bundle []byte) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": service.ResourceVersion},
		"spec":     map[string]any{"caBundle": bundle, "insecureSkipTLSVerify": false},
	})
	if err != nil {
		return fmt.Errorf("write a patch for APIService %s: %w", service.Name, err)
	}
	_, err = c.aggregator.ApiregistrationV1().APIServices().Patch(ctx, service.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("write the caBundle of APIService %s: %w", service.Name, err)
	}
	return nil
}

// fieldManager is who owns the caBundle and the Secret's data in managedFields.
const fieldManager = "plimsoll-adapter-certs"

func (c *cluster) secret(ctx context.Context) (*corev1.Secret, error) {
	key := c.options.Secret
	secret, err := c.core.CoreV1().Secrets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("the Secret %s is missing: apply the manifests again, or create it empty", key)
	case err != nil:
		return nil, fmt.Errorf("read the Secret %s: %w", key, err)
	}
	return secret, nil
}

// save writes the Secret's data, unless the Secret has changed since it was read.
func (c *cluster) save(ctx context.Context, secret *corev1.Secret, data map[string][]byte) error {
	changed := secret.DeepCopy()
	changed.Data = data
	_, err := c.core.CoreV1().Secrets(changed.Namespace).Update(ctx, changed, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("write the Secret %s: %w", c.options.Secret, err)
	}
	return nil
}

// watch calls changed whenever the Secret or an APIService may have changed, until ctx ends. It returns at once.
func (c *cluster) watch(ctx context.Context, changed func()) {
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	}
	start := func(client cache.Getter, resource, namespace, name string, object runtime.Object) {
		_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: cache.NewListWatchFromClient(client, resource, namespace, fields.OneTermEqualSelector("metadata.name", name)),
			ObjectType:    object,
			Handler:       handler,
		})
		go controller.RunWithContext(ctx)
	}
	start(c.core.CoreV1().RESTClient(), "secrets", c.options.Secret.Namespace, c.options.Secret.Name, &corev1.Secret{})
	for _, name := range c.options.APIServices {
		start(c.aggregator.ApiregistrationV1().RESTClient(), "apiservices", "", name, &apiregistrationv1.APIService{})
	}
}
