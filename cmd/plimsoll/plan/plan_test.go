// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// days is a demand with a peak every evening, every 5 minutes.
func days(n int) Trace {
	t := Trace{Name: "days.csv"}
	for i := range n * 288 {
		hour := float64(i%288) / 12
		value := 1000 + 800*math.Sin((hour-13)/24*2*math.Pi)
		if hour >= 19 && hour < 21 {
			value += 2500
		}
		t.Points = append(t.Points, forecast.Point{Time: monday.Add(time.Duration(i) * 5 * time.Minute), Value: value})
	}
	return t
}

func outcome(t *testing.T, r Result, name string) Outcome {
	t.Helper()
	for _, o := range r.Policies {
		if o.Name == name {
			return o
		}
	}
	require.Failf(t, "missing", "no policy %s", name)
	return Outcome{}
}

func TestPlanOfAnEveningPeak(t *testing.T) {
	r, err := Make(Input{Trace: days(16)})
	require.NoError(t, err)
	plain, predicted := outcome(t, r, PlainHPA), outcome(t, r, WithForecast)
	require.Greater(t, plain.ShortMinutes, 50.0, "the evening comes as a surprise to the HPA")
	require.Less(t, predicted.ShortMinutes, plain.ShortMinutes/4)
	require.Less(t, outcome(t, r, WeekAgo).ShortMinutes, plain.ShortMinutes/4)
	require.Zero(t, outcome(t, r, Oracle).ShortMinutes)
	require.Zero(t, outcome(t, r, FixedMaximum).ShortMinutes)
	require.Less(t, outcome(t, r, Oracle).ReplicaHours, plain.ReplicaHours)
	require.NotEqual(t, PlainHPA, r.Recommendation.Policy)
	require.Equal(t, "5m", r.Step)
	require.Equal(t, "15m", r.Lead)
	require.Nil(t, plain.Cost)

	again, err := Make(Input{Trace: days(16)})
	require.NoError(t, err)
	require.Equal(t, r, again)
}

func manifests(t *testing.T, names ...string) Manifests {
	t.Helper()
	var m Manifests
	for _, name := range names {
		text, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		require.NoError(t, m.Read(name, text))
	}
	return m
}

func TestPlanWithManifestsAndPrices(t *testing.T) {
	in := Input{Trace: days(16), Manifests: manifests(t, "evening.yaml"), Prices: Prices{CPU: 0.04, Memory: 0.005}}
	r, err := Make(in)
	require.NoError(t, err)
	require.Equal(t, 100.0, r.Target)
	require.Equal(t, 125.0, r.Capacity)
	scheduled := outcome(t, r, WithSchedules)
	require.Zero(t, scheduled.ShortMinutes, "the window knows the evening")
	plain := outcome(t, r, PlainHPA)
	require.InDelta(t, plain.ReplicaHours*(0.5*0.04+1*0.005), *plain.Cost, 1e-6)
	more := (*scheduled.Cost - *plain.Cost) / (plain.ShortMinutes - scheduled.ShortMinutes)
	require.InDelta(t, more, *scheduled.CostPerAvoidedMinute, 1e-9)
	require.Equal(t, 0.9, r.Quantile, "of the ScaleForecast")
	outcome(t, r, WithBoth)

	var table bytes.Buffer
	require.NoError(t, r.WriteTable(&table))
	require.Contains(t, table.String(), "hpa+schedules+forecast")
	require.Contains(t, table.String(), r.Recommendation.Reason)
}

func TestOutputs(t *testing.T) {
	trace := days(8)
	trace.Name = `<script>alert("x")</script>`
	r, err := Make(Input{Trace: trace, Prices: Prices{CPU: 1}})
	require.NoError(t, err)

	var page bytes.Buffer
	require.NoError(t, r.WriteReport(&page, monday, "USD"))
	html := page.String()
	require.NotContains(t, html, "<script")
	require.Equal(t, 2*5, strings.Count(html, "<svg"), "every chart for a desk and for a phone")
	require.NotRegexp(t, regexp.MustCompile(`(src|href)=|url\(|@import|NaN|Inf`), html, "it needs no network and has no broken number")

	var text bytes.Buffer
	require.NoError(t, r.WriteJSON(&text))
	var back map[string]any
	require.NoError(t, json.Unmarshal(text.Bytes(), &back))
	for _, key := range strings.Fields("step lead points wape wapeNaive coverage coverageTopDecile overprovision cpuMicrosPerPoint policies recommendation") {
		require.Contains(t, back, key)
	}
	for _, key := range strings.Fields("name deficientReplicaMinutes replicaHours unservedShare timeShort") {
		require.Contains(t, back["policies"].([]any)[0], key)
	}
}

