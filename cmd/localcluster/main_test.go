// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"

	"github.com/plimsoll/plimsoll/cmd/localcluster/cluster"
	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
)

// TestMain lets the test binary stand in for the program: as the watcher of a cluster, and where a test
// needs localcluster in a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// localcluster runs the program with these arguments and returns what it printed.
func localcluster(ctx context.Context, arguments ...string) (stdout, stderr string, err error) {
	executable, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	var out, progress bytes.Buffer
	command := exec.CommandContext(ctx, executable, arguments...)
	command.Stdout, command.Stderr = &out, &progress
	err = command.Run()
	return out.String(), progress.String(), err
}

// up starts a cluster whose folder is under the test's and which ends with the test.
func up(t *testing.T, dir string, flags ...string) {
	t.Helper()
	arguments := append([]string{"up", "--name", filepath.Base(dir), "--dir", dir, "--nodes", "2", "--hpa-sync-period", "5s"}, flags...)
	out, progress, err := localcluster(t.Context(), arguments...)
	require.NoError(t, err, progress)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Equal(t, filepath.Join(dir, "kubeconfig"), lines[len(lines)-1])
}

func down(t *testing.T, dir string) {
	t.Helper()
	_, progress, err := localcluster(context.WithoutCancel(t.Context()), "down", "--dir", dir)
	require.NoError(t, err, progress)
	require.NoDirExists(t, dir)
}

func status(t *testing.T, dir string) report {
	t.Helper()
	out, progress, _ := localcluster(t.Context(), "status", "--dir", dir, "--output", "json")
	var report report
	require.NoError(t, json.Unmarshal([]byte(out), &report), progress)
	return report
}

func newClient(t *testing.T, dir string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// patience is how long something may take on a busy machine.
const patience = 4 * time.Minute

// deploy creates a Deployment and waits until its pods are ready on the cluster's nodes.
func deploy(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	replicas, labels := int32(3), map[string]string{"app": name}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
			},
		},
	}
	deployments := client.AppsV1().Deployments(metav1.NamespaceDefault)
	_, err := deployments.Create(t.Context(), deployment, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		deployment, err := deployments.Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && deployment.Status.ReadyReplicas == replicas
	}, patience, 50*time.Millisecond)
}

// podIsReadyAgain marks a pod as the controller manager does when it takes its node for dead, and waits until the pod is
// Ready again, with all else that its status had.
func podIsReadyAgain(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	var before, pod *corev1.Pod
	require.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // its node may have been taken for dead just now
		list, err := pods.List(t.Context(), metav1.ListOptions{Limit: 1})
		require.NoError(t, err)
		pod = &list.Items[0]
		before = pod.DeepCopy()
		for i := range pod.Status.Conditions {
			if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
				c.Status, c.Reason, c.LastTransitionTime = corev1.ConditionFalse, "NodeNotReady", metav1.Now()
			}
		}
		_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
		return err
	}))
	var (
		after *corev1.Pod
		err   error
	)
	require.Eventually(t, func() bool {
		after, err = pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
		return err == nil && !slices.ContainsFunc(after.Status.Conditions, func(c corev1.PodCondition) bool { return c.Status != corev1.ConditionTrue })
	}, patience, 50*time.Millisecond)
	require.Len(t, after.Status.Conditions, len(before.Status.Conditions))
	require.Equal(t, before.Status.ContainerStatuses, after.Status.ContainerStatuses)
}

