// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// enforced adds a forecast that asks for a floor of 40 with a newest value of noon.
func (w *world) enforced(change func(*v1alpha1.ScaleForecast)) {
	f := v1alpha1.ScaleForecast{Spec: v1alpha1.ScaleForecastSpec{Mode: v1alpha1.ForecastEnforce, TargetRef: v1alpha1.TargetReference{Name: "shop"}}}
	f.Name, f.Generation = "daily", 3
	f.Status = v1alpha1.ScaleForecastStatus{
		ObservedGeneration: 3, Target: "shop", Effective: v1alpha1.ForecastEnforcing, Floor: number(40), LeadTime: "10m",
		LastValueTime: &metav1.Time{Time: noon},
	}
	change(&f)
	w.forecasts = append(w.forecasts, f)
}

// With points of 5 minutes and a lead time of 10, the loop gives up after 2 hours, and its status is 15 minutes behind.
const countsFor = 2*time.Hour + 15*time.Minute

func TestForecastsCount(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration // noon
		change func(*v1alpha1.ScaleForecast)
		counts bool
		says   string
	}{
		{"fresh", time.Minute, func(*v1alpha1.ScaleForecast) {}, true, ""},
		{"held without values", countsFor - time.Second, func(*v1alpha1.ScaleForecast) {}, true, ""},
		{"left there", countsFor, func(*v1alpha1.ScaleForecast) {}, false, "its newest value is of 2026-11-11T12:00:00Z"},
		{"a month old", 30 * 24 * time.Hour, func(*v1alpha1.ScaleForecast) {}, false, "its newest value is of"},
		{"a longer lead time", 3 * time.Hour, func(f *v1alpha1.ScaleForecast) { f.Status.LeadTime = "30m" }, true, ""},
		{"a lead time above its limit", 9 * time.Hour, func(f *v1alpha1.ScaleForecast) { f.Status.LeadTime = "6h" }, false, "its newest value is of"},
		{"from the far future", -countsFor - time.Second, func(*v1alpha1.ScaleForecast) {}, false, "its newest value is of"},
		{"without a value", 0, func(f *v1alpha1.ScaleForecast) { f.Status.LastValueTime = nil }, false, "no lastValueTime"},
		{"an edited spec of the same HPA", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Generation = 9 }, true, ""},
		{"another HPA before", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Status.Target = "pay" }, false, ""},
		{"a status without a target", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Status.Target = "" }, true, ""},
		{"an old status without a target", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Status.Target, f.Generation = "", 4 }, false, ""},
		{"observing", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Spec.Mode = v1alpha1.ForecastObserve }, false, ""},
		{"disarmed", time.Minute, func(f *v1alpha1.ScaleForecast) { f.Status.Effective = v1alpha1.ForecastDisarmed }, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(10, 100)
			w.enforced(test.change)
			out := w.observe().Decide(noon.Add(test.after))
			require.Equal(t, test.counts, out.Result.Bounds.Min == 40)
			if test.says == "" {
				require.Empty(t, out.Problems)
				return
			}
			require.Len(t, out.Problems, 1)
			require.Contains(t, out.Problems[0], test.says)
		})
	}
}

// One that will never count does not hide when another one no longer does.
func TestForecastThatNeverCountsHidesNoOther(t *testing.T) {
	w := newWorld(10, 100)
	w.enforced(func(*v1alpha1.ScaleForecast) {})
	w.enforced(func(f *v1alpha1.ScaleForecast) { f.Name, f.Status.LastValueTime = "other", nil })
	require.Equal(t, noon.Add(countsFor), w.observe().Decide(noon).Next)
}

// A loop that stops writing leaves its floor in the status. It sinks in steps all the same.
func TestForecastThatIsLeftThereSinks(t *testing.T) {
	w := newWorld(10, 100)
	w.enforced(func(*v1alpha1.ScaleForecast) {})
	out, _ := w.look(noon)
	require.Equal(t, int32(40), out.Result.Bounds.Min)
	require.Equal(t, noon.Add(countsFor), out.Next, "it is looked at when the floor is too old")
	out, _ = w.look(out.Next)
	require.Equal(t, int32(40), out.Result.Bounds.Min, "nothing falls at once")
	out, _ = w.look(noon.Add(countsFor + time.Minute))
	require.Equal(t, int32(36), out.Result.Bounds.Min)
	w.look(noon.Add(countsFor + time.Hour))
	require.Equal(t, int32(10), LiveBounds(w.hpa).Min)
	require.Empty(t, w.hpa.Annotations)
}
