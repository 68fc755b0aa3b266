// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSaveAndLoadContinue(t *testing.T) {
	points := shape(10*288+200, fiveMinutes, daily(31))
	points[2000].Value = 9000 // a flash crowd must not coarsen the rest
	half := 9*288 + 77
	f := trained(t, fourLeads(), points[:half])
	saved := f.Save()
	require.Less(t, len(saved), 10_000, "a few kB")
	g, err := Load(saved)
	require.NoError(t, err)
	require.Equal(t, f.Config(), g.Config())
	for i := half; i < len(points); i++ {
		requireClose(t, f.Predictions(), g.Predictions())
		require.NoError(t, f.Observe(points[i]))
		require.NoError(t, g.Observe(points[i]))
	}
	for i, a := range f.Accuracy() {
		require.Equal(t, a.Outcomes, g.Accuracy()[i].Outcomes)
		require.InDelta(t, a.Coverage, g.Accuracy()[i].Coverage, 0.01)
	}
}

// requireClose allows for a thousandth of the usual range of the series, which is 800.
func requireClose(t *testing.T, want, got []Prediction) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Time, got[i].Time)
		require.InDelta(t, want[i].Value, got[i].Value, 0.8)
		require.InDelta(t, want[i].Upper, got[i].Upper, 1.6)
	}
}

func TestSaveOfYoungForecasters(t *testing.T) {
	for _, n := range []int{0, 1, 2, 50} {
		f := trained(t, fourLeads(), shape(n, fiveMinutes, daily(32)))
		g, err := Load(f.Save())
		require.NoError(t, err)
		requireSound(t, g)
		require.Len(t, g.Predictions(), len(f.Predictions()))
		feed(t, g, []Point{{Time: begin().Add(24 * time.Hour), Value: 5}})
	}
}

func TestEveryCutAndEveryDamageIsAnError(t *testing.T) {
	saved := trained(t, fourLeads(), shape(600, fiveMinutes, daily(33))).Save()
	for n := range len(saved) {
		_, err := Load(saved[:n])
		require.ErrorContains(t, err, "saved state cannot be used")
	}
	for n := range len(saved) {
		damaged := append([]byte(nil), saved...)
		damaged[n] ^= 0x10
		_, err := Load(damaged)
		require.Error(t, err, "byte %d", n)
	}
	_, err := Load(append(append([]byte(nil), saved...), 1, 2, 3, 4))
	require.Error(t, err)
}

func TestLoadRefusesStatesThatNoForecasterHas(t *testing.T) {
	tests := map[string]struct {
		change func(f *Forecaster)
		says   string
	}{
		"a value that is infinite":  {func(f *Forecaster) { f.state.now = math.Inf(1) }, "a number is +Inf"},
		"a value that is no number": {func(f *Forecaster) { f.state.smooth.level = math.NaN() }, "a number is NaN"},
		"a quantile of 2":           {func(f *Forecaster) { f.plan.quantile = 2 }, "quantile is 2"},
		"a count below zero":        {func(f *Forecaster) { f.state.day.seen = -1 }, "a count is -1"},
		"a week of a million steps": {func(f *Forecaster) { f.plan.week = 1e6 }, "out of range"},
		"more leads than it holds":  {func(f *Forecaster) { f.plan.leads = append(f.plan.leads, 2000) }, "ends too early"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := trained(t, fourLeads(), shape(600, fiveMinutes, daily(34)))
			tt.change(f)
			_, err := Load(f.Save())
			require.ErrorContains(t, err, tt.says)
		})
	}
}

// FuzzLoad changes the bytes between the head and the checksum, and makes the checksum right again. Run it with
// -fuzzminimizetime=1x: else most of its time goes into making inputs shorter.
func FuzzLoad(f *testing.F) {
	c := Config{Step: time.Hour, Leads: []time.Duration{time.Hour, 3 * time.Hour}}
	young, err := New(c)
	require.NoError(f, err)
	f.Add(young.Save())
	grown := trained(f, c, shape(400, time.Hour, daily(35)))
	f.Add(grown.Save())
	f.Add([]byte("PLF\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = Load(data)
		if len(data) < 4 {
			return
		}
		body := data[: len(data)-4 : len(data)-4]
		loaded, err := Load(binary.LittleEndian.AppendUint32(body, checksum(body)))
		if err != nil {
			return
		}
		// whatever it says, it must go on, and its figures be finite
		at, _ := loaded.Newest()
		for i := range 5 {
			_ = loaded.Observe(Point{Time: at.Add(time.Duration(i) * loaded.Config().Step), Value: float64(100 * i)})
		}
		_ = loaded.Accuracy()
		again, err := Load(loaded.Save())
		if err == nil {
			_ = again.Predictions()
		}
		for _, p := range loaded.Predictions() {
			require.False(t, math.IsNaN(p.Value) || math.IsNaN(p.Upper), "%+v", p)
		}
	})
}
