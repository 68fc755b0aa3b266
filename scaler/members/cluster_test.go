// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// stage is a hub and two members.
type stage struct {
	whole, t        *testing.T // of all stories, and of the present one
	hub, east, west *clustertest.Cluster
	fleet           *Fleet
	stop            func()
	connected       chan string
}

// TestOnClusters has one story after the other happen to the same hub and members.
func TestOnClusters(t *testing.T) {
	s := &stage{whole: t, t: t, hub: clustertest.Start(t), east: clustertest.Start(t, "--nodes", "2"), west: clustertest.Start(t, "--nodes", "2")}
	require.NoError(t, s.hub.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: DefaultNamespace}}))
	s.run()
	s.keep("east-kubeconfig", "value", s.kubeconfig(s.east)) // as Cluster API has it
	s.keep("west", "kubeconfig", s.kubeconfig(s.west))
	s.member("east", "")
	s.member("west", "")
	s.story("healthy", testHealthy)
	t.Run("side by side", func(t *testing.T) {
		for name, stories := range map[string][]func(*stage){
			"no kubeconfig":                    {testNoKubeconfig},
			"credentials":                      {testRights, testRotated, testWrongCA},
			"nodes not Ready under a live API": {testNodes},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, run := range stories {
					run(s.as(t))
				}
			})
		}
	})
	s.story("two MemberClusters of one cluster", testDuplicate)
	s.story("a stopped API server", testStopped)
	s.story("a frozen API server", testFrozen)
	s.story("a scaler that was away", testRestarted)
	s.story("suspended", testSuspended)
	s.story("the hub suspects itself", testHubSuspect)
	s.story("deleted", testDeleted)
}

// story runs one; the next begins where it ends.
func (s *stage) story(name string, run func(*stage)) {
	require.False(s.whole, s.whole.Failed())
	s.whole.Run(name, func(t *testing.T) {
		s.t = t
		run(s)
	})
}

// as is the stage for a story that runs beside others.
func (s *stage) as(t *testing.T) *stage {
	mine := *s
	mine.t = t
	return &mine
}

// run starts a scaler's part.
func (s *stage) run() {
	mgr := clustertest.NewManager(s.whole, s.hub.RESTConfig)
	fleet, err := Add(mgr, Options{})
	require.NoError(s.t, err)
	s.connected = make(chan string, 100)
	fleet.OnConnect(func(_ context.Context, m *Member) error {
		s.connected <- m.Name()
		return nil
	})
	s.fleet, s.stop = fleet, clustertest.Run(s.whole, mgr)
}

func (s *stage) kubeconfig(c *clustertest.Cluster) *clientcmdapi.Config {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	require.NoError(s.t, err)
	return config
}

// keep writes a kubeconfig into a Secret.
func (s *stage) keep(name, key string, config *clientcmdapi.Config) {
	text, err := clientcmd.Write(*config)
	require.NoError(s.t, err)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: DefaultNamespace, Name: name}, Data: map[string][]byte{key: text}}
	if err := s.hub.Client.Update(s.t.Context(), secret); err != nil {
		require.NoError(s.t, s.hub.Client.Create(s.t.Context(), secret))
	}
}

