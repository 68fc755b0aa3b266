// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// Most members at once are rather the hub's failure: the survivor is raised, nothing is lowered.
func testTwoOfThree(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 4, failover: {after: 3m, returnAfter: 0s}")
	p.wants("shares", counts{"berlin": 2, "paris": 1, "rome": 1})
	p.judge(p.t, "berlin", v1alpha1.MemberFailed)
	p.judge(p.t, "paris", v1alpha1.MemberFailed)
	p.noted("", v1alpha1.FederatedHubSuspectsItself) // it has seen both before their time is over
	p.pass(3*time.Minute + time.Second)
	p.wants("the survivor has all, and the others keep theirs", counts{"berlin": 2, "paris": 1, "rome": 4})
	p.noted("", v1alpha1.FederatedHubSuspectsItself)
	p.scaleTo(1)
	p.noted("", v1alpha1.FederatedScaleDownFrozen)
	p.judge(p.t, "berlin", v1alpha1.MemberHealthy)
	p.judge(p.t, "paris", v1alpha1.MemberHealthy)
	p.noted("", v1alpha1.FederatedScaleDownFrozen) // their demand is not in that number
	p.pass(2 * time.Minute)
	p.wants("what was asked for meanwhile", counts{"berlin": 1, "paris": 1, "rome": 1})
}

