// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubernetes "k8s.io/client-go/kubernetes/fake"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/fake"
)

func TestAdopt(t *testing.T) {
	at := func(age time.Duration) pair { return quickMint(t, ourNames, epoch.Add(-age), limits.Validity) }
	old, older, expired, future := at(time.Hour), at(2*time.Hour), at(limits.Validity), at(-2*time.Hour)
	var many []*x509.Certificate
	for i := range mostAdopted + 3 {
		many = append(many, at(time.Duration(i)*time.Minute).ca)
	}
	tests := []struct {
		name    string
		trusted []*x509.Certificate
		bundles map[string][]byte
		want    []*x509.Certificate
	}{
		{"none", nil, nil, nil},
		{"the same in all", nil, map[string][]byte{"a": encode(old.ca), "b": encode(old.ca)}, []*x509.Certificate{old.ca}},
		{"different ones", nil, map[string][]byte{"a": encode(old.ca), "b": encode(older.ca)}, []*x509.Certificate{older.ca, old.ca}},
		{"already trusted", []*x509.Certificate{old.ca}, map[string][]byte{"a": encode(old.ca)}, []*x509.Certificate{old.ca}},
		{"not valid now", nil, map[string][]byte{"a": encode(expired.ca, old.ca, future.ca)}, []*x509.Certificate{old.ca}},
		{"no CA", nil, map[string][]byte{"a": encode(old.leaf)}, nil},
		{"garbage", nil, map[string][]byte{"a": append([]byte("garbage\n"), encode(old.ca)...), "b": []byte("\x00")}, []*x509.Certificate{old.ca}},
		{"too many", nil, map[string][]byte{"a": encode(many...)}, reversed(many[:mostAdopted])},
		{"no room", many, map[string][]byte{"a": encode(old.ca)}, many},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := adopt(state{trusted: test.trusted}, test.bundles, epoch)
			require.Equal(t, string(encode(test.want...)), string(encode(got.trusted...)))
		})
	}
}

func reversed(cas []*x509.Certificate) []*x509.Certificate {
	var all []*x509.Certificate
	for _, ca := range cas {
		all = append([]*x509.Certificate{ca}, all...)
	}
	return all
}

// The Secret is emptied: the turn that fills it again keeps the CAs of the bundles of our APIServices, and of no other's.
func TestTurnKeepsTheOldCATrusted(t *testing.T) {
	now := time.Now()
	old, others := quickMint(t, ourNames, now, limits.Validity), quickMint(t, ourNames, now, limits.Validity)
	service := func(name, leadsTo string, ca *x509.Certificate) *apiregistrationv1.APIService {
		return &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: apiregistrationv1.APIServiceSpec{
			Service: &apiregistrationv1.ServiceReference{Namespace: ourService.Namespace, Name: leadsTo}, CABundle: encode(ca),
		}}
	}
	o := limits
	o.Service, o.Secret, o.APIServices = ourService, types.NamespacedName{Namespace: ourService.Namespace, Name: "tls"}, []string{queryAPI, externalAPI}
	r := &rotation{options: o, cluster: &cluster{
		options:    o,
		core:       kubernetes.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.Secret.Namespace, Name: o.Secret.Name}}),
		aggregator: aggregator.NewClientset(service(queryAPI, ourService.Name, old.ca), service(externalAPI, "prometheus-adapter", others.ca)),
	}}
	_, err := r.turn(t.Context())
	require.NoError(t, err)
	secret, err := r.cluster.secret(t.Context())
	require.NoError(t, err)
	s, problems := readState(secret.Data, ourNames, time.Now())
	require.Empty(t, problems)
	require.Equal(t, string(encode(old.ca, s.serving.ca)), string(s.bundle()))
}
