// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// clusters is a fleet of which a test says what each member answers.
type clusters struct {
	loop  *Loop
	entry *snapshot.Entry
	now   time.Time
	all   map[string]*cluster
}

type cluster struct {
	scripted
	state members.Member
}

func newClusters(t *testing.T, r rule.Rule, names ...string) *clusters {
	t.Helper()
	r.Key, r.Metric, r.Interval, r.Members = rule.Key{Namespace: "shop", Name: "users"}, "users", 10*time.Second, true
	if r.MaxAge == 0 {
		r.MaxAge = time.Minute
	}
	compiled, err := rule.Compile(r)
	require.NoError(t, err)
	catalog, _ := snapshot.NewCatalog([]*rule.Rule{compiled}, nil)
	c := &clusters{entry: catalog.Entry(r.Key), now: time.Unix(1_800_000_000, 0), all: map[string]*cluster{}}
	var order []*cluster
	for _, name := range names {
		one := &cluster{}
		one.state = members.Member{Name: name, Source: &one.scripted}
		c.all[name], order = one, append(order, one)
	}
	c.loop = &Loop{members: func() ([]members.Member, error) {
		var all []members.Member
		for _, one := range order {
			all = append(all, one.state)
		}
		if len(all) == 0 {
			return nil, members.ErrNone
		}
		return all, nil
	}}
	return c
}

// say makes a member answer with a value that was measured some time ago.
func (c *clusters) say(name string, value float64, ago time.Duration, labels ...source.Label) {
	measured := float64(c.now.Add(-ago).Unix())
	c.all[name].does(func(_ context.Context, each func(source.Sample) error) error {
		if err := each(source.Sample{Value: value, Labels: append([]source.Label{{Name: rule.PartLabel, Value: rule.PartValue}}, labels...)}); err != nil {
			return err
		}
		return each(source.Sample{Value: measured, Labels: []source.Label{{Name: rule.PartLabel, Value: "t0"}}})
	})
}

func (c *clusters) silence(name string) {
	c.all[name].does(func(context.Context, func(source.Sample) error) error { return source.ErrUnreachable })
}

// evaluate lets some time pass and evaluates, as the loop does.
func (c *clusters) evaluate(after time.Duration) ([]snapshot.Row, error) {
	c.now = c.now.Add(after)
	table, _, err := c.loop.sum(context.Background(), c.entry, c.now)
	if err != nil {
		c.entry.Fail(snapshot.Outcome{Time: c.now, Err: err})
		return nil, err
	}
	c.entry.Publish(table, snapshot.Outcome{Time: c.now})
	return table.Rows(), nil
}

func TestSumOfMembers(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
	c.say("berlin", 100, 5*time.Second)
	c.say("paris", 50, 20*time.Second)
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, 150.0, rows[0].Value)
	require.Equal(t, c.now.Add(-20*time.Second).Unix(), rows[0].Time.Unix(), "as old as the oldest of all")
	require.Empty(t, rows[0].Labels)
	require.Equal(t, "members berlin, paris", c.entry.Table().Source)
}

// Series are told apart by their labels in every member alike; one that only some members have counts as 0 elsewhere.
func TestSumOfMembersByLabel(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum by (tier) (users)"}, "berlin", "paris")
	gold, basic := source.Label{Name: "tier", Value: "gold"}, source.Label{Name: "tier", Value: "basic"}
	c.say("berlin", 1, 0, gold)
	c.say("paris", 2, 0, basic)
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	c.say("paris", 4, 0, gold)
	c.now = c.now.Add(time.Hour) // what paris had as basic is long past
	c.say("berlin", 1, 0, gold)
	c.say("paris", 4, 0, gold)
	rows, err = c.evaluate(0)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, 5.0, rows[0].Value)
}

// A member that is silent, for whatever reason, counts with its last value while that may be served; then nothing does.
func TestSilentMemberCountsUntilMaxAge(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
	c.say("berlin", 100, 0)
	c.say("paris", 50, 0)
	_, err := c.evaluate(0)
	require.NoError(t, err)
	measured := c.now

	c.silence("paris")
	c.now = measured.Add(59 * time.Second)
	c.say("berlin", 70, 0)
	rows, err := c.evaluate(time.Second)
	require.NoError(t, err)
	require.Equal(t, 120.0, rows[0].Value)
	require.Equal(t, measured.Unix(), rows[0].Time.Unix())

	_, err = c.evaluate(time.Second)
	require.ErrorIs(t, err, source.ErrUnreachable)
	require.ErrorContains(t, err, "member paris")
	require.Equal(t, 120.0, c.entry.Table().Rows()[0].Value, "what was known stays, and grows old")
}