// The next scaler goes on where the status says: nothing moves twice.
func testRestart(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 12, failover: {after: 0s, returnAfter: 0s}")
	p.wants("shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	survivors := p.lowest("berlin", "rome")
	p.judge(p.t, "paris", v1alpha1.MemberFailed)
	p.stop()
	p.start()
	p.wants("the others have its share", counts{"berlin": 9, "paris": 4, "rome": 3})
	p.stop()
	p.start()
	p.reason(v1alpha1.FederatedFailedOver)
	p.wants("still", counts{"berlin": 9, "paris": 4, "rome": 3})
	require.GreaterOrEqual(p.t, survivors(), int32(8))

	everywhere := p.lowest("berlin", "rome", "paris")
	p.judge(p.t, "paris", v1alpha1.MemberHealthy)
	p.stop()
	p.start()
	p.wants("the old shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	require.GreaterOrEqual(p.t, everywhere(), int32(12))
}

// A member that takes connections and does not answer delays no other; what it may have taken is found out later.
func testHanging(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6")
	p.wants("shares", counts{"berlin": 3, "paris": 2, "rome": 1})
	p.members["paris"].Component(p.t, "pause", "kube-apiserver")
	began := time.Now()
	p.scaleTo(12)
	p.wants("the others", counts{"berlin": 6, "rome": 2})
	p.t.Logf("the others were raised after %s", time.Since(began).Round(time.Millisecond))
	p.members["paris"].Component(p.t, "resume", "kube-apiserver")
	p.wants("all", counts{"berlin": 6, "paris": 4, "rome": 2})
}

func testDrain(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 8")
	p.wants("shares", counts{"berlin": 4, "paris": 3, "rome": 1})
	everywhere := p.lowest("paris", "berlin", "rome")
	p.member("paris", `{"spec":{"drain":true}}`)
	p.wants("paris is empty", counts{"berlin": 6, "paris": 0, "rome": 2})
	p.noted("paris", v1alpha1.FederatedDrained)
	require.GreaterOrEqual(p.t, everywhere(), int32(8))
	p.member("paris", `{"spec":{"drain":null}}`)
	p.wants("it is back", counts{"berlin": 4, "paris": 3, "rome": 1})
	p.member("rome", `{"spec":{"weight":12}}`) // an operator's weight counts at once
	p.wants("as much as in berlin", counts{"berlin": 3, "paris": 2, "rome": 3})
	p.member("rome", `{"spec":{"weight":null}}`)
}

// member merges something into a MemberCluster.
func (p *play) member(name, patch string) {
	m := &v1alpha1.MemberCluster{}
	m.Name = name
	require.NoError(p.t, p.hub.Client.Patch(p.t.Context(), m, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// What a quota would refuse is not asked for.
func testQuota(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.members["berlin"].Create(p.t, p.namespace, `{apiVersion: v1, kind: ResourceQuota, metadata: {name: small}, spec: {hard: {requests.cpu: 2500m}}}`)
	clustertest.Eventually(p.t, "the quota counts", func() error {
		if member := p.fleet.Member("berlin"); member != nil {
			more, err := (reader{member: member}).quota(p.t.Context(), p.namespace, onePod("1"))
			if err != nil || more == nil || *more != 2 {
				return fmt.Errorf("the quota lets %v more pods through: %w", more, err)
			}
		}
		return nil
	})
	p.create("replicas: 11")
	p.wants("berlin has what its quota allows", counts{"berlin": 2, "paris": 6, "rome": 3})
	p.reason(v1alpha1.FederatedDivided)
	p.scaleTo(14)
	p.wants("the others take all the rest", counts{"berlin": 2, "paris": 8, "rome": 4})
}

// A member whose pods find no node gets no more for a while, and the others take them.
func testStuck(p *play) {
	p.deploy(0, "berlin", "paris")
	p.members["rome"].Create(p.t, p.namespace, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: 0, selector: {matchLabels: {app: shop}},
		template: {metadata: {labels: {app: shop}}, spec: {nodeSelector: {disk: gold}, containers: [{name: shop, image: shop, resources: {requests: {cpu: "1"}}}]}}}}`)
	p.create("replicas: 5, pendingTimeout: 1m")
	p.wants("one tries in rome", counts{"berlin": 2, "paris": 2})
	p.eventually("it waits", func() error {
		if replicas, _ := p.replicas("rome"); replicas != 1 {
			return fmt.Errorf("%d replicas in rome", replicas)
		}
		return nil
	})
	p.pass(61 * time.Second)
	p.wants("the others take it", counts{"berlin": 3, "paris": 2, "rome": 0})
	p.reason(v1alpha1.FederatedCapped)
	p.pass(3 * time.Minute)
	p.wants("still", counts{"berlin": 3, "paris": 2, "rome": 0})
	p.pass(2 * time.Minute)
	p.eventually("it is tried again", func() error {
		if replicas, _ := p.replicas("rome"); replicas != 1 {
			return fmt.Errorf("%d replicas in rome", replicas)
		}
		return nil
	})
}

// A pod that has a node, and whose image never comes, counts as one without a node, only later.
func testNeverStarts(p *play) {
	rome := p.members["rome"]
	rome.Create(p.t, "", `{apiVersion: v1, kind: Node, metadata: {name: broken, labels: {disk: broken}}, status: {capacity: {cpu: "1", memory: 8Gi, pods: "10"},
		allocatable: {cpu: "1", memory: 8Gi, pods: "10"}, conditions: [{type: Ready, status: "True", reason: KubeletReady}]}}`) // kwok knows nothing of it
	p.t.Cleanup(func() {
		require.NoError(p.whole, rome.Client.Delete(p.whole.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "broken"}}))
	})
	p.deploy(0, "berlin", "paris")
	rome.Create(p.t, p.namespace, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: 0, selector: {matchLabels: {app: shop}},
		template: {metadata: {labels: {app: shop}}, spec: {terminationGracePeriodSeconds: 0, nodeSelector: {disk: broken}, tolerations: [{operator: Exists}],
		containers: [{name: shop, image: shop, resources: {requests: {cpu: "1"}}}]}}}}`)
	p.create("replicas: 5, pendingTimeout: 1m")
	p.wants("one tries in rome", counts{"berlin": 2, "paris": 2})
	p.eventually("the controller knows that it has a node", func() error {
		var list corev1.PodList
		if err := p.fleet.Member("rome").List(p.t.Context(), &list, client.InNamespace(p.namespace)); err != nil || len(list.Items) != 1 || list.Items[0].Spec.NodeName != "broken" {
			return fmt.Errorf("%d pods in rome: %w", len(list.Items), err)
		}
		return nil
	})
	p.patch(`{"spec":{"pendingTimeout":"60s"}}`) // the same: what is waited for is that it has looked since
	p.eventually("it has looked", func() error {
		if f := p.get(); f.Status.ObservedGeneration != f.Generation {
			return fmt.Errorf("at generation %d, not %d", f.Status.ObservedGeneration, f.Generation)
		}
		return nil
	})
	p.reason(v1alpha1.FederatedWaitingForReady)
	p.pass(startFactor * time.Minute)
	p.wants("the others take it", counts{"berlin": 3, "paris": 2, "rome": 0})
	p.reason(v1alpha1.FederatedCapped)
}

// A member whose API server refuses a raise keeps what it has, and the others take the rest.
func testRefused(p *play) {
	p.deploy(1, "berlin", "paris", "rome")
	p.members["paris"].Create(p.t, "", `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: few}, spec: {failurePolicy: Fail,
		matchConstraints: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+p.namespace+`}}, resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}]},
		validations: [{expression: "object.spec.replicas <= 1", message: one is enough}]}}`)
	p.members["paris"].Create(p.t, "", `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: few},
		spec: {policyName: few, validationActions: [Deny]}}`)
	clustertest.Eventually(p.t, "the policy is in force", func() error {
		body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
		err := p.members["paris"].Client.SubResource("scale").Update(p.t.Context(), &appsv1.Deployment{ObjectMeta: p.meta()}, client.WithSubResourceBody(body), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "one is enough") {
			return fmt.Errorf("it is not: %w", err)
		}
		return nil
	})
	p.create("replicas: 9")
	p.wants("paris keeps what it has", counts{"berlin": 6, "paris": 1, "rome": 2})
	p.noted("paris", v1alpha1.FederatedCapped)
	f := p.reason(v1alpha1.FederatedWriteFailed)
	require.Contains(p.t, row(f, "paris").Message, "one is enough")
	p.scaleTo(3) // for which nothing is to be written there
	p.wants("one each", counts{"berlin": 1, "paris": 1, "rome": 1})
	p.pass(6 * time.Minute) // the cap is over, and nothing is tried that would bring a new one
	require.Empty(p.t, row(p.reason(v1alpha1.FederatedDivided), "paris").Message, "the failure is over")
}

// A member that answers, and hangs when it is to take a number (a webhook that is asked and says nothing), is one that refuses.
func testHangingWrites(p *play) {
	silent, asked := listensInSilence(p.t)
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6")
	p.wants("shares", counts{"berlin": 3, "paris": 2, "rome": 1})
	p.members["paris"].Create(p.t, "", `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: silent}, webhooks: [{name: silent.example.com,
		clientConfig: {url: "https://`+silent.Addr().String()+`"}, timeoutSeconds: 30, failurePolicy: Fail, sideEffects: None, admissionReviewVersions: [v1],
		namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+p.namespace+`}}, rules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}]}]}`)
	clustertest.Eventually(p.t, "the webhook is asked", func() error {
		before := asked.Load()
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
		defer cancel()
		body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
		err := p.members["paris"].Client.SubResource("scale").Update(ctx, &appsv1.Deployment{ObjectMeta: p.meta()}, client.WithSubResourceBody(body), client.DryRunAll)
		if !errors.Is(err, context.DeadlineExceeded) || asked.Load() == before {
			return fmt.Errorf("the answer is %w, and the webhook was asked %d times", err, asked.Load())
		}
		return nil
	})
	p.scaleTo(14)
	p.wants("the others have theirs", counts{"berlin": 7, "rome": 2})
	p.eventually("they take the rest", func() error {
		p.pass(time.Second)
		if f := p.get(); row(f, "paris").Cap == nil {
			return errors.New("paris is not capped")
		}
		return nil
	})
	p.wants("they have it", counts{"berlin": 9, "paris": 2, "rome": 3})
	p.noted("paris", v1alpha1.FederatedCapped)
}

