// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

const step = 5 * time.Minute

var (
	start = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	key   = types.NamespacedName{Namespace: "shop", Name: "shop"}
)

// users is a demand with a day: 200 at night, 1,800 in the evening.
func users(at time.Time) float64 {
	day := at.Sub(at.Truncate(24*time.Hour)).Hours() / 24
	return 1000 + 800*math.Sin(2*math.Pi*(day-0.5)) + 20*math.Sin(float64(at.Unix()%7919))
}

// bed is one or more forecasts with a clock that the test moves.
type bed struct {
	prom   *promServer
	client client.Client
	loop   *loop
	events *events.FakeRecorder
	now    time.Time
	filled time.Time // until when there are values
	next   time.Time // when the loop wants to look again
	writes int
}

// mapper is made once: that takes longer than most tests.
var mapper = sync.OnceValue(func() meta.RESTMapper {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		panic(err)
	}
	return testrestmapper.TestOnlyStaticRESTMapper(s)
})

func newHPA() *autoscalingv2.HorizontalPodAutoscaler {
	one, hundred := int32(2), resource.MustParse("100")
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"},
			MinReplicas:    &one, MaxReplicas: 100,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "online_users"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &hundred},
			}}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: 10, DesiredReplicas: 10},
	}
}

func newForecast() *v1alpha1.ScaleForecast {
	return &v1alpha1.ScaleForecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "forecast-1", Generation: 1},
		Spec: v1alpha1.ScaleForecastSpec{
			TargetRef: v1alpha1.TargetReference{Name: "shop"}, Query: "sum(online_users)", Mode: v1alpha1.ForecastEnforce,
			LeadTime: &metav1.Duration{Duration: 10 * time.Minute},
		},
	}
}

// newBed has an HPA, a forecast and two weeks of values before `start`.
func newBed(t testing.TB, objects ...client.Object) *bed {
	b := emptyBed(t, objects...)
	b.fill(t, start)
	return b
}

// emptyBed has no values yet. Those of all series are to be pushed in order of time.
func emptyBed(t testing.TB, objects ...client.Object) *bed {
	if len(objects) == 0 {
		objects = []client.Object{newHPA(), newForecast()}
	}
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}})
	b := &bed{prom: newProm(t), now: start.Add(time.Minute), events: events.NewFakeRecorder(1000)}
	b.client = fake.NewClientBuilder().WithScheme(clustertest.Scheme(t)).WithRESTMapper(mapper()).WithObjects(objects...).WithStatusSubresource(&v1alpha1.ScaleForecast{}).Build()
	b.filled = start.Add(-14 * 24 * time.Hour)
	b.restart(t)
	return b
}

func (b *bed) fill(t testing.TB, to time.Time) {
	b.prom.push(t, `online_users{namespace="shop"}`, b.filled.Add(time.Minute), to, time.Minute, users)
	b.filled = to
}

// restart begins a new scaler that knows nothing but what is in the cluster and at the source.
func (b *bed) restart(t testing.TB) {
	l, err := newLoop(Options{
		Now: func() time.Time { return b.now }, RESTConfig: b.prom.config(), Workers: 1, Loading: 1,
		Registerer: prometheus.NewRegistry(), Observer: situation.Observer{Reader: b.client, Now: func() time.Time { return b.now }},
	}, b.client)
	require.NoError(t, err)
	l.events = b.events
	b.loop, b.next = l, b.now
}

// look lets the loop look once.
func (b *bed) look(t testing.TB) v1alpha1.ScaleForecastStatus {
	before := b.get(t).ResourceVersion
	result, err := b.loop.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	require.NoError(t, err)
	require.Positive(t, result.RequeueAfter)
	b.next = b.now.Add(result.RequeueAfter)
	f := b.get(t)
	if f.ResourceVersion != before {
		b.writes++
	}
	return f.Status
}

// run moves the clock, looking when the loop wants to, with values that come (or do not) meanwhile.
func (b *bed) run(t testing.TB, until time.Time, values bool) v1alpha1.ScaleForecastStatus {
	for !b.next.After(until) {
		b.now = b.next
		if to := b.now.Truncate(time.Minute); values && to.After(b.filled) {
			b.fill(t, to)
		}
		b.look(t)
	}
	b.now = until
	return b.get(t).Status
}

func (b *bed) get(t testing.TB) *v1alpha1.ScaleForecast {
	f := new(v1alpha1.ScaleForecast)
	require.NoError(t, b.client.Get(t.Context(), key, f))
	return f
}

func (b *bed) said() []string { return clustertest.Told(b.events) }

func reason(s v1alpha1.ScaleForecastStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

func rule(t testing.TB, b *bed) forecast.Rule {
	r, err := b.get(t).Compile()
	require.NoError(t, err)
	return r
}

func spanOf(from, to time.Time) history.Span { return history.Span{From: from, To: to, Step: step} }

func clientOf(t testing.TB, p *promServer) *history.Client {
	c, err := history.New(p.config(), time.Now)
	require.NoError(t, err)
	return c
}
