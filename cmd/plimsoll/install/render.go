// SPDX-License-Identifier: Apache-2.0

// Package install puts Plimsoll into a cluster and takes it out again. What it writes are the manifests of this
// repository, by server-side apply; what it takes away is what carries its mark.
package install

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/manifests"
)

const (
	// fieldManager owns what install writes.
	fieldManager = "plimsoll"
	// markLabel with the value markValue is on what install created. What was there before goes without it, and stays.
	markLabel = "app.kubernetes.io/managed-by"
	markValue = "plimsoll"
	// The containers' names in their Deployments.
	adapterContainer = "adapter"
	scalerContainer  = "scaler"
	urlFlag          = "--prometheus-url="
)

// Kinds that are treated in their own way.
const (
	kindAPIService = "APIService"
	kindCRD        = "CustomResourceDefinition"
	kindDeployment = "Deployment"
	kindNamespace  = "Namespace"
	kindVolume     = "PersistentVolumeClaim"
)

// adapter is the name of the adapter's Service and Deployment.
func adapter() types.NamespacedName {
	return types.NamespacedName{Namespace: "plimsoll-system", Name: "plimsoll-adapter"}
}

// Overlays are those that can be installed, the usual one first.
func Overlays() []string { return []string{"ha", "embedded", "shadow"} }

// APIs are those that can be served: the words of the adapter's --apis.
func APIs() []string { return []string{"custom", "external", "query"} }

// groupOf is the API group that a word of --apis stands for.
func groupOf(api string) string {
	if api == "query" {
		return "query.plimsoll.dev"
	}
	return api + ".metrics.k8s.io"
}

// Content says what to install.
type Content struct {
	// Overlay is one of Overlays.
	Overlay string
	// PrometheusURLs are the metric source and those that stand in for it; none: what the overlay says.
	PrometheusURLs []string
	// Image of the adapter and ScalerImage of the scaler; "": what the overlay says.
	Image, ScalerImage string
	// APIs are some of APIs.
	APIs []string
}

// Render returns the objects of an installation in the order in which they are written: CRDs first, APIServices last.
func Render(content Content) ([]*unstructured.Unstructured, error) {
	if err := content.check(); err != nil {
		return nil, err
	}
	all, err := manifests.Render("overlays/" + content.Overlay)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, object := range all {
		if object.GetKind() == kindAPIService && !content.serves(object) {
			continue
		}
		if err := content.adjust(object); err != nil {
			return nil, err
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[markLabel] = markValue
		object.SetLabels(labels)
		objects = append(objects, object)
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return turn(a) - turn(b) })
	return objects, nil
}

// turn is when an object is written. An APIService comes when somebody is there to answer for it: one without a server
// is an error in the discovery of every client.
func turn(object *unstructured.Unstructured) int {
	switch object.GetKind() {
	case kindCRD:
		return 0
	case kindAPIService:
		return 2
	default:
		return 1
	}
}

func (c Content) check() error {
	if !slices.Contains(Overlays(), c.Overlay) {
		return fmt.Errorf("--overlay %s is not known: use %s", c.Overlay, strings.Join(Overlays(), ", "))
	}
	if len(c.APIs) == 0 {
		return fmt.Errorf("--apis names no API: use %s", strings.Join(APIs(), ", "))
	}
	for _, api := range c.APIs {
		if !slices.Contains(APIs(), api) {
			return fmt.Errorf("--apis has %q: it may have %s", api, strings.Join(APIs(), ", "))
		}
	}
	if !isImage(c.Image) {
		return fmt.Errorf("--image %q is not an image such as registry.example.com/plimsoll-adapter:v0.1.0", c.Image)
	}
	if !isImage(c.ScalerImage) {
		return fmt.Errorf("--scaler-image %q is not an image such as registry.example.com/plimsoll-scaler:v0.1.0", c.ScalerImage)
	}
	for _, text := range c.PrometheusURLs {
		if err := checkURL(text); err != nil {
			return err
		}
	}
	return nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("--prometheus-url is not a URL such as http://prometheus.monitoring.svc:9090") // the text may hold a password
	case u.User != nil:
		return errors.New("--prometheus-url holds credentials, which everybody who may read the Deployment would see: " +
			"take an overlay of your own with --prometheus-token-file or --prometheus-password-file")
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return fmt.Errorf("--prometheus-url %q is not a URL such as http://prometheus.monitoring.svc:9090", text)
	}
	return nil
}

// serves says whether an APIService is among those to write.
func (c Content) serves(service *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(service.Object, "spec", "group")
	return slices.ContainsFunc(c.APIs, func(api string) bool { return groupOf(api) == group })
}

// isImage says whether a text may be an image; "" stands for the manifests' own.
func isImage(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' }) && !strings.HasPrefix(text, "-")
}

// adjust sets the images, and the flags of the adapter.
func (c Content) adjust(object *unstructured.Unstructured) error {
	if object.GetKind() != kindDeployment {
		return nil
	}
	switch object.GetName() {
	case adapter().Name:
		return c.adjustContainer(object, adapterContainer, c.Image)
	case scaler().Name:
		return c.adjustContainer(object, scalerContainer, c.ScalerImage)
	}
	return nil
}

func (c Content) adjustContainer(deployment *unstructured.Unstructured, name, image string) error {
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(deployment.Object, path...)
	if err != nil {
		return fmt.Errorf("read the containers of the manifests' Deployment: %w", err)
	}
	i := slices.IndexFunc(containers, func(one any) bool {
		fields, ok := one.(map[string]any)
		return ok && fields["name"] == name
	})
	if i < 0 {
		return fmt.Errorf("the manifests' Deployment %s has no container %s", deployment.GetName(), name)
	}
	fields := containers[i].(map[string]any)
	if name == adapterContainer {
		if err := c.adjustFlags(fields); err != nil {
			return err
		}
	}
	if image != "" {
		fields["image"] = image
	}
	return unstructured.SetNestedSlice(deployment.Object, containers, path...)
}

func (c Content) adjustFlags(container map[string]any) error {
	args, _, err := unstructured.NestedStringSlice(container, "args")
	if err != nil {
		return fmt.Errorf("read the flags of the manifests' Deployment: %w", err)
	}
	if args, err = c.flags(args); err != nil {
		return err
	}
	if err := unstructured.SetNestedStringSlice(container, args, "args"); err != nil {
		return fmt.Errorf("set the flags of the Deployment: %w", err)
	}
	return nil
}

// flags are the adapter's: args with what the user wants otherwise.
func (c Content) flags(args []string) ([]string, error) {
	if len(c.PrometheusURLs) > 0 {
		at := slices.IndexFunc(args, isURLFlag)
		if at < 0 {
			return nil, fmt.Errorf("--prometheus-url has no place in overlay %s, whose adapter scrapes by itself: leave it out, or use overlay ha", c.Overlay)
		}
		var urls []string
		for _, one := range c.PrometheusURLs {
			urls = append(urls, urlFlag+one)
		}
		args = slices.Insert(slices.DeleteFunc(args, isURLFlag), at, urls...)
	}
	for _, api := range APIs() {
		if !slices.Contains(c.APIs, api) {
			return append(args, "--apis="+strings.Join(c.APIs, ",")), nil
		}
	}
	return args, nil
}

func isURLFlag(arg string) bool { return strings.HasPrefix(arg, urlFlag) }

// title is how an object is called in lines for people: Deployment plimsoll-system/plimsoll-adapter.
func title(object *unstructured.Unstructured) string {
	name := object.GetName()
	if object.GetNamespace() != "" {
		name = object.GetNamespace() + "/" + name
	}
	return object.GetKind() + " " + name
}
