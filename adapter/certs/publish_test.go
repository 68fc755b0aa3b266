// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/fake"
)

// An APIService taken over from an adapter that was not verified is verified from the first caBundle on.
func TestPublishEndsUnverifiedConnections(t *testing.T) {
	before := &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: externalAPI},
		Spec:       apiregistrationv1.APIServiceSpec{InsecureSkipTLSVerify: true, Group: "external.metrics.k8s.io", Version: "v1beta1"},
	}
	c := &cluster{aggregator: aggregator.NewClientset(before)}
	require.NoError(t, c.publish(t.Context(), before, newState(t).bundle()))
	after, err := c.aggregator.ApiregistrationV1().APIServices().Get(t.Context(), externalAPI, metav1.GetOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, after.Spec.CABundle)
	require.False(t, after.Spec.InsecureSkipTLSVerify, "the API server refuses a caBundle beside it")
	require.Equal(t, before.Spec.Group, after.Spec.Group)
}
