// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// account is the hub's, and its namespace, in manifests/member.
const account = "plimsoll-hub"

// kubeconfig is what the hub gets: the member's address, its CA, and a token of the account that manifests/member made.
func (m *member) kubeconfig(ctx context.Context) ([]byte, error) {
	clientset, err := kubernetes.NewForConfig(m.RESTConfig)
	if err != nil {
		return nil, err
	}
	seconds := int64((24 * time.Hour).Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := clientset.CoreV1().ServiceAccounts(account).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("get a token for ServiceAccount %s: %w", account, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["member"] = &clientcmdapi.Cluster{Server: m.RESTConfig.Host, CertificateAuthorityData: m.RESTConfig.CAData}
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: answer.Status.Token}
	config.Contexts["member"] = &clientcmdapi.Context{Cluster: "member", AuthInfo: account}
	config.CurrentContext = "member"
	return clientcmd.Write(*config)
}

// die kills every process of the cluster, by its id: first what answers, then what runs the nodes and pods, then the rest.
func (m *member) die(ctx context.Context) error {
	var problems []error
	for _, component := range []string{"kube-apiserver", "kwok", "kube-scheduler", "kube-controller-manager", "etcd"} {
		problems = append(problems, m.Component(ctx, "kill", component))
	}
	return errors.Join(problems...)
}

// revive starts every process again, as when the power is back: with what etcd had on disk.
func (m *member) revive(ctx context.Context) error {
	for _, component := range []string{"etcd", "kube-apiserver", "kwok", "kube-controller-manager", "kube-scheduler"} {
		if err := m.Component(ctx, "start", component); err != nil {
			return err
		}
	}
	return nil
}
