// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

func TestValidateNamesEveryMistake(t *testing.T) {
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"defaults":    {func(*Options) {}, ""},
		"name":        {func(o *Options) { o.Name = "Hub!" }, "--name"},
		"nodes":       {func(o *Options) { o.Nodes = -1 }, "--nodes"},
		"zones":       {func(o *Options) { o.Zones = 0 }, "--zones"},
		"cpu":         {func(o *Options) { o.NodeCPU = "many" }, "--node-cpu"},
		"memory":      {func(o *Options) { o.NodeMemory = "-1Gi" }, "--node-memory"},
		"sync period": {func(o *Options) { o.HPASyncPeriod = 0 }, "--hpa-sync-period"},
		"argument":    {func(o *Options) { o.Arguments = []string{"kubelet=--v=4"} }, "--component-arg"},
		"no flag":     {func(o *Options) { o.Arguments = []string{"kwok=v"} }, "--component-arg"},
		"no config":   {func(o *Options) { o.PrometheusConfig = "no/such/file" }, "--prometheus-config"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			options := DefaultOptions()
			test.change(&options)
			err := options.validate()
			if test.want == "" {
				require.NoError(t, err)
				require.True(t, filepath.IsAbs(options.Dir))
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestSameIgnoresWhoWatches(t *testing.T) {
	options := DefaultOptions()
	other := options
	other.ParentPID = 7
	require.True(t, options.same(other))
	other.Nodes++
	require.False(t, options.same(other))
}

func TestUserArgumentsComeLast(t *testing.T) {
	options := DefaultOptions()
	options.Arguments = []string{"kwok=--v=4", "etcd=--log-level=info"}
	options.FeatureGates = []string{"Other=true"}
	state := newState(options, portsOf(firstPort))
	require.Equal(t, "--log-level=info", state.arguments(components.Etcd)[len(state.arguments(components.Etcd))-1])
	require.NotContains(t, state.arguments(components.Etcd), "--v=4")
	require.Contains(t, state.arguments(components.APIServer), "--feature-gates=HPAScaleToZero=true,Other=true")
}

func TestPortsAreHeldAndFree(t *testing.T) {
	cache := components.Cache(t.TempDir())
	first, hold, err := claimPorts(cache)
	require.NoError(t, err)
	second, otherHold, err := claimPorts(cache)
	require.NoError(t, err)
	defer func() { require.NoError(t, otherHold.Close()) }()
	require.NotEqual(t, first.Etcd, second.Etcd)
	require.Len(t, first.Spare, blockSize-7)

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first.Spare[3])))
	require.NoError(t, err)
	require.False(t, allFree(first.Etcd), "somebody listens on a spare port")
	require.NoError(t, listener.Close())
	require.True(t, allFree(first.Etcd))

	lock := cache.Path("ports", strconv.Itoa(first.Etcd)+".lock")
	taken, err := process.TryLock(lock)
	require.NoError(t, err)
	require.Nil(t, taken)
	require.NoError(t, hold.Close())
	taken, err = process.TryLock(lock)
	require.NoError(t, err)
	require.NotNil(t, taken)
	require.NoError(t, taken.Close())
}

func TestStateSurvivesARoundTrip(t *testing.T) {
	options := DefaultOptions()
	options.Dir = t.TempDir()
	none, err := Load(options.Dir)
	require.NoError(t, err)
	require.Nil(t, none)

	state := newState(options, portsOf(firstPort))
	self, err := process.Identify(os.Getpid())
	require.NoError(t, err)
	state.put(Process{Identity: self, Component: components.Etcd, Path: "/bin/etcd", Arguments: []string{"--x"}})
	require.False(t, state.running(), "never ready")
	state.Ready = true
	require.NoError(t, state.save())
	loaded, err := Load(options.Dir)
	require.NoError(t, err)
	require.Equal(t, state, loaded)
	require.True(t, loaded.running())
	require.Equal(t, "running", loaded.Word())

	gone := self
	gone.StartTicks++
	loaded.put(Process{Identity: gone, Component: components.Kwok})
	require.False(t, loaded.running())
	require.Equal(t, "incomplete", loaded.Word())
	loaded.put(Process{Identity: gone, Component: components.Etcd})
	require.Equal(t, "ended", loaded.Word())
	require.Len(t, loaded.Processes, 2)

	require.NoError(t, os.WriteFile(filepath.Join(options.Dir, stateFile), []byte("{"), 0o600))
	_, err = Load(options.Dir)
	require.ErrorContains(t, err, "delete the file")
}

func TestCertificatesVerify(t *testing.T) {
	options := DefaultOptions()
	options.Dir = t.TempDir()
	state := newState(options, portsOf(firstPort))
	require.NoError(t, state.writePKI())
	require.NoError(t, state.writeKubeconfigs())
	info, err := os.Stat(state.Kubeconfig)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	tests := map[string]struct {
		file, ca, host string
		usage          x509.ExtKeyUsage
		trusted        bool
	}{
		"server":              {"apiserver", "ca", "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		"server, by Service":  {"apiserver", "ca", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, true},
		"server, other host":  {"apiserver", "ca", "example.test", x509.ExtKeyUsageServerAuth, false},
		"server as client":    {"apiserver", "ca", "", x509.ExtKeyUsageClientAuth, false},
		"administrator":       {"admin", "ca", "", x509.ExtKeyUsageClientAuth, true},
		"front proxy":         {"front-proxy-client", "front-proxy-ca", "", x509.ExtKeyUsageClientAuth, true},
		"front proxy as user": {"front-proxy-client", "ca", "", x509.ExtKeyUsageClientAuth, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(readCertificate(t, state, test.ca))
			_, err := readCertificate(t, state, test.file).Verify(x509.VerifyOptions{
				Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{test.usage},
			})
			require.Equal(t, test.trusted, err == nil, "%v", err)
		})
	}
}

func readCertificate(t *testing.T, state *State, name string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(state.path("pki", name+".crt"))
	require.NoError(t, err)
	block, _ := pem.Decode(content)
	require.NotNil(t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return certificate
}

func TestDelayedStage(t *testing.T) {
	same, err := delayed(podfast.DefaultPodReady, 0)
	require.NoError(t, err)
	require.Equal(t, podfast.DefaultPodReady, same)
	later, err := delayed(podfast.DefaultPodReady, 1500*time.Millisecond)
	require.NoError(t, err)
	require.Contains(t, later, "durationMilliseconds: 1500")
	require.Contains(t, later, "statusTemplate:")
}

func TestZoneNames(t *testing.T) {
	for i, want := range map[int]string{0: "a", 25: "z", 26: "ba", 51: "bz", 52: "ca", 26 * 26: "baa"} {
		require.Equal(t, want, zoneName(i))
	}
}
