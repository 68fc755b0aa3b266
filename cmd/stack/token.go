// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
)

// A token is valid for tokenLifetime and renewed at half of it; a failed renewal is tried again after tokenRetry.
const (
	tokenLifetime = 24 * time.Hour
	tokenRetry    = time.Minute
)

// identity gives a process the rights of a ServiceAccount: a kubeconfig that leads to a file with a token, as the
// kubelet would mount it.
type identity struct {
	client             kubernetes.Interface
	namespace, account string
	tokenFile          string
	kubeconfig         string
}

// newIdentity writes token and kubeconfig into the folder.
func newIdentity(ctx context.Context, config *rest.Config, namespace, account, folder string) (*identity, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	i := &identity{
		client: client, namespace: namespace, account: account,
		tokenFile:  filepath.Join(folder, account+".token"),
		kubeconfig: filepath.Join(folder, account+".kubeconfig"),
	}
	if err := i.renew(ctx); err != nil {
		return nil, err
	}
	return i, i.writeKubeconfig(config)
}

// renew asks for a new token and puts it in the place of the old one.
func (i *identity) renew(ctx context.Context) error {
	seconds := int64(tokenLifetime / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := i.client.CoreV1().ServiceAccounts(i.namespace).CreateToken(ctx, i.account, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("get a token for ServiceAccount %s/%s: %w", i.namespace, i.account, err)
	}
	next := i.tokenFile + ".next"
	if err := os.WriteFile(next, []byte(answer.Status.Token), 0o600); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	if err := os.Rename(next, i.tokenFile); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	return nil
}

// keepFresh renews the token until the context ends. Clients read the file again every minute.
func (i *identity) keepFresh(ctx context.Context) {
	wait := tokenLifetime / 2
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = tokenLifetime / 2
		if err := i.renew(ctx); err != nil {
			klog.ErrorS(err, "The token could not be renewed and will be tried again", "after", tokenRetry)
			wait = tokenRetry
		}
	}
}

func (i *identity) writeKubeconfig(config *rest.Config) error {
	const name = "cluster"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[i.account] = &clientcmdapi.AuthInfo{TokenFile: i.tokenFile}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: i.account, Namespace: i.namespace}
	kubeconfig.CurrentContext = name
	if err := clientcmd.WriteToFile(*kubeconfig, i.kubeconfig); err != nil {
		return fmt.Errorf("write the account's kubeconfig: %w", err)
	}
	return nil
}
