// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"log/slog"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/plimsoll/plimsoll/manifests"
)

// alert is one alerting rule of the component monitoring.
type alert struct {
	expr, hold          string
	labels, annotations map[string]string
}

// alerts are the rules of the component monitoring by name.
func alerts(t *testing.T) map[string]alert {
	t.Helper()
	objects, err := manifests.RenderWith("base", "components/monitoring")
	require.NoError(t, err)
	found := map[string]alert{}
	for _, object := range objects {
		if object.GetKind() != "PrometheusRule" {
			continue
		}
		groups, _, err := unstructured.NestedSlice(object.Object, "spec", "groups")
		require.NoError(t, err)
		for _, group := range groups {
			for _, one := range group.(map[string]any)["rules"].([]any) {
				rule := one.(map[string]any)
				words := func(field string) map[string]string {
					all, _, err := unstructured.NestedStringMap(rule, field)
					require.NoError(t, err)
					return all
				}
				name := rule["alert"].(string)
				require.NotContains(t, found, name)
				found[name] = alert{rule["expr"].(string), rule["for"].(string), words("labels"), words("annotations")}
			}
		}
	}
	return found
}

// fires evaluates a rule every minute and returns who it fires for at the end: the summaries.
func (a alert) fires(t *testing.T, name, series string, minutes int) []string {
	t.Helper()
	loader, err := promqltest.NewLazyLoader("load 1m\n"+series, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	require.NoError(t, err, series)
	t.Cleanup(func() { require.NoError(t, loader.Close()) })
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(a.expr)
	require.NoError(t, err)
	hold, err := model.ParseDuration(a.hold)
	require.NoError(t, err)
	rule := rules.NewAlertingRule(name, expr, time.Duration(hold), 0, labels.FromMap(a.labels), labels.FromMap(a.annotations),
		labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	query := rules.EngineQueryFunc(loader.QueryEngine(), loader.Queryable())
	for minute := range minutes + 1 {
		at := time.Unix(0, 0).UTC().Add(time.Duration(minute) * time.Minute)
		loader.WithSamplesTill(at, func(err error) { require.NoError(t, err) })
		_, err := rule.Eval(loader.Context(), 0, at, query, &url.URL{}, 0)
		require.NoError(t, err)
	}
	var summaries []string
	for _, one := range rule.ActiveAlerts() {
		if one.State == rules.StateFiring {
			summaries = append(summaries, one.Annotations.Get("summary"))
		}
	}
	slices.Sort(summaries)
	return summaries
}

// Every alert has a case in which it fires and one in which it must not.
func TestAlerts(t *testing.T) {
	const up, leader = `up{job="plimsoll-scaler",pod="a"} 1x30`, "leader_election_master_status"
	tests := []struct {
		alert, name, series string
		minutes             int
		want                []string
	}{
		{"PlimsollAdapterDown", "both down", `up{job="plimsoll-adapter",pod="a"} 0x30`, 3, []string{"No replica of the Plimsoll adapter can be scraped."}},
		{"PlimsollAdapterDown", "one of two down", `up{job="plimsoll-adapter",pod="a"} 0x30` + "\n" + `up{job="plimsoll-adapter",pod="b"} 1x30`, 10, nil},
		{"PlimsollValuesTooOld", "read and stale", `plimsoll_rule_demanded{kind="MetricRule",namespace="shop",rule="users"} 1x30` + "\n" + `plimsoll_rule_fresh{kind="MetricRule",namespace="shop",rule="users"} 0x30`, 3,
			[]string{"MetricRule shop/users has no value that may be served."}},
		{"PlimsollValuesTooOld", "stale, but nobody reads", `plimsoll_rule_demanded{rule="users"} 0x30` + "\n" + `plimsoll_rule_fresh{rule="users"} 0x30`, 10, nil},
		{"PlimsollEvaluationsFail", "all fail", `plimsoll_evaluations_total{kind="MetricRule",namespace="shop",rule="users",result="QueryFailed"} 0+6x30`, 12,
			[]string{"More than half of the evaluations of MetricRule shop/users fail: QueryFailed."}},
		{"PlimsollEvaluationsFail", "one in ten fails", `plimsoll_evaluations_total{rule="users",result="QueryFailed"} 0+1x30` + "\n" + `plimsoll_evaluations_total{rule="users",result="OK"} 0+9x30`, 12, nil},

		{"PlimsollScalerDown", "never seen", `up{job="other"} 1x30`, 3, []string{"No replica of the Plimsoll scaler can be scraped."}},
		{"PlimsollScalerDown", "standby is enough", up + "\n" + `up{job="plimsoll-scaler",pod="b"} 0x30`, 10, nil},
		{"PlimsollScalerDown", "a restart", `up{job="plimsoll-scaler",pod="a"} 1x5 0 1x20`, 6, nil},
		{"PlimsollScalerWithoutLeader", "two standbys", up + "\n" + leader + `{job="plimsoll-scaler",pod="a"} 0x30` + "\n" + leader + `{job="plimsoll-scaler",pod="b"} 0x30`, 5,
			[]string{"Plimsoll scalers run, but none of them leads."}},
		{"PlimsollScalerWithoutLeader", "no such metric", up, 5, []string{"Plimsoll scalers run, but none of them leads."}},
		{"PlimsollScalerWithoutLeader", "one leads", up + "\n" + leader + `{job="plimsoll-scaler",pod="a"} 0x30` + "\n" + leader + `{job="plimsoll-scaler",pod="b"} 1x30`, 10, nil},
		{"PlimsollScalerWithoutLeader", "a change of leader", up + "\n" + leader + `{job="plimsoll-scaler",pod="a"} 1x5 0x2 1x20`, 7, nil},
		{"PlimsollScalerWithoutLeader", "nothing runs", `up{job="plimsoll-scaler",pod="a"} 0x30`, 10, nil},
		{"PlimsollWritesFail", "one a minute", `plimsoll_scaler_writes_total{result="error"} 0+1x30`, 15, []string{"The API server refuses changes of HPAs by Plimsoll."}},
		{"PlimsollWritesFail", "one, and conflicts", `plimsoll_scaler_writes_total{result="error"} 0x5 1x25` + "\n" + `plimsoll_scaler_writes_total{result="conflict"} 0+9x30`, 15, nil},
		{"PlimsollBoundsReverted", "contested", `plimsoll_hpa_reverted{namespace="shop",hpa="web",pod="a"} 1x30` + "\n" + `plimsoll_hpa_reverted{namespace="shop",hpa="api",pod="a"} 0x30`, 2,
			[]string{"Somebody writes back the bounds of HPA shop/web."}},
		{"PlimsollFloorNotReached", "for long", `plimsoll_condition{kind="ScaleSchedule",namespace="shop",name="evening",status="False",reason="FloorNotReached"} 1x30`, 11,
			[]string{"ScaleSchedule shop/evening: fewer pods are Ready than its floor asks for."}},
		{"PlimsollFloorNotReached", "while pods start", `plimsoll_condition{kind="ScaleSchedule",namespace="shop",name="evening",reason="FloorNotReached"} 1x5 _x30`, 20, nil},
		{"PlimsollScheduleDoesNotWork", "invalid", `plimsoll_condition{kind="ScaleSchedule",namespace="shop",name="evening",status="False",reason="Invalid",pod="a"} 1x30` + "\n" + `plimsoll_condition{kind="ScaleSchedule",namespace="shop",name="evening",status="False",reason="Invalid",pod="b"} 1x30`, 6,
			[]string{"ScaleSchedule shop/evening does not work: Invalid."}},
		{"PlimsollScheduleDoesNotWork", "works, is paused or another kind", `plimsoll_condition{kind="ScaleSchedule",name="a",status="True",reason="Active"} 1x30` + "\n" + `plimsoll_condition{kind="ScaleSchedule",name="b",status="False",reason="Paused"} 1x30` + "\n" + `plimsoll_condition{kind="ScaleForecast",name="c",status="False",reason="NoGain"} 1x30`, 20, nil},
		{"PlimsollForecastDisarmed", "enforced and not trusted", `plimsoll_condition{kind="ScaleForecast",namespace="shop",name="web",status="False",reason="CoverageLow",mode="Enforce",effective="Disarmed"} 1x60`, 31,
			[]string{"ScaleForecast shop/web is to be enforced but is not trusted: CoverageLow."}},
		{"PlimsollForecastDisarmed", "observes or learns", `plimsoll_condition{kind="ScaleForecast",name="a",reason="CoverageLow",mode="Observe",effective="Disarmed"} 1x60` + "\n" + `plimsoll_condition{kind="ScaleForecast",name="b",reason="Learning",mode="Enforce",effective="Disarmed"} 1x60`, 50, nil},
		{"PlimsollMemberFailed", "one of two", `plimsoll_condition{kind="MemberCluster",name="berlin",status="False",reason="Unreachable",effective="Failed"} 1x30` + "\n" + `plimsoll_condition{kind="MemberCluster",name="paris",status="True",reason="Answers",effective="Healthy"} 1x30`, 1,
			[]string{"Member cluster berlin has failed: Unreachable."}},
		{"PlimsollMemberFailed", "not known yet", `plimsoll_condition{kind="MemberCluster",name="berlin",status="False",reason="Unreachable",effective="Suspect"} 1x30`, 20, nil},
		{"PlimsollMemberCredential", "expired", `plimsoll_condition{kind="MemberCluster",name="berlin",status="False",reason="Unauthorized",effective="Suspect"} 1x30`, 2,
			[]string{"The hub cannot use its credential for member cluster berlin: Unauthorized."}},
		{"PlimsollMemberCredential", "dead", `plimsoll_condition{kind="MemberCluster",name="berlin",status="False",reason="Unreachable",effective="Failed"} 1x30`, 20, nil},
		{"PlimsollHubSuspectsItself", "for long", `plimsoll_hub_suspects_itself{pod="a"} 1x30` + "\n" + `plimsoll_hub_suspects_itself{pod="b"} 0x30`, 3,
			[]string{"Most member clusters cannot be asked at once, so the hub suspects itself: its network, proxy, clock or credentials."}},
		{"PlimsollHubSuspectsItself", "a moment, and never", `plimsoll_hub_suspects_itself{pod="a"} 0x3 1x1 0x30`, 5, nil},
		{"PlimsollTakenByAnother", "a cluster and a workload", `plimsoll_condition{kind="MemberCluster",name="berlin-2",status="False",reason="DuplicateCluster",pod="a"} 1x30` + "\n" +
			`plimsoll_condition{kind="FederatedScale",namespace="live",name="shop",status="False",reason="TargetTaken",pod="a"} 1x30`, 6, []string{
			"FederatedScale live/shop does nothing, as another has what it names: TargetTaken.",
			"MemberCluster berlin-2 does nothing, as another has what it names: DuplicateCluster.",
		}},
		{"PlimsollTakenByAnother", "the one that has it", `plimsoll_condition{kind="FederatedScale",namespace="live",name="shop",status="True",reason="Divided"} 1x30`, 20, nil},
		{"PlimsollReplicasUnplaced", "for long", `plimsoll_condition{kind="FederatedScale",namespace="live",name="shop",status="False",reason="Unplaced",mode="Enforce"} 1x30`, 6,
			[]string{"No member cluster takes all replicas of FederatedScale live/shop."}},
		{"PlimsollReplicasUnplaced", "placed", `plimsoll_condition{kind="FederatedScale",namespace="live",name="shop",status="True",reason="Divided"} 1x30`, 20, nil},
		{"PlimsollReserveShort", "for long", `plimsoll_condition{kind="Headroom",name="default",status="False",reason="Short",mode="Enforce"} 1x30`, 16,
			[]string{"Headroom default is not what it should be: Short."}},
		{"PlimsollReserveShort", "only observes, or fills", `plimsoll_condition{kind="Headroom",name="a",status="False",reason="Short",mode="Observe"} 1x60` + "\n" + `plimsoll_condition{kind="Headroom",name="b",status="Unknown",reason="Filling",mode="Enforce"} 1x60`, 50, nil},
	}
	all := alerts(t)
	fired := map[string]bool{}
	for _, test := range tests {
		t.Run(test.alert+"/"+test.name, func(t *testing.T) {
			require.Contains(t, all, test.alert)
			require.Equal(t, test.want, all[test.alert].fires(t, test.alert, test.series, test.minutes))
			fired[test.alert] = fired[test.alert] || test.want != nil
		})
	}
	for name, one := range all {
		require.True(t, fired[name], "no test in which %s fires", name)
		require.NotEmpty(t, one.annotations["summary"], name)
		require.NotEmpty(t, one.annotations["description"], name)
		require.Contains(t, []string{"critical", "warning"}, one.labels["severity"], name)
	}
}