func TestReadTrace(t *testing.T) {
	for text, want := range map[string]string{
		"time,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:05:00+00:00, 2\n":                     "2 points, 0 notes",
		"1767571200,1\n1767571500.5,2\n":                                                         "2 points, 0 notes",
		"2026-01-05 00:00:00,1\n2026-01-05 00:05,2\n":                                            "2 points, 0 notes",
		"t,v\n2026-01-05T00:05:00Z,1\n2026-01-05T00:00:00Z,2\n":                                  "2 points, 1 notes",
		"t,v\n2026-01-05T00:00:00Z,\n2026-01-05T00:05:00Z,NaN\n2026-01-05T00:10:00Z,-3\n# end\n": "1 points, 2 notes",
	} {
		trace, err := ReadTrace("x.csv", strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, fmt.Sprintf("%d points, %d notes", len(trace.Points), len(trace.Notes)), text)
	}
	for text, want := range map[string]string{
		"":                                       "x.csv: it has no line of time,value",
		"time,value\n":                           "x.csv: it has no line",
		"time,value\nnow,3\n":                    `x.csv:2: the time "now" is neither`,
		"time,value\n2026-01-05T00:00:00Z,x\n":   `x.csv:2: the value "x" is not a number`,
		"a,b\n2026-01-05T00:00:00Z,Inf\n":        "x.csv:2: the value",
		"a,b\n2026-01-05T00:00:00Z,1e300\n":      "x.csv:2: the value",
		"a,b\n2026-01-05T00:00:00Z\n":            "x.csv:2: the line has 1 field",
		"a,b\n0001-01-05T00:00:00Z,1\n":          "is not between 1970 and 2200",
		"a,b\n1e99,1\n":                          "x.csv:2: the time",
		"a,b\n\"2026-01-05T00:00:00Z,1\n":        "x.csv:2: it is not a line of time,value",
		"Lorem ipsum\ndolor sit amet, etc, pp\n": "x.csv:2: the line has 3 fields",
	} {
		_, err := ReadTrace("x.csv", strings.NewReader(text))
		require.ErrorContains(t, err, want, "%q", text)
	}
}

func TestWhatCannotBePlanned(t *testing.T) {
	flat := func(value float64, n int) Trace {
		trace := Trace{Name: "flat.csv"}
		for i := range n {
			trace.Points = append(trace.Points, forecast.Point{Time: monday.Add(time.Duration(i) * time.Minute), Value: value})
		}
		return trace
	}
	for want, in := range map[string]Input{
		"flat.csv: it has a single point":     {Trace: flat(3, 1)},
		"flat.csv: it has 10 steps of 1m0s":   {Trace: flat(3, 10)},
		"flat.csv: the demand is always 0":    {Trace: flat(0, 100)},
		"--quantile 1 is not":                 {Trace: flat(3, 100), Quantile: 1},
		"--lead 25h0m0s is not":               {Trace: flat(3, 100), Lead: 25 * time.Hour},
		"longer than the half of the history": {Trace: flat(3, 100), Lead: 2 * time.Hour},
		"--capacity -1 is not":                {Trace: flat(3, 100), Capacity: -1},
		"times what a replica serves":         {Trace: flat(3, 100), Capacity: 1e-9},
		"has a target of type Value":          {Trace: flat(3, 100), Manifests: manifests(t, "value.yaml")},
	} {
		_, err := Make(in)
		require.ErrorContains(t, err, want)
	}
	r, err := Make(Input{Trace: flat(3, 100)})
	require.NoError(t, err, "a constant demand can be planned")
	require.Equal(t, PlainHPA, r.Recommendation.Policy)
}

