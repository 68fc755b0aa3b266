// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/version"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// codecs encode as an API server does.
var codecs = serializer.NewCodecFactory(clientgoscheme.Scheme)

// kind is one that can be listed and watched.
type kind struct {
	schema.GroupVersionKind
	resource string
}

func (k kind) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.resource}
}

// kinds are what is served, by the path of their group and version and their resource.
var kinds = map[string]kind{
	"/api/v1/nodes":                                 {corev1.SchemeGroupVersion.WithKind("Node"), "nodes"},
	"/api/v1/pods":                                  {corev1.SchemeGroupVersion.WithKind("Pod"), "pods"},
	"/api/v1/resourcequotas":                        {corev1.SchemeGroupVersion.WithKind("ResourceQuota"), "resourcequotas"},
	"/apis/apps/v1/deployments":                     {appsv1.SchemeGroupVersion.WithKind("Deployment"), "deployments"},
	"/apis/apps/v1/statefulsets":                    {appsv1.SchemeGroupVersion.WithKind("StatefulSet"), "statefulsets"},
	"/apis/autoscaling/v2/horizontalpodautoscalers": {autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), "horizontalpodautoscalers"},
}

// place is what a path names.
type place struct {
	kind                         kind
	namespace, name, subresource string
}

// parse finds what a path names: all objects of a kind, those of a namespace, or one of them.
func parse(path string) (place, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	prefix := 2 // api, v1
	if parts[0] == "apis" {
		prefix = 3
	}
	if len(parts) <= prefix {
		return place{}, false
	}
	base, rest := "/"+strings.Join(parts[:prefix], "/")+"/", parts[prefix:]
	p := place{}
	if rest[0] == "namespaces" && len(rest) > 2 {
		p.namespace, rest = rest[1], rest[2:]
	}
	found, served := kinds[base+rest[0]]
	p.kind = found
	if len(rest) > 1 {
		p.name = rest[1]
	}
	if len(rest) > 2 {
		p.subresource = strings.Join(rest[2:], "/")
	}
	return p, served
}

// ServeHTTP implements http.Handler.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); subtle.ConstantTimeCompare([]byte(given), []byte(c.token)) != 1 {
		c.refuse(w, r, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	switch r.URL.Path {
	case "/readyz", "/livez", "/healthz":
		c.count("ready")
		_, _ = w.Write([]byte("ok")) // a client that is gone asks again
		return
	case "/version":
		c.count("version")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(version.Info{Major: "1", GitVersion: c.options.Model.Version}) // as above
		return
	case "/api/v1/namespaces/" + metav1.NamespaceSystem:
		c.count("kube-system")
		c.answer(w, r, http.StatusOK, c.system)
		return
	}
	if body := c.options.Model.Discovery[r.URL.Path]; body != nil {
		c.discover(w, r, body)
		return
	}
	at, served := parse(r.URL.Path)
	deployment := at.kind.resource == "deployments" && at.namespace != "" && at.name != ""
	switch {
	case served && r.Method == http.MethodGet && at.name == "" && isTrue(r.URL.Query().Get("watch")):
		c.count("watch")
		c.watch(w, r, at)
	case served && r.Method == http.MethodGet && at.name == "":
		c.count("list")
		c.list(w, r, at)
	case deployment && at.subresource == "scale" && r.Method == http.MethodGet:
		c.count("get scale")
		c.getScale(w, r, at)
	case deployment && at.subresource == "scale" && r.Method == http.MethodPut:
		c.count("put scale")
		c.putScale(w, r, at)
	case !c.hasGroup(r.URL.Path):
		c.count("not found")
		http.NotFound(w, r) // as a real one, in plain text
	default:
		c.count("not found")
		c.mu.Lock()
		c.unserved = append(c.unserved, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		c.refuse(w, r, apierrors.NewGenericServerResponse(http.StatusNotFound, strings.ToLower(r.Method), at.kind.groupResource(), at.name, "", 0, true))
	}
}

func isTrue(text string) bool { return text == "true" || text == "1" }

// accepted is the first of the media types that the client accepts and we have; JSON if there is none.
func accepted(r *http.Request) runtime.SerializerInfo {
	all := codecs.SupportedMediaTypes()
	for _, part := range strings.Split(r.Header.Get("Accept"), ",") {
		mediaType, parameters, err := mime.ParseMediaType(part)
		if err != nil || parameters["as"] != "" {
			continue
		}
		if info, ok := runtime.SerializerInfoForMediaType(all, mediaType); ok {
			return info
		}
	}
	info, _ := runtime.SerializerInfoForMediaType(all, runtime.ContentTypeJSON)
	return info
}

// compressFrom is the size from which an API server compresses an answer for a client that takes that.
const compressFrom = 128 << 10

// answer writes one object.
func (c *Cluster) answer(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	info := accepted(r)
	var body bytes.Buffer
	if err := info.Serializer.Encode(object, &body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, r, code, info.MediaType, body.Bytes())
}

// write writes a body. A client that is gone meanwhile asks again.
func write(w http.ResponseWriter, r *http.Request, code int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	if len(body) < compressFrom || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(code)
		_, _ = w.Write(body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(code)
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return // the level is a constant
	}
	_, _ = compressed.Write(body)
	_ = compressed.Close()
}

// refuse answers with an error in the API's words.
func (c *Cluster) refuse(w http.ResponseWriter, r *http.Request, err error) {
	known, ok := err.(apierrors.APIStatus)
	if !ok {
		known = apierrors.NewInternalError(err)
	}
	body := known.Status()
	body.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	c.answer(w, r, int(body.Code), &body)
}

// notFound is the error about an object that is not there.
func (p place) notFound() error {
	return apierrors.NewNotFound(p.kind.groupResource(), p.name)
}

// bad is the error about a request that cannot be understood.
func bad(format string, args ...any) error {
	return apierrors.NewBadRequest(fmt.Sprintf(format, args...))
}
