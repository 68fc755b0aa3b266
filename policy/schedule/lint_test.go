// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLint(t *testing.T) {
	hour := time.Hour
	known := Observations{BaseMin: 5, BaseMax: 50}
	one := func(w ...Window) []*Schedule { return []*Schedule{compileOne(t, "Europe/Berlin", w...)} }
	with := func(spec Spec) []*Schedule {
		spec.Name, spec.TimeZone = "shop", "Europe/Berlin"
		for i := range spec.Windows {
			spec.Windows[i].Name, spec.Windows[i].Duration, spec.Windows[i].MinReplicas = "w", hour, floorOf(6)
		}
		s, err := Compile(spec, nil)
		require.NoError(t, err)
		return []*Schedule{s}
	}
	cases := []struct {
		name  string
		rules []*Schedule
		obs   Observations
		want  string // "": nothing is found
	}{
		{"sound", one(Window{Cron: "0 19 * * *", Duration: 4 * hour, MinReplicas: floorOf(40), RampUp: hour}), known, ""},
		{"jump from the HPA's own", one(Window{Cron: "0 19 * * *", Duration: 4 * hour, MinReplicas: floorOf(11)}), known,
			"at 2026-11-22 19:00 Europe/Berlin the floor jumps from 5 to 11 at once"},
		{"doubling is no jump", one(Window{Cron: "0 19 * * *", Duration: 4 * hour, MinReplicas: floorOf(10)}), known, ""},
		{"nothing known of the HPA", one(Window{Cron: "0 19 * * *", Duration: 4 * hour, MinReplicas: floorOf(400)}), Observations{}, ""},
		{"jump from window to window", one(Window{Cron: "0 19 * * *", Duration: hour, MinReplicas: floorOf(10)}, Window{Cron: "0 20 * * *", Duration: hour, MinReplicas: floorOf(40)}),
			Observations{}, "jumps from 10 to 40"},
		{"over", one(Window{Start: "2026-11-11", Duration: hour}), known, "has been over since 2026-11-11 01:00 CET"},
		{"excluded for good", with(Spec{Exclude: []string{"2026-01-01/2030-01-01"}, Windows: []Window{{Cron: "0 8 * * *"}}}), known, "does not begin within 400 days"},
		{"overlaps itself", one(Window{Cron: "0 * * * *", Duration: 2 * hour, MinReplicas: floorOf(6)}), known, "has not ended when the next one begins"},
		{"skipped start", one(Window{Cron: "30 2 * * *", Duration: hour, MinReplicas: floorOf(6)}), known, "begins at 2027-03-28 03:00 CEST"},
		{"double start", one(Window{Cron: "30 2 * * *", Duration: hour, MinReplicas: floorOf(6)}), known, "at the first, 2027-10-31 02:30 CEST"},
		{"excluded in vain", with(Spec{Exclude: []string{"2026-12-26"}, Windows: []Window{{Cron: "0 8 * * 1-5"}}}), known, "excluding it changes nothing"},
		{"included in vain", with(Spec{Include: []string{"2026-12-26 as Monday"}, Windows: []Window{{Cron: "0 8 * * 2"}}}), known, "no window begins on 2026-12-26"},
		{"above the maximum", one(Window{Cron: "0 19 * * *", Duration: hour, MinReplicas: floorOf(51), RampUp: hour}), known, "capped there (FloorCapped)"},
		{"maximum below the minimum", one(Window{Cron: "0 19 * * *", Duration: hour, MaxReplicas: floorOf(4)}), known, "below the HPA's own minReplicas 5"},
		{"demand without a target", one(Window{Cron: "0 19 * * *", Duration: hour, DemandMilli: new(int64)}), known, "its demand sets no floor"},
		{"two exact counts", one(Window{Cron: "0 19 * * *", Duration: hour, Replicas: floorOf(6)}, Window{Cron: "0 19 * * *", Duration: hour, Replicas: floorOf(7)}), known,
			"it asks for exactly 7 replicas and shop/a for exactly 6"},
		{"never decides", one(Window{Cron: "0 19 * * *", Duration: hour, MinReplicas: floorOf(6)}, Window{Cron: "0 18 * * *", Duration: 3 * hour, MinReplicas: floorOf(7)}), known,
			"never decides a bound: shop/a is on until 2026-11-22 20:00 Europe/Berlin: its minReplicas 6 loses to 7 of shop/b at the same priority"},
		{"floor above another's maximum", one(Window{Cron: "0 19 * * *", Duration: hour, MinReplicas: floorOf(9)}, Window{Cron: "0 19 * * *", Duration: hour, MaxReplicas: floorOf(8)}), known,
			"its maxReplicas 8 is raised to 9, the minReplicas of shop/a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var found []string
			for _, f := range Lint(c.rules, c.obs, benchStart) {
				require.NotEmpty(t, f.Schedule)
				found = append(found, f.Message)
			}
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, strings.Join(found, "\n"), c.want)
		})
	}
}

func TestCircle(t *testing.T) {
	at := func(name string) Target { return Target{Name: name} }
	require.Nil(t, Circle(map[Target][]Target{at("shop"): {at("payment"), at("db")}, at("payment"): {at("db")}}))
	require.Equal(t, []Target{at("db"), at("shop"), at("payment"), at("db")},
		Circle(map[Target][]Target{at("shop"): {at("payment")}, at("payment"): {at("db")}, at("db"): {at("shop")}}))
	require.Equal(t, []Target{at("a"), at("a")}, Circle(map[Target][]Target{at("a"): {at("a")}}))
}
