// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

// serviceRange is where Services get their addresses from; nothing routes it.
const serviceRange = "10.96.0.0/16"

// featureGates are on in every cluster: an HPA may scale to zero and back on External metrics.
const featureGates = "HPAScaleToZero=true"

// arguments returns the command line of a component. What a user adds comes last, and so wins.
func (s *State) arguments(component string) []string {
	var arguments []string
	switch component {
	case components.Etcd:
		arguments = s.etcdArguments()
	case components.APIServer:
		arguments = s.apiServerArguments()
	case components.ControllerManager:
		arguments = s.controllerManagerArguments()
	case components.Scheduler:
		arguments = s.schedulerArguments()
	case components.Kwok:
		arguments = s.kwokArguments()
	case components.Prometheus:
		arguments = s.prometheusArguments()
	}
	return append(arguments, s.Options.argumentsOf(component)...)
}

func (s *State) etcdArguments() []string {
	client := fmt.Sprintf("http://127.0.0.1:%d", s.Ports.Etcd)
	peer := fmt.Sprintf("http://127.0.0.1:%d", s.Ports.EtcdPeer)
	return []string{
		"--name=default",
		"--data-dir=" + s.path("etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--quota-backend-bytes=" + strconv.Itoa(4<<30),
		"--log-level=warn",
		// A cluster is thrown away with the machine that loses power; killing etcd loses nothing.
		"--unsafe-no-fsync",
	}
}

func (s *State) apiServerArguments() []string {
	arguments := []string{
		"--etcd-servers=" + fmt.Sprintf("http://127.0.0.1:%d", s.Ports.Etcd),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		// The endpoints of the Service kubernetes must not be loopback addresses: leave it without.
		"--endpoint-reconciler-type=none",
		"--secure-port=" + strconv.Itoa(s.Ports.APIServer),
		"--tls-cert-file=" + s.path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + s.path("pki", "apiserver.key"),
		"--client-ca-file=" + s.path("pki", "ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + s.path("pki", "service-account.pub"),
		"--service-account-signing-key-file=" + s.path("pki", "service-account.key"),
		"--feature-gates=" + s.gates(),
	}
	return append(arguments, s.aggregationArguments()...)
}

// aggregationArguments let the API server act as front proxy of extension API servers, and publish in
// kube-system/extension-apiserver-authentication how those recognise it.
func (s *State) aggregationArguments() []string {
	return []string{
		"--requestheader-client-ca-file=" + s.path("pki", "front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.path("pki", "front-proxy-client.crt"),
		"--proxy-client-key-file=" + s.path("pki", "front-proxy-client.key"),
	}
}

func (s *State) controllerManagerArguments() []string {
	arguments := []string{
		"--root-ca-file=" + s.path("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + s.path("pki", "ca.crt"),
		"--cluster-signing-key-file=" + s.path("pki", "ca.key"),
		"--service-account-private-key-file=" + s.path("pki", "service-account.key"),
		// As in production, each controller acts as its own service account.
		"--use-service-account-credentials=true",
		"--horizontal-pod-autoscaler-sync-period=" + s.Options.HPASyncPeriod.String(),
	}
	return append(arguments, s.clientArguments(components.ControllerManager, s.Ports.ControllerManager)...)
}

func (s *State) schedulerArguments() []string {
	return s.clientArguments(components.Scheduler, s.Ports.Scheduler)
}

// clientArguments are common to the controller manager and the scheduler.
func (s *State) clientArguments(component string, port int) []string {
	kubeconfig := s.componentKubeconfig(component)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + s.path("pki", "serving.crt"),
		"--tls-private-key-file=" + s.path("pki", "serving.key"),
		"--kube-api-qps=" + strconv.Itoa(s.Options.KubeAPIQPS),
		"--kube-api-burst=" + strconv.Itoa(2*s.Options.KubeAPIQPS),
		"--leader-elect=false",
		"--feature-gates=" + s.gates(),
	}
}

func (s *State) gates() string {
	return strings.Join(append([]string{featureGates}, s.Options.FeatureGates...), ",")
}

func (s *State) kwokArguments() []string {
	return []string{
		"--kubeconfig=" + s.componentKubeconfig(components.Kwok),
		"--config=" + s.path("kwok.yaml"),
		"--manage-nodes-with-annotation-selector=" + nodeAnnotation,
		"--server-address=127.0.0.1:" + strconv.Itoa(s.Ports.Kwok),
		"--node-ip=127.0.0.1",
		"--node-lease-duration-seconds=40",
	}
}

func (s *State) prometheusArguments() []string {
	return []string{
		"--config.file=" + s.Options.PrometheusConfig,
		"--storage.tsdb.path=" + s.path("prometheus"),
		"--web.listen-address=127.0.0.1:" + strconv.Itoa(s.Ports.Prometheus),
		"--web.enable-lifecycle",
		"--log.level=warn",
	}
}