// member creates a MemberCluster that is judged fast.
func (s *stage) member(name, fields string) {
	s.hub.Create(s.t, "", fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: MemberCluster, metadata: {name: %s},
  spec: {probe: {interval: 1s, timeout: 3s, failureThreshold: 2, failedAfter: 2s, successThreshold: 2, healthyAfter: 1s, nodesAfter: 20s}%s}}`, name, fields))
}

func (s *stage) get(name string) *v1alpha1.MemberCluster {
	found := &v1alpha1.MemberCluster{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: name}, found))
	return found
}

func (s *stage) change(name string, change func(*v1alpha1.MemberCluster)) {
	s.t.Helper()
	clustertest.Eventually(s.t, "an update of "+name, func() error {
		found := s.get(name)
		change(found)
		return s.hub.Client.Update(s.t.Context(), found)
	})
}

// awaits polls for a state with a reason, and returns the status and the condition's message.
func (s *stage) awaits(name string, state v1alpha1.MemberState, reason string) (v1alpha1.MemberClusterStatus, string) {
	s.t.Helper()
	var status v1alpha1.MemberClusterStatus
	var message string
	clustertest.Eventually(s.t, fmt.Sprintf("%s is %s for %s", name, state, reason), func() error {
		found := s.get(name)
		status = found.Status
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != reason || status.State != state || status.ObservedGeneration != found.Generation {
			return fmt.Errorf("the status is %+v", status)
		}
		require.Contains(s.t, v1alpha1.MemberReasons(), c.Reason)
		message = c.Message
		return nil
	})
	return status, message
}

func (s *stage) awaitsConnection(name string) *Member {
	s.t.Helper()
	var m *Member
	clustertest.Eventually(s.t, "a connection to "+name, func() error {
		if m = s.fleet.Member(name); m == nil {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	return m
}

// told polls for an event about a member.
func (s *stage) told(name, reason, text string) {
	s.t.Helper()
	clustertest.Eventually(s.t, "the event "+reason, func() error {
		var list eventsv1.EventList
		if err := s.hub.Client.List(s.t.Context(), &list); err != nil {
			return err
		}
		var all []string
		for _, e := range list.Items {
			if e.Regarding.Kind == "MemberCluster" && e.Regarding.Name == name && e.Reason == reason && strings.Contains(e.Note, text) {
				return nil
			}
			all = append(all, e.Regarding.Name+" "+e.Reason+": "+e.Note)
		}
		return fmt.Errorf("no event %s with %q among %q", reason, text, all)
	})
}

// serves: a member's caches are filled and follow what happens there.
func (s *stage) serves(name string, c *clustertest.Cluster) {
	s.t.Helper()
	m := s.awaitsConnection(name)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "p-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}}
	require.NoError(s.t, c.Client.Create(s.t.Context(), pod))
	clustertest.Eventually(s.t, "the pod is seen", func() error {
		if m := s.fleet.Member(name); m != nil {
			return m.Get(s.t.Context(), client.ObjectKeyFromObject(pod), &corev1.Pod{})
		}
		return fmt.Errorf("no connection")
	})
	require.NoError(s.t, c.Client.Delete(s.t.Context(), pod))
	require.NotNil(s.t, m)
}

func testHealthy(s *stage) {
	t := s.t
	for name, c := range map[string]*clustertest.Cluster{"east": s.east, "west": s.west} {
		s.awaits(name, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
		s.told(name, "MemberHealthy", name+" is Healthy: its API server is ready")
		s.serves(name, c)
		clustertest.Eventually(t, "what its nodes are", func() error {
			status, message := s.awaits(name, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
			if !strings.Contains(message, "its API server is ready, and enough of its nodes are") {
				return errors.New(message)
			}
			if want := (v1alpha1.MemberNodes{Total: 2, Ready: 2, Counted: 2, Summary: "2/2"}); status.Nodes == nil || *status.Nodes != want {
				return fmt.Errorf("its nodes are %+v", status.Nodes)
			}
			return nil
		})
	}
	require.ElementsMatch(t, []string{"east", "west"}, []string{<-s.connected, <-s.connected})
	status := s.get("east").Status
	require.NotEmpty(t, status.Free)
	require.NotEmpty(t, status.Allocatable.CPU)
	require.True(t, strings.HasPrefix(status.Version, "v1."), status.Version)
	require.NotNil(t, status.LastAnswerTime)

	m := s.awaitsConnection("east")
	clustertest.Eventually(t, "what was counted is not counted again at once", func() error { // but by each probe
		first, err := m.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, first.Total)
		again, err := m.Snapshot(t.Context())
		require.NoError(t, err)
		if first != again {
			return errors.New("it was counted again")
		}
		return nil
	})

	// What is not cached is asked for, with nothing begun that watches it.
	var spaces corev1.NamespaceList
	require.NoError(t, m.List(t.Context(), &spaces))
	require.NotEmpty(t, spaces.Items)
	require.NoError(t, m.Get(t.Context(), types.NamespacedName{Name: "default"}, &corev1.Namespace{}))
	stopped, err := m.Cache().GetInformer(t.Context(), &corev1.Node{})
	require.NoError(t, err)
	require.True(t, stopped.HasSynced())
}

func testNoKubeconfig(s *stage) {
	t := s.t
	s.member("nowhere", "")
	_, message := s.awaits("nowhere", v1alpha1.MemberSuspect, v1alpha1.MemberNoKubeconfig)
	require.Contains(t, message, `namespace plimsoll-members has no Secret nowhere or nowhere-kubeconfig: create it with the cluster's kubeconfig in the key "kubeconfig"`)
	config := s.kubeconfig(s.west)
	for _, user := range config.AuthInfos {
		user.Exec = &clientcmdapi.ExecConfig{Command: "/bin/true", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
	}
	s.keep("nowhere", "kubeconfig", config)
	_, message = s.awaits("nowhere", v1alpha1.MemberSuspect, v1alpha1.MemberInvalidKubeconfig)
	require.Contains(t, message, "has exec, which would run a program in the hub")
	require.Nil(t, s.fleet.Member("nowhere"))
	s.keep("nowhere", "kubeconfig", s.kubeconfig(s.west))
	status, message := s.awaits("nowhere", v1alpha1.MemberSuspect, v1alpha1.MemberDuplicateCluster)
	require.Contains(t, message, "it is the same cluster as MemberCluster west, which is older and keeps it: delete one of the two, or correct its kubeconfig; it gets nothing until then")
	require.Equal(t, s.get("west").Status.ClusterID, status.ClusterID)
	require.Nil(t, status.Nodes, "its nodes count once")
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("nowhere")))
	clustertest.Eventually(t, "the connection ends", func() error {
		if s.fleet.connection("nowhere") != nil {
			return fmt.Errorf("there is one")
		}
		return nil
	})
}

