// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// demands is a list at noon over members and rules.
type demands struct {
	demand  memberDemand
	catalog *snapshot.Catalog
	all     []members.Member
	err     error
}

func newDemands(t *testing.T, rules ...rule.Rule) *demands {
	t.Helper()
	f := &demands{all: []members.Member{{Name: "berlin"}, {Name: "paris"}}}
	var compiled []*rule.Rule
	for _, r := range rules {
		r.Metric, r.Interval, r.MaxAge, r.Members = r.Key.Name, 10*time.Second, time.Minute, true
		one, err := rule.Compile(r)
		require.NoError(t, err)
		compiled = append(compiled, one)
	}
	store := &snapshot.Store{}
	f.catalog, _ = snapshot.NewCatalog(compiled, nil)
	store.Swap(f.catalog)
	f.demand = memberDemand{store: store, now: func() time.Time { return noon }, members: func() ([]members.Member, error) { return f.all, f.err }}
	return f
}

// says: the members were asked for a rule some time ago, and had samples that were measured some time before noon.
func (f *demands) says(t *testing.T, key rule.Key, asked time.Duration, measured map[string]time.Duration) {
	t.Helper()
	e, parts := f.catalog.Entry(key), map[string]snapshot.Part{}
	for name, ago := range measured {
		b := snapshot.NewBuilder(e.Rule, noon.Add(-asked), nil)
		require.NoError(t, b.Add(source.Sample{Value: 3}))
		if len(e.Rule.Times) > 0 {
			require.NoError(t, b.Add(source.Sample{Value: float64(noon.Add(-ago).Unix()), Labels: []source.Label{{Name: rule.PartLabel, Value: "t0"}}}))
		}
		table, err := b.Table(name)
		require.NoError(t, err)
		parts[name] = snapshot.Part{Table: table}
	}
	e.NoteParts(parts)
	e.Publish(&snapshot.Table{}, snapshot.Outcome{Time: noon.Add(-asked)})
}

func (f *demands) get(t *testing.T) (int, *explain.MemberDemandList) {
	t.Helper()
	w := httptest.NewRecorder()
	f.demand.serve(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	l := &explain.MemberDemandList{}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), l), w.Body)
	return w.Code, l
}

func TestMemberDemandsAreTheNewestSamples(t *testing.T) {
	users, orders, own := rule.Key{Name: "users"}, rule.Key{Name: "orders"}, rule.Key{Namespace: "shop", Name: "secret"}
	f := newDemands(t, rule.Rule{Key: users, Query: "sum(users)"}, rule.Rule{Key: orders, Query: "sum(orders)"}, rule.Rule{Key: own, Query: "sum(secret)"})
	f.says(t, users, 5*time.Second, map[string]time.Duration{"berlin": 9 * time.Second, "paris": 8 * time.Second})
	f.says(t, orders, 2*time.Second, map[string]time.Duration{"berlin": 4 * time.Second})
	f.says(t, own, time.Second, map[string]time.Duration{"berlin": time.Second, "paris": time.Second})
	code, l := f.get(t)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "MemberDemandList query.plimsoll.dev/v1alpha1", l.Kind+" "+l.APIVersion)
	require.Equal(t, noon, l.Time)
	require.Len(t, l.Items, 2)
	require.Equal(t, "berlin", l.Items[0].Metadata.Name)
	require.Equal(t, []explain.DemandSample{
		{Rule: "orders", SampleTime: noon.Add(-4 * time.Second), Evaluated: noon.Add(-2 * time.Second)},
		{Rule: "users", SampleTime: noon.Add(-9 * time.Second), Evaluated: noon.Add(-5 * time.Second)},
	}, l.Items[0].Samples)
	require.Empty(t, l.Items[0].Reason)
	require.Equal(t, []explain.DemandSample{{Rule: "users", SampleTime: noon.Add(-8 * time.Second), Evaluated: noon.Add(-5 * time.Second)}}, l.Items[1].Samples,
		"what a tenant's own rule says of a member is nobody else's business, and keeps it from no failover")
}