// alive returns the numbers of the processes that belong to the cluster in dir, by their command lines.
func alive(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && bytes.Contains(content, []byte(dir+"/")) {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}

func TestTwoClustersSideBySide(t *testing.T) {
	dirs := []string{filepath.Join(t.TempDir(), "east"), filepath.Join(t.TempDir(), "west")}
	var group errgroup.Group
	for _, dir := range dirs {
		t.Cleanup(func() { down(t, dir) })
		group.Go(func() error {
			_, progress, err := localcluster(t.Context(), "up", "--name", filepath.Base(dir), "--dir", dir, "--nodes", "2")
			t.Log(progress)
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, dir := range dirs {
		client := newClient(t, dir)
		version, err := client.Discovery().ServerVersion()
		require.NoError(t, err)
		require.Regexp(t, `^v1\.36\.\d+$`, version.GitVersion)
		deploy(t, client, "in-"+filepath.Base(dir))
	}
	west, err := newClient(t, dirs[1]).AppsV1().Deployments("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, west.Items, 1, "the clusters do not share their objects")

	before := status(t, dirs[0])
	require.True(t, before.Running)
	up(t, dirs[0])
	require.Equal(t, before.Components, status(t, dirs[0]).Components, "a running cluster is left as it is")

	require.NotEmpty(t, alive(t, dirs[0]))
	down(t, dirs[0])
	require.Empty(t, alive(t, dirs[0]))
	require.True(t, status(t, dirs[1]).Running, "the other one goes on")
}

func TestUpAfterACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crash")
	t.Cleanup(func() { down(t, dir) })
	up(t, dir)
	client := newClient(t, dir)
	deploy(t, client, "shop")
	for _, component := range status(t, dir).Components {
		if err := unix.Kill(component.PID, unix.SIGKILL); !errors.Is(err, unix.ESRCH) { // it may have ended without the one before
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool { return len(alive(t, dir)) == 0 }, patience, 10*time.Millisecond)
	require.False(t, status(t, dir).Running)
	up(t, dir)
	deploy(t, newClient(t, dir), "shop")
}

func TestComponentsStopAndStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "faults")
	config := filepath.Join(t.TempDir(), "prometheus.yaml")
	require.NoError(t, os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600))
	t.Cleanup(func() { down(t, dir) })
	up(t, dir, "--prometheus-config", config)
	client := newClient(t, dir)
	deploy(t, client, "shop")
	state := func(component string) string {
		for _, entry := range status(t, dir).Components {
			if entry.Component == component {
				return entry.State
			}
		}
		return "missing"
	}
	steps := []struct {
		verb      cluster.Verb
		component string
		want      string
	}{
		{cluster.Restart, components.APIServer, "running"},
		{cluster.Kill, components.Etcd, "ended"},
		{cluster.Start, components.Etcd, "running"},
		{cluster.Pause, components.Kwok, "paused"},
		{cluster.Resume, components.Kwok, "running"},
		{cluster.Stop, components.Prometheus, "ended"},
		{cluster.Start, components.Prometheus, "running"},
	}
	for _, step := range steps {
		_, progress, err := localcluster(t.Context(), string(step.verb), step.component, "--dir", dir)
		require.NoError(t, err, progress)
		// A process that waits for a processor stops once it has got one.
		deadline := time.Now().Add(patience)
		for state(step.component) != step.want && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
		}
		require.Equal(t, step.want, state(step.component), "after %s", step.verb)
	}
	podIsReadyAgain(t, client)
	require.Eventually(t, func() bool {
		deployment, err := client.AppsV1().Deployments(metav1.NamespaceDefault).Get(t.Context(), "shop", metav1.GetOptions{})
		return err == nil && deployment.Status.ReadyReplicas == 3
	}, patience, 50*time.Millisecond, "nothing was lost")
	_, progress, err := localcluster(t.Context(), "stop", "kubelet", "--dir", dir)
	require.Error(t, err)
	require.Contains(t, progress, "it has etcd, kube-apiserver")
}

func TestClusterEndsWithItsParent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orphan")
	t.Cleanup(func() { down(t, dir) })
	parent := exec.Command("sleep", "600")
	require.NoError(t, parent.Start())
	up(t, dir, "--parent-pid", strconv.Itoa(parent.Process.Pid))
	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait(), "it was killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err) && len(alive(t, dir)) == 0
	}, patience, 20*time.Millisecond)
}

func TestStartFailureIsExplained(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "broken")
	t.Cleanup(func() { down(t, dir) })
	_, progress, err := localcluster(t.Context(), "up", "--name", "broken", "--dir", dir, "--component-arg", "kube-apiserver=--no-such-flag")
	require.Error(t, err)
	require.Contains(t, progress, "kube-apiserver ended while the cluster was starting")
	require.Contains(t, progress, "no-such-flag")
	require.Empty(t, alive(t, dir), "what had been started is ended")
	require.FileExists(t, filepath.Join(dir, "logs", "kube-apiserver.log"))
}