// account makes a service account in a member and returns a kubeconfig with its token.
func (s *stage) account(c *clustertest.Cluster, name string) *clientcmdapi.Config {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	require.NoError(s.t, c.Client.Create(s.t.Context(), account))
	request := &authenticationv1.TokenRequest{}
	require.NoError(s.t, c.Client.SubResource("token").Create(s.t.Context(), account, request))
	config := s.kubeconfig(c)
	for _, user := range config.AuthInfos {
		*user = clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	return config
}

// The hub is a member like any other here.
func testRights(s *stage) {
	t := s.t
	s.keep("guest", "kubeconfig", s.account(s.hub, "guest"))
	s.member("guest", "")
	clustertest.Eventually(t, "all that is missing is named", func() error {
		_, message := s.awaits("guest", v1alpha1.MemberSuspect, v1alpha1.MemberForbidden)
		if !strings.Contains(message, "its API server is ready, but the credential may not list and watch deployments, horizontalpodautoscalers, nodes, pods, resourcequotas, statefulsets: apply manifests/member there") {
			return errors.New(message)
		}
		return nil
	})
	require.Nil(t, s.fleet.Member("guest"))
	role, err := manifests.Render("member")
	require.NoError(t, err)
	for _, object := range role {
		require.NoError(t, s.hub.Client.Create(t.Context(), object))
	}
	require.NoError(t, s.hub.Client.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "guests"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "plimsoll-hub"},
		Subjects: []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:default"}},
	}))
	clustertest.Eventually(t, "the caches are filled", func() error { // informers wait for up to a minute
		if s.fleet.Member("guest") == nil {
			return fmt.Errorf("they are not")
		}
		return nil
	})
	status, _ := s.awaits("guest", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.told("guest", "MemberHealthy", "guest is Healthy")
	space := &corev1.Namespace{}
	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Name: "kube-system"}, space))
	require.Equal(t, string(space.UID), status.ClusterID)

	// The right is taken away: what was told stays.
	right := &rbacv1.ClusterRole{}
	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Name: "plimsoll-hub"}, right))
	right.Rules = slices.DeleteFunc(right.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "namespaces") })
	require.NoError(t, s.hub.Client.Update(t.Context(), right))
	clustertest.Eventually(t, "that it may not be asked any more is said, and nothing else", func() error {
		s.change("guest", func(m *v1alpha1.MemberCluster) { m.Spec.Weight = new(int32(m.Generation)) }) // asks anew
		status, message := s.awaits("guest", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
		if status.ClusterID != string(space.UID) || !strings.Contains(message, undecided) {
			return errors.New(message)
		}
		return nil
	})
}

