// SPDX-License-Identifier: Apache-2.0

package reads

import (
	"context"
	"fmt"
	"net"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider/defaults"
)

// ConstantOptions configure the server to compare with.
type ConstantOptions struct {
	Kubeconfig string // of the adapter's account: authentication and authorization are delegated with it
	Dir        string // gets apiserver.crt, self-signed for localhost
	Port       int
	Items      int // values in an answer
}

// ServeConstant serves the metrics APIs as custom-metrics-apiserver does, from a provider that costs nothing, until ctx ends.
// What reads of it cost is what every adapter made with the library costs at least.
func ServeConstant(ctx context.Context, o ConstantOptions) error {
	serving := genericoptions.NewSecureServingOptions()
	serving.BindAddress, serving.BindPort = net.IPv4(127, 0, 0, 1), o.Port
	serving.ServerCert.CertDirectory, serving.ServerCert.PairName = o.Dir, "apiserver"
	if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{serving.BindAddress}); err != nil {
		return fmt.Errorf("making the constant server's certificate: %w", err)
	}
	authentication, authorization := genericoptions.NewDelegatingAuthenticationOptions(), genericoptions.NewDelegatingAuthorizationOptions()
	authentication.RemoteKubeConfigFile, authorization.RemoteKubeConfigFile = o.Kubeconfig, o.Kubeconfig
	// As long as the adapter's, so that the handlers are compared and not the reviews.
	authorization.AllowCacheTTL = 5 * time.Minute
	config := genericapiserver.NewConfig(apiserver.Codecs)
	if err := serving.WithLoopback().ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return fmt.Errorf("opening the constant server's port: %w", err)
	}
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return fmt.Errorf("delegating authentication: %w", err)
	}
	if err := authorization.ApplyTo(&config.Authorization); err != nil {
		return fmt.Errorf("delegating authorization: %w", err)
	}
	config.FlowControl = nil
	values := newConstant(o.Items)
	server, err := (&apiserver.Config{GenericConfig: config}).Complete(nil).New("constant", values, values)
	if err != nil {
		return fmt.Errorf("making the constant server: %w", err)
	}
	return server.GenericAPIServer.PrepareRun().RunWithContext(ctx)
}

// constant returns lists made before.
type constant struct {
	defaults.DefaultCustomMetricsProvider
	defaults.DefaultExternalMetricsProvider
	custom   custom_metrics.MetricValueList
	external external_metrics.ExternalMetricValueList
}

func newConstant(items int) *constant {
	c := &constant{}
	for i := range items {
		c.custom.Items = append(c.custom.Items, custom_metrics.MetricValue{
			DescribedObject: custom_metrics.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "bench", Name: fmt.Sprintf("app-0-7c9f8d6b5-%05d", i)},
			Metric:          custom_metrics.MetricIdentifier{Name: podMetric},
			Timestamp:       metav1.Now(), Value: *resource.NewMilliQuantity(31500, resource.DecimalSI),
		})
	}
	c.external.Items = []external_metrics.ExternalMetricValue{{
		MetricName: externalMetric, MetricLabels: map[string]string{"app": "app-0"},
		Timestamp: metav1.Now(), Value: *resource.NewMilliQuantity(31500, resource.DecimalSI),
	}}
	return c
}

func (c *constant) GetMetricByName(context.Context, types.NamespacedName, provider.CustomMetricInfo, labels.Selector) (*custom_metrics.MetricValue, error) {
	return &c.custom.Items[0], nil
}

func (c *constant) GetMetricBySelector(context.Context, string, labels.Selector, provider.CustomMetricInfo, labels.Selector) (*custom_metrics.MetricValueList, error) {
	return &c.custom, nil
}

func (c *constant) GetExternalMetric(context.Context, string, labels.Selector, provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	return &c.external, nil
}