// What each member says is known also while there is no sum, because another one is silent for too long.
func TestPartsWithoutASum(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
	c.say("berlin", 100, 0)
	c.silence("paris")
	_, err := c.evaluate(0)
	require.Error(t, err)
	parts := c.entry.Parts()
	require.NoError(t, parts["berlin"].Err)
	require.Equal(t, 100.0, parts["berlin"].Table.Rows()[0].Value)
	require.Nil(t, parts["paris"].Table)
	require.ErrorIs(t, parts["paris"].Err, source.ErrUnreachable)

	c.say("paris", 50, 0)
	_, err = c.evaluate(time.Second)
	require.NoError(t, err)
	c.silence("paris")
	_, err = c.evaluate(10 * time.Second)
	require.NoError(t, err)
	require.Equal(t, c.now.Add(-10*time.Second), c.entry.Parts()["paris"].Table.Evaluated, "it counts with what it said last")
	require.ErrorIs(t, c.entry.Parts()["paris"].Err, source.ErrUnreachable)
	c.all["paris"].state.Failed = true
	_, err = c.evaluate(0)
	require.NoError(t, err)
	require.NotContains(t, c.entry.Parts(), "paris")
}

// A member that was declared failed counts as 0, and the value says so.
func TestFailedMemberCountsAsNothing(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
	c.say("berlin", 100, 0)
	c.say("paris", 50, 0)
	_, err := c.evaluate(0)
	require.NoError(t, err)
	c.all["paris"].state.Failed = true
	rows, err := c.evaluate(time.Second)
	require.NoError(t, err)
	require.Equal(t, 100.0, rows[0].Value)
	require.Equal(t, []source.Label{{Name: snapshot.IncompleteLabel, Value: "paris"}}, rows[0].Labels)
	require.Equal(t, "members berlin, without paris", c.entry.Table().Source)

	c.all["paris"].state.Failed = false
	rows, err = c.evaluate(time.Second)
	require.NoError(t, err)
	require.Equal(t, 150.0, rows[0].Value)
	require.Empty(t, rows[0].Labels)
}

// The names of failed members come in one order, so that a value's labels do not change with that of the members.
func TestFailedMembersAreNamedInOrder(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "rome", "paris", "berlin")
	c.say("paris", 50, 0)
	c.all["rome"].state.Failed, c.all["berlin"].state.Failed = true, true
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Equal(t, []source.Label{{Name: snapshot.IncompleteLabel, Value: "berlin,rome"}}, rows[0].Labels)
}

// Whatever fails, there is no sum that lacks a member without a word.
func TestNoSumWithoutAMember(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
	c.say("berlin", 100, 0)
	c.silence("paris")
	_, err := c.evaluate(0)
	require.ErrorContains(t, err, "member paris")

	c.all["paris"].state.Source, c.all["paris"].state.Problem = nil, source.ErrRefused
	_, err = c.evaluate(0)
	require.ErrorIs(t, err, source.ErrRefused)

	c = newClusters(t, rule.Rule{Query: "sum(users) or vector(0)"}, "berlin")
	c.all["berlin"].does(one) // a value, and no sample behind it
	_, err = c.evaluate(0)
	require.ErrorIs(t, err, snapshot.ErrNoSample)

	c = newClusters(t, rule.Rule{Query: "sum(users)", Guard: "avg(up) > 0.8"}, "berlin", "paris")
	c.say("berlin", 100, 0) // without a row for the guard, which therefore does not hold
	c.say("paris", 50, 0)
	_, err = c.evaluate(0)
	require.ErrorIs(t, err, snapshot.ErrGuard)

	c = newClusters(t, rule.Rule{Query: "sum(users)"})
	_, err = c.evaluate(0)
	require.ErrorIs(t, err, members.ErrNone)
}
