// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	externalAPI = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	// maxExternal is the size of an answer in bytes, if the options do not say another one: 10,000 values have 3 MB.
	maxExternal = 16 << 20
	// longestQuantity is how long a value may be as text: those of Kubernetes have 20 digits and a suffix.
	longestQuantity = 40
)

// External is the external metrics API of a Kubernetes API server. It knows no PromQL: a value has a name and labels, and the
// server says when it was measured.
type External struct {
	naming   naming
	base     *url.URL
	client   *http.Client
	timeout  time.Duration
	maxBytes int64
}

// NewExternal checks the options, whose URL is the API server's, and returns the source. It does not connect yet.
func NewExternal(o Options) (*External, error) {
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	if base.Scheme != "https" {
		return nil, errors.New("the API server's URL must begin with https://")
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	x := &External{naming: o.naming(base, "external metrics of "), base: base, client: client, timeout: o.Timeout, maxBytes: o.MaxBytes}
	if x.timeout <= 0 {
		x.timeout = DefaultTimeout
	}
	if x.maxBytes <= 0 {
		x.maxBytes = maxExternal
	}
	return x, nil
}

// Name says where the values come from, without credentials.
func (x *External) Name() string { return x.naming.name }

// Values calls each once for every value of a metric in a namespace, with the time that the server gives for it. An error, of
// each or of the server, means that the whole answer must be thrown away. Its causes are those of a Source. No values are
// ErrPartial: they are no demand of 0, and an HPA that reads the metric there takes them for an error, too.
func (x *External) Values(ctx context.Context, namespace, metric string, each func(Sample, time.Time) error) error {
	ctx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	address := *x.base
	address.Path += externalAPI + namespace + "/" + metric
	address.RawPath = x.base.Path + externalAPI + url.PathEscape(namespace) + "/" + url.PathEscape(metric)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := x.client.Do(request)
	if err != nil {
		return x.naming.failed(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return x.naming.failed(ctx, externalError(response, namespace, metric))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, x.maxBytes+1))
	if err != nil {
		return x.naming.failed(ctx, err)
	}
	if int64(len(body)) > x.maxBytes {
		return fmt.Errorf("%w: it is larger than %d bytes (%s)", ErrBadAnswer, x.maxBytes, x.Name())
	}
	values, err := readExternal(body)
	if err != nil {
		return x.naming.discreet(fmt.Errorf("%w (%s)", err, x.Name()))
	}
	if len(values) == 0 {
		return fmt.Errorf("%w: there is no value of %s in namespace %s there (%s)", ErrPartial, metric, namespace, x.Name())
	}
	for i := range values {
		if err := each(values[i].Sample, values[i].at); err != nil {
			return err
		}
	}
	return nil
}

// externalError is what another status than 200 stands for. The server says in a Status what is wrong with the metric.
func externalError(r *http.Response, namespace, metric string) error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10)) // what could be read has to do
	var status metav1.Status
	says := excerpt(body)
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" && status.Message != "" {
		says = excerpt([]byte(status.Message))
	}
	switch code := r.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: HTTP 401: it does not know the credential in the Secret; renew it", ErrUnreachable)
	case code == http.StatusForbidden:
		return fmt.Errorf("%w: HTTP 403: the credential may not list %s of external.metrics.k8s.io in namespace %s there; grant that verb", ErrUnreachable, metric, namespace)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: HTTP 404: there is no external metric %s in namespace %s there: %s", ErrRefused, metric, namespace, says)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: HTTP %d: it redirects, which is not followed so that credentials stay where they belong; give the final URL", ErrUnreachable, code)
	case code >= 400 && code < 500:
		return fmt.Errorf("%w: HTTP %d: %s", ErrRefused, code, says)
	default:
		return fmt.Errorf("%w: HTTP %d: %s", ErrBroken, code, says)
	}
}

// stamped is one value and when it was measured.
type stamped struct {
	Sample
	at time.Time
}

// externalList is as much as is needed of an ExternalMetricValueList. Values are read as text first: a quantity from who knows
// whom may have an exponent that takes hours to multiply out.
type externalList struct {
	Kind  string `json:"kind"`
	Items []struct {
		MetricLabels map[string]string `json:"metricLabels"`
		Timestamp    time.Time         `json:"timestamp"`
		Value        json.RawMessage   `json:"value"`
	} `json:"items"`
}

func readExternal(body []byte) ([]stamped, error) {
	var list externalList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: it is not a list of external metrics: %w", ErrBadAnswer, err)
	}
	if list.Kind != "ExternalMetricValueList" {
		return nil, fmt.Errorf("%w: it is not an ExternalMetricValueList but a %q", ErrBadAnswer, clipped(list.Kind))
	}
	out := make([]stamped, 0, len(list.Items))
	for i := range list.Items {
		item := &list.Items[i]
		if item.Timestamp.IsZero() {
			return nil, fmt.Errorf("%w: value %d does not say when it was measured", ErrBadAnswer, i)
		}
		value, err := number(item.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: value %d: %w", ErrBadAnswer, i, err)
		}
		one := stamped{at: item.Timestamp, Sample: Sample{Value: value}}
		for _, name := range slices.Sorted(maps.Keys(item.MetricLabels)) {
			one.Labels = append(one.Labels, Label{Name: name, Value: item.MetricLabels[name]})
		}
		out = append(out, one)
	}
	return out, nil
}

// number reads a quantity such as "1500m".
func number(raw json.RawMessage) (float64, error) {
	text := strings.Trim(string(raw), `"`)
	exponent := strings.IndexAny(text, "eE")
	if len(text) > longestQuantity || exponent >= 0 && len(text)-exponent > len("e-100") {
		return 0, fmt.Errorf("%q is no quantity of a reasonable size", clipped(text))
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no quantity: %w", text, err)
	}
	return q.AsApproximateFloat64(), nil
}

func clipped(text string) string { return text[:min(len(text), longestQuantity)] }