func TestManifestErrors(t *testing.T) {
	hpa := "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: a}}\n"
	for text, want := range map[string]string{
		"apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler": `f.yaml:1: the HPA  has the apiVersion "autoscaling/v2beta2"`,
		hpa + "---\n" + hpa:                            "f.yaml:6: it is the second HPA",
		strings.Replace(hpa, "3", "0", 1):              "maxReplicas is 0",
		strings.Replace(hpa, "maxReplicas", "maxx", 1): `unknown field "maxx"`,
		"a: [": "is not YAML",
		"a: b": "apiVersion and kind are required",
		"kind: ScaleSchedule\napiVersion: plimsoll.dev/v1alpha1\nmetadata: {name: s}\nspec: {timeZone: Mars/Base, windows: []}": "the ScaleSchedule s: ",
		strings.Replace(hpa, "maxReplicas: 3,", "maxReplicas: 3, metrics: [{type: Pods}],", 1):                                  "metrics[0]: the type",
	} {
		var m Manifests
		require.ErrorContains(t, m.Read("f.yaml", []byte(text)), want)
	}
	var m Manifests
	require.NoError(t, m.Read("f.yaml", []byte(hpa+"---\n---\nkind: Service\napiVersion: v1\nmetadata: {name: x}\n")))
	require.Contains(t, m.Notes, "Service x is not used")
	require.Equal(t, int64(80), m.HPA.Metrics[0].Goal, "the API server's default metric")
}

func TestErrorsOfTheHPANameItsPlace(t *testing.T) {
	hpa := "\n\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: a}}\n"
	var m Manifests
	require.NoError(t, m.Read("f.yaml", []byte(hpa)))
	_, err := Make(Input{Trace: days(8), Manifests: m})
	require.ErrorContains(t, err, "f.yaml:3: the HPA has no metrics")
	require.NotContains(t, err.Error(), "\n")
}

func TestUnitsDoNotMatter(t *testing.T) {
	want, err := Make(Input{Trace: days(8)})
	require.NoError(t, err)
	for _, unit := range []float64{1e-9, 1e-3, 1e6} {
		trace := days(8)
		for i := range trace.Points {
			trace.Points[i].Value *= unit
		}
		got, err := Make(Input{Trace: trace})
		require.NoError(t, err)
		for i := range want.Policies {
			require.InEpsilon(t, want.Policies[i].ReplicaHours, got.Policies[i].ReplicaHours, 0.01, "%s, unit %g", want.Policies[i].Name, unit)
		}
	}
}

func TestContradictionsAreNotes(t *testing.T) {
	schedules := `
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: up}
spec:
  targetRef: {kind: HorizontalPodAutoscaler, name: other}
  timeZone: UTC
  windows: [{name: day, schedule: "0 9 * * *", duration: 8h, minReplicas: 40}]
---
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: down}
spec:
  targetRef: {kind: HorizontalPodAutoscaler, name: shop}
  timeZone: UTC
  priority: 5
  windows: [{name: day, schedule: "0 9 * * *", duration: 8h, maxReplicas: 3}]
`
	m := manifests(t, "evening.yaml")
	require.NoError(t, m.Read("both.yaml", []byte(schedules)))
	r, err := Make(Input{Trace: days(8), Manifests: m})
	require.NoError(t, err)
	notes := strings.Join(r.Notes, "\n")
	require.Contains(t, notes, "ScaleSchedule up is for the HPA other")
	require.Regexp(t, "ScaleSchedule up, window day: .*3, the maxReplicas of down/day", notes)
}

func FuzzReadTrace(f *testing.F) {
	f.Add("time,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:05:00Z,2\n")
	f.Add("1,2\n2,3\n\"")
	f.Add("a;b\n1e9,nan\n-5,1\n# c\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := ReadTrace("f.csv", strings.NewReader(text))
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for _, p := range trace.Points {
			require.True(t, p.Value >= 0 && p.Value <= 1e15)
		}
	})
}