// A token that is refused freezes and alarms, and never fails over; a new Secret is taken at once.
func testRotated(s *stage) {
	t := s.t
	s.awaits("guest", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	old, config := s.awaitsConnection("guest"), s.account(s.hub, "guest-2")
	for _, user := range config.AuthInfos {
		user.Token += "x"
	}
	s.keep("guest", "kubeconfig", config)
	s.awaits("guest", v1alpha1.MemberSuspect, v1alpha1.MemberUnauthorized)
	s.told("guest", "MemberSuspect", "renew the kubeconfig's credential")
	require.True(t, old.ended())
	for _, user := range config.AuthInfos {
		user.Token = user.Token[:len(user.Token)-1]
	}
	s.keep("guest", "kubeconfig", config)
	s.awaits("guest", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("guest", s.hub)
	require.NotSame(t, old, s.fleet.Member("guest"))
}

func testWrongCA(s *stage) {
	t := s.t
	right, wrong := s.kubeconfig(s.hub), s.kubeconfig(s.east)
	for name, c := range wrong.Clusters {
		c.Server = right.Clusters[right.Contexts[right.CurrentContext].Cluster].Server
		wrong.Clusters[name] = c
	}
	s.keep("guest", "kubeconfig", wrong)
	_, message := s.awaits("guest", v1alpha1.MemberSuspect, v1alpha1.MemberUntrusted)
	require.Contains(t, message, "it keeps its replicas")
	s.keep("guest", "kubeconfig", right)
	s.awaits("guest", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("guest")))
}

// A MemberCluster that is older turns out to be a cluster that works under another name: the younger one is frozen, and
// takes over by itself when the older one is gone. A scaler that starts anew thinks the same.
func testDuplicate(s *stage) {
	t := s.t
	s.keep("twin", "kubeconfig", s.kubeconfig(s.hub))
	s.member("twin", "")
	s.awaits("twin", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	<-time.After(time.Second) // the times of creation are whole seconds
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("west")))
	s.member("west", "")
	var was v1alpha1.MemberClusterStatus
	clustertest.Eventually(t, "which cluster west is", func() error {
		if was, _ = s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers); was.ClusterID == "" {
			return errors.New("it has not said")
		}
		return nil
	})
	require.NotEqual(t, was.ClusterID, s.get("twin").Status.ClusterID)

	s.keep("twin", "kubeconfig", s.kubeconfig(s.west))
	status, message := s.awaits("west", v1alpha1.MemberSuspect, v1alpha1.MemberDuplicateCluster)
	require.Contains(t, message, "the same cluster as MemberCluster twin, which is older and keeps it: delete one of the two, or correct its kubeconfig; it keeps its replicas, and nothing is lowered, until that is mended")
	require.Nil(t, status.Nodes)
	s.told("west", "MemberSuspect", "the same cluster as MemberCluster twin")
	clustertest.Eventually(t, "twin is that cluster", func() error { // its status may be from before when west's is written
		if status, _ := s.awaits("twin", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers); status.ClusterID != was.ClusterID {
			return fmt.Errorf("it is %s, not %s", status.ClusterID, was.ClusterID)
		}
		return nil
	})
	s.serves("twin", s.west)

	s.stop()
	s.run()
	s.change("west", func(m *v1alpha1.MemberCluster) { m.Spec.Weight = new(int32(2)) }) // shows that it was judged
	status, _ = s.awaits("west", v1alpha1.MemberSuspect, v1alpha1.MemberDuplicateCluster)
	require.True(t, status.Health.Proven)
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)

	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("twin")))
	s.change("west", func(m *v1alpha1.MemberCluster) { m.Spec.Weight = nil })
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("west", s.west)
}

func testStopped(s *stage) {
	t := s.t
	s.east.Component(t, "kill", "kube-apiserver")
	status, message := s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	require.Contains(t, message, "it has failed, and its replicas may move")
	s.told("east", "MemberSuspect", "it fails if that lasts")
	s.told("east", "MemberFailed", "its replicas may move")
	require.Equal(t, "2/2", status.Nodes.Summary, "what was seen last")
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("west", s.west)

	// A scaler that starts while it is down does not think better of it, nor count what it has not seen.
	s.stop()
	s.run()
	s.change("east", func(m *v1alpha1.MemberCluster) { m.Spec.Weight = new(int32(2)) }) // shows that it was judged
	again, _ := s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	require.Equal(t, status.Since.Time, again.Since.Time)
	s.east.Component(t, "start", "kube-apiserver")
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.told("east", "MemberHealthy", "east is Healthy")
	s.serves("east", s.east)
}

