// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfigs writes the administrator's kubeconfig and those of the components. They hold their
// certificates, so that each can be copied elsewhere.
func (s *State) writeKubeconfigs() error {
	return errors.Join(
		s.writeKubeconfig("admin", s.Kubeconfig),
		s.writeKubeconfig("kube-controller-manager", s.componentKubeconfig("kube-controller-manager")),
		s.writeKubeconfig("kube-scheduler", s.componentKubeconfig("kube-scheduler")),
		s.writeKubeconfig("kwok", s.componentKubeconfig("kwok")),
	)
}

func (s *State) componentKubeconfig(component string) string {
	return s.path("pki", component+".kubeconfig")
}

// writeKubeconfig writes a kubeconfig for the certificate of that name.
func (s *State) writeKubeconfig(certificate, path string) error {
	contents := make(map[string][]byte)
	for _, file := range []string{"ca.crt", certificate + ".crt", certificate + ".key"} {
		content, err := os.ReadFile(s.path("pki", file))
		if err != nil {
			return fmt.Errorf("write kubeconfig %s: %w", path, err)
		}
		contents[file] = content
	}
	user := certificate + "@" + s.Options.Name
	config := clientcmdapi.NewConfig()
	config.Clusters[s.Options.Name] = &clientcmdapi.Cluster{Server: s.Server, CertificateAuthorityData: contents["ca.crt"]}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificateData: contents[certificate+".crt"],
		ClientKeyData:         contents[certificate+".key"],
	}
	config.Contexts[s.Options.Name] = &clientcmdapi.Context{Cluster: s.Options.Name, AuthInfo: user}
	config.CurrentContext = s.Options.Name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}