func TestMemberDemandsSayWhyThereAreNone(t *testing.T) {
	users, clock := rule.Key{Name: "users"}, rule.Key{Name: "clock"}
	reason := func(f *demands) string {
		t.Helper()
		code, l := f.get(t)
		require.Equal(t, http.StatusOK, code)
		require.Len(t, l.Items, 2)
		return l.Items[1].Reason
	}
	require.Equal(t, "there is no ClusterMetricRule with `members: Sum`", reason(newDemands(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "users"}, Query: "sum(users)"})))

	f := newDemands(t, rule.Rule{Key: clock, Query: "vector(time())"})
	f.says(t, clock, time.Second, map[string]time.Duration{"paris": time.Second})
	require.Equal(t, "the age of the values is not known, of clock", reason(f))

	f = newDemands(t, rule.Rule{Key: users, Query: "sum(users)"})
	require.Equal(t, "nobody reads its rules, which rest: users", reason(f))
	f.says(t, users, 5*time.Second, map[string]time.Duration{"paris": 2 * time.Minute})
	require.Equal(t, "no value has a sample behind it", reason(f))
	f.says(t, users, time.Hour, map[string]time.Duration{"paris": time.Hour})
	require.Equal(t, "nobody reads its rules, which rest: users", reason(f))
	f.catalog.Entry(users).NoteParts(map[string]snapshot.Part{"paris": {Err: source.ErrTimeout}})
	require.Equal(t, "ClusterMetricRule/users: the source did not answer in time", reason(f))
	f.says(t, users, 5*time.Second, map[string]time.Duration{"paris": 6 * time.Second})
	require.Empty(t, reason(f))
	f.all[0].View, f.all[1].View = "same", "same"
	require.Equal(t, "its metric source is that of berlin too, and nobody can tell whose samples come in", reason(f))
	_, l := f.get(t)
	require.Empty(t, l.Items[1].Samples)
	f.all[0].View = "another"
	require.Empty(t, reason(f))
	f.all[1].External = &source.External{}
	require.Contains(t, reason(f), "external metrics")
	_, l = f.get(t)
	require.Empty(t, l.Items[1].Samples, "they may be stamped with the time of the answer")
	f.all[1].External = nil
	f.all[1].Problem = errors.New("there is no Secret")
	require.Equal(t, "there is no Secret", reason(f))
	f.all[1].Failed = true
	require.Equal(t, "it was declared Failed, so its metrics are not asked for", reason(f))

	f.all, f.err = nil, members.ErrNone
	var code int
	code, l = f.get(t)
	require.Equal(t, http.StatusOK, code)
	require.Empty(t, l.Items)
	f.err = errors.New("not known yet")
	code, _ = f.get(t)
	require.Equal(t, http.StatusServiceUnavailable, code)
}

// However many rules there are, the answer stays small.
func TestMemberDemandsAreFew(t *testing.T) {
	var rules []rule.Rule
	for i := range 3 * samplesShown {
		rules = append(rules, rule.Rule{Key: rule.Key{Name: string(rune('a'+i%26)) + string(rune('a'+i/26))}, Query: "sum(users)"})
	}
	f := newDemands(t, rules...)
	for i, r := range rules {
		f.says(t, r.Key, time.Second, map[string]time.Duration{"paris": time.Duration(2+i) * time.Second})
	}
	_, l := f.get(t)
	require.Len(t, l.Items[1].Samples, samplesShown)
	require.Equal(t, rules[0].Key.Name, l.Items[1].Samples[0].Rule)
}

// Only admins read the list: it tells where a source is that fails.
func TestMemberDemandsTellTheDetail(t *testing.T) {
	users := rule.Key{Name: "users"}
	f := newDemands(t, rule.Rule{Key: users, Query: "sum(users)"})
	gone := nobody(t)
	r, err := source.NewRemote(source.Options{URL: "http://" + gone, Name: "Prometheus of member paris"})
	require.NoError(t, err)
	err = r.Instant(t.Context(), source.Query{Expr: "up", Time: noon}, func(source.Sample) error { return nil })
	require.ErrorIs(t, err, source.ErrUnreachable)
	require.NotContains(t, err.Error(), gone)
	f.catalog.Entry(users).NoteParts(map[string]snapshot.Part{"paris": {Err: err}})
	_, l := f.get(t)
	require.Contains(t, l.Items[1].Reason, gone)
}

// nobody is an address at which nobody listens, and nobody else will: it is the near end of a connection.
func nobody(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	connection, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close()) })
	return connection.LocalAddr().String()
}