// A member that takes connections and says nothing delays nobody.
func testFrozen(s *stage) {
	t := s.t
	s.east.Component(t, "pause", "kube-apiserver")
	resumed := false
	defer func() {
		if !resumed {
			s.east.Component(t, "resume", "kube-apiserver")
		}
	}()
	s.member("also-east", `, kubeconfigSecretRef: {name: east-kubeconfig, key: value}`)
	s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	s.awaits("also-east", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	require.Nil(t, s.fleet.Member("also-east"))
	before := s.get("west").Status.Health.Probed
	s.change("west", func(m *v1alpha1.MemberCluster) { m.Spec.Drain = true }) // is looked at, and written, at once
	status, message := s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberDraining)
	require.Contains(t, message, "its replicas move to the other clusters")
	require.False(t, status.Health.Probed.Before(before))
	s.change("west", func(m *v1alpha1.MemberCluster) { m.Spec.Drain = false })
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("west", s.west)
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("also-east")))

	s.east.Component(t, "resume", "kube-apiserver")
	resumed = true
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("east", s.east)
}

// A member is not failed by what happened while there was no scaler.
func testRestarted(s *stage) {
	t := s.t
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.stop()
	s.west.Component(t, "pause", "kube-apiserver")
	<-time.After(3 * time.Second) // longer than failedAfter
	began := time.Now().Truncate(time.Second)
	s.run()
	status, _ := s.awaits("west", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	require.False(t, status.Health.FailingSince.Time.Before(began), "counting began anew")
	require.GreaterOrEqual(t, status.Health.Probed.Sub(status.Health.FailingSince.Time), 2*time.Second)
	s.west.Component(t, "resume", "kube-apiserver")
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("west", s.west)
}

func testSuspended(s *stage) {
	t := s.t
	s.change("east", func(m *v1alpha1.MemberCluster) { m.Spec.Suspend = true })
	s.awaits("east", v1alpha1.MemberSuspect, v1alpha1.MemberSuspended)
	require.Nil(t, s.fleet.Member("east"))
	s.change("east", func(m *v1alpha1.MemberCluster) { m.Spec.Suspend = false })
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.serves("east", s.east)
}

func testHubSuspect(s *stage) {
	t := s.t
	for _, c := range []*clustertest.Cluster{s.east, s.west} {
		c.Component(t, "pause", "kube-apiserver")
	}
	_, message := s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberHubSuspect)
	require.Contains(t, message, "the hub may be cut off itself")
	s.awaits("west", v1alpha1.MemberFailed, v1alpha1.MemberHubSuspect)
	s.west.Component(t, "resume", "kube-apiserver")
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	s.east.Component(t, "resume", "kube-apiserver")
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
}

func testNodes(s *stage) {
	t := s.t
	s.east.Component(t, "kill", "kwok")
	setReady := func(status corev1.ConditionStatus) {
		clustertest.Eventually(t, "nodes whose Ready is "+string(status), func() error {
			var nodes corev1.NodeList
			require.NoError(t, s.east.Client.List(t.Context(), &nodes))
			for i := range nodes.Items {
				n := &nodes.Items[i]
				at := slices.IndexFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
				n.Status.Conditions[at].Status = status
				if err := s.east.Client.Status().Update(t.Context(), n); err != nil {
					return err // others write nodes, too
				}
			}
			return nil
		})
	}
	setReady(corev1.ConditionFalse)
	status, message := s.awaits("east", v1alpha1.MemberSuspect, v1alpha1.MemberNodesNotReady)
	require.Contains(t, message, "fewer than 50 % of its nodes are Ready")
	require.Equal(t, "0/2", status.Nodes.Summary)
	s.awaits("east", v1alpha1.MemberFailed, v1alpha1.MemberNodesNotReady)
	s.told("east", "MemberFailed", "fewer than 50 % of its nodes are Ready; it has failed, and its replicas may move")
	s.east.Component(t, "start", "kwok")
	setReady(corev1.ConditionTrue)
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
}

// The end of a MemberCluster ends the connection, and nothing happens in the cluster.
func testDeleted(s *stage) {
	t := s.t
	m := s.awaitsConnection("east")
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.get("east")))
	clustertest.Eventually(t, "the connection ends", func() error {
		if !m.ended() || s.fleet.Member("east") != nil {
			return fmt.Errorf("there is one")
		}
		return nil
	})
	s.awaits("west", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.member("east", "") // another one of the same name begins anew
	s.awaits("east", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
}