// listensInSilence takes connections and says nothing. It returns where, and how many there were.
func listensInSilence(t *testing.T) (net.Listener, *atomic.Int32) {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	asked := &atomic.Int32{}
	go func() {
		for {
			connection, err := silent.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer func() { _ = connection.Close() }() // not before: that would be an answer
		}
	}()
	return silent, asked
}

// A member that takes the number and rejects the pods gets no more for a while, once that does not pass.
func testRejected(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6, pendingTimeout: 1h")
	p.wants("shares", counts{"berlin": 3, "paris": 2, "rome": 1})
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
	strict := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`))
	require.NoError(p.t, p.members["paris"].Client.Patch(p.t.Context(), namespace, strict))
	clustertest.Eventually(p.t, "paris refuses pods", func() error { // it learns of its namespaces' labels by a watch
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "lax"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop"}}}}
		if err := p.members["paris"].Client.Create(p.t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) {
			return fmt.Errorf("the answer is %w", err)
		}
		return nil
	})
	p.scaleTo(14)
	p.wants("the others have theirs", counts{"berlin": 7, "rome": 2})
	p.eventually("paris rejects pods", func() error {
		d := &appsv1.Deployment{}
		if err := p.members["paris"].Client.Get(p.t.Context(), p.key(), d); err != nil || !ofDeployment(d).failing {
			return fmt.Errorf("its conditions are %+v: %w", d.Status.Conditions, err)
		}
		return nil
	})
	p.pass(time.Second) // at the latest now it has been seen
	p.reason(v1alpha1.FederatedWaitingForReady)
	p.pass(rejectsAfter)
	p.wants("the others take them", counts{"berlin": 9, "paris": 2, "rome": 3})
	p.reason(v1alpha1.FederatedCapped)
}

func testNoTarget(p *play) {
	p.deploy(0, "berlin", "paris")
	p.create("replicas: 5")
	p.wants("those that have it", counts{"berlin": 3, "paris": 2})
	f := p.reason(v1alpha1.FederatedNoTarget)
	require.Contains(p.t, row(f, "rome").Message, "there is no Deployment shop")
	p.deploy(0, "rome")
	p.wants("all", counts{"berlin": 2, "paris": 2, "rome": 1})
	p.reason(v1alpha1.FederatedDivided)
}

// Of two that divide one workload the older does; when it ends, the other one goes on.
func testRivals(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6")
	p.wants("shares", counts{"berlin": 3, "paris": 2, "rome": 1})
	p.hub.Create(p.t, p.namespace, `{apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, metadata: {name: zweite},
		spec: {mode: Enforce, replicas: 12, targetRef: {name: shop}, clusters: [{name: paris}, {name: rome}]}}`)
	second := &v1alpha1.FederatedScale{}
	p.eventually("the younger one gives way", func() error {
		require.NoError(p.t, p.hub.Client.Get(p.t.Context(), types.NamespacedName{Namespace: p.namespace, Name: "zweite"}, second))
		if c := meta.FindStatusCondition(second.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != v1alpha1.FederatedTargetTaken || !strings.Contains(c.Message, "FederatedScale shop") {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
	require.Nil(p.t, row(second, "paris").Written)
	p.scaleTo(7)
	p.wants("the older one divides", counts{"berlin": 4, "paris": 2, "rome": 1})
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), p.get()))
	p.wantsAll("the other one divides", counts{"berlin": 4, "paris": 8, "rome": 4})
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), second))
}

// The hub suspects itself by the silence of others' members: nothing is lowered here either.
func testDoubt(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6, clusters: [{name: berlin}, {name: paris}]")
	p.wants("shares", counts{"berlin": 4, "paris": 2})
	p.doubt(metav1.ConditionUnknown, v1alpha1.MemberHubSuspect)
	p.noted("", v1alpha1.FederatedHubSuspectsItself)
	p.scaleTo(2)
	p.noted("", v1alpha1.FederatedScaleDownFrozen)
	p.wants("as it was", counts{"berlin": 4, "paris": 2})
	p.scaleTo(9)
	p.wants("more are given", counts{"berlin": 5, "paris": 4})
	p.scaleTo(2)
	p.doubt(metav1.ConditionTrue, v1alpha1.MemberAnswers)
	p.wants("what was asked for meanwhile", counts{"berlin": 1, "paris": 1})
}

// doubt has rome, which no scene's FederatedScale names then, say something.
func (p *play) doubt(status metav1.ConditionStatus, reason string) {
	rome := &v1alpha1.MemberCluster{}
	require.NoError(p.t, p.hub.Client.Get(p.t.Context(), types.NamespacedName{Name: "rome"}, rome))
	changed := rome.DeepCopy()
	meta.SetStatusCondition(&changed.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "so"})
	require.NoError(p.t, p.hub.Client.Status().Patch(p.t.Context(), changed, client.MergeFrom(rome)))
}

// A member in which an HPA scales the workload is left alone; the others have the rest.
func testOwned(p *play) {
	p.deploy(0, "berlin", "rome")
	p.deploy(3, "paris")
	p.members["paris"].Create(p.t, p.namespace, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: own},
		spec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}}`)
	p.create("replicas: 12")
	p.reason(v1alpha1.FederatedOwnedByHPA)
	p.wants("the rest", counts{"berlin": 7, "paris": 3, "rome": 2})
}
