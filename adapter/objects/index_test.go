// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

// fleet is the plain model that the index must agree with.
type fleet map[string]map[string]map[string]string // namespace -> name -> labels

func (f fleet) names(namespace string, s labels.Selector) []string {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(f[namespace])) {
		if s.Matches(labels.Set(f[namespace][name])) {
			out = append(out, name)
		}
	}
	return out
}

func drawLabels(t *rapid.T) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom([]string{"app", "tier", "n", "hash"}), rapid.SampledFrom([]string{"", "a", "b", "3", "7", "x"}), 0, 4).Draw(t, "labels")
}

func drawSelector(t *rapid.T) labels.Selector {
	term := rapid.SampledFrom([]string{
		"app=a", "app==b", "app!=a", "app in (a,b,zzz)", "app notin (a,x)", "tier", "!tier", "n>3", "n<7", "hash=", "hash in (,x)", "tier=a", "n", "missing", "!missing", "missing=1", "missing!=1",
	})
	terms := rapid.SliceOfN(term, 0, 3).Draw(t, "terms")
	all := ""
	for i, s := range terms {
		if i > 0 {
			all += ","
		}
		all += s
	}
	s, err := labels.Parse(all)
	require.NoError(t, err)
	return s
}

func TestIndexAgreesWithAPlainFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, model := NewIndex(), fleet{}
		namespaces := rapid.SampledFrom([]string{"", "shop", "bank"})
		names := rapid.SampledFrom([]string{"p1", "p10", "p2", "q", "a", "zz"})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				ns, name, l := namespaces.Draw(t, "ns"), names.Draw(t, "name"), drawLabels(t)
				x.Set(ns, name, l)
				if model[ns] == nil {
					model[ns] = map[string]map[string]string{}
				}
				model[ns][name] = maps.Clone(l)
			},
			"remove": func(t *rapid.T) {
				ns, name := namespaces.Draw(t, "ns"), names.Draw(t, "name")
				x.Remove(ns, name)
				delete(model[ns], name)
			},
			"replace": func(*rapid.T) {
				var list []*metav1.PartialObjectMetadata
				for ns, objects := range model {
					for name, l := range objects {
						list = append(list, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: l}})
					}
				}
				x.replace(list)
			},
			"": func(t *rapid.T) {
				ns, s := namespaces.Draw(t, "ns"), drawSelector(t)
				require.Equal(t, model.names(ns, s), x.AppendNames([]string{}, ns, NewSelector(s)), "selector %q", s)
			},
		})
	})
}

func TestIndexForgetsLabelsNobodyCarries(t *testing.T) {
	x := NewIndex()
	for i := range 1000 {
		x.Set("shop", "p", map[string]string{"hash": fmt.Sprint(i)})
	}
	require.Len(t, x.spaces["shop"].pairs, 1, "the freed place is used again")
	x.Remove("shop", "p")
	require.Empty(t, x.spaces)
	require.Zero(t, x.Len())
}

func TestSelectsNothing(t *testing.T) {
	x := NewIndex()
	x.Set("shop", "p", nil)
	require.Empty(t, x.AppendNames(nil, "shop", NewSelector(labels.Nothing())))
	require.Equal(t, []string{"p"}, x.AppendNames(nil, "shop", NewSelector(nil)))
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"", "app=shop", "app in (a,b),!x", "a!=b,c notin (d)", "n>3,n<9", "app.kubernetes.io/name=shop", "a=", "(", "a in"} {
		f.Add(s)
	}
	x := NewIndex()
	all := map[string]map[string]string{"p": {"app": "shop", "n": "5"}, "q": {"a": "b"}, "r": nil}
	for name, l := range all {
		x.Set("ns", name, l)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := ParseSelector(raw)
		parsed, errWant := labels.Parse(raw)
		require.Equal(t, errWant == nil, err == nil)
		if err == nil {
			require.Equal(t, fleet{"ns": all}.names("ns", parsed), x.AppendNames([]string{}, "ns", s))
		}
	})
}
