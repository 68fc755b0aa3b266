// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// authorizer is the delegating authorizer of the generic API server's options, with a cache of our own: groups and paths
// that are always allowed (system:masters and the probes), then the API server's opinion.
func (s *Serving) authorizer(m *Metrics) (authorizer.Authorizer, error) {
	o := s.Authorization
	var chain []union.NamedAuthorizer
	if len(o.AlwaysAllowGroups) > 0 {
		chain = append(chain, union.NamedAuthorizer{AuthorizerName: "groups", Authorizer: authorizerfactory.NewPrivilegedGroups(o.AlwaysAllowGroups...)})
	}
	if len(o.AlwaysAllowPaths) > 0 {
		paths, err := path.NewAuthorizer(o.AlwaysAllowPaths)
		if err != nil {
			return nil, fmt.Errorf("--authorization-always-allow-paths: %w", err)
		}
		chain = append(chain, union.NamedAuthorizer{AuthorizerName: "paths", Authorizer: paths})
	}
	client, err := s.reviewClient()
	if err != nil {
		return nil, err
	}
	if client == nil {
		klog.InfoS("Every request but probes and system:masters is refused: there is neither --authorization-kubeconfig nor an in-cluster configuration")
		return union.New(chain...)
	}
	times := cacheTimes{allowed: o.AllowCacheTTL, refused: o.DenyCacheTTL, review: s.reviewTimeout}
	cache, err := newDecisionCache(client.AuthorizationV1().SubjectAccessReviews(), times, m)
	if err != nil {
		return nil, err
	}
	return union.New(append(chain, union.NamedAuthorizer{AuthorizerName: "reviews", Authorizer: cache})...)
}

// reviewClient talks to the API server named by --authorization-kubeconfig, else to the one whose cluster this runs in; nil
// if there is neither and that is allowed.
func (s *Serving) reviewClient() (kubernetes.Interface, error) {
	o := s.Authorization
	config, err := rest.InClusterConfig()
	if o.RemoteKubeConfigFile != "" {
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.RemoteKubeConfigFile}
		config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	}
	if err != nil {
		if o.RemoteKubeConfigFile == "" && o.RemoteKubeConfigFileOptional {
			return nil, nil
		}
		return nil, fmt.Errorf("--authorization-kubeconfig %q: %w", o.RemoteKubeConfigFile, err)
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // each caller asks once per cache lifetime; a throttle would only add to reads
	config.Timeout = s.reviewTimeout
	if o.CustomRoundTripperFn != nil {
		config.Wrap(o.CustomRoundTripperFn)
	}
	return kubernetes.NewForConfig(config)
}
