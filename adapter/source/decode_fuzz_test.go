// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// FuzzDecode: what encoding/json and the official client's types read as a complete vector gives the same series here,
// and what is read here is JSON. The seeds were recorded from a real Prometheus (see sourcetest).
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob("testdata/answers/*.json")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	for _, seed := range seeds {
		b, err := os.ReadFile(seed)
		require.NoError(f, err)
		f.Add(b)
	}
	d := decoder{strings: &interner{}} // used again, as between evaluations
	f.Fuzz(func(t *testing.T, answer []byte) {
		var got model.Vector
		err := d.decode(bytes.NewReader(answer), 1<<20, 0, func(s Sample) error {
			got = append(got, sampleOf(s))
			return nil
		})
		if err == nil {
			require.True(t, json.Valid(answer))
		}
		want, ok := reference(answer)
		if !ok || !utf8.Valid(answer) || twice(json.NewDecoder(bytes.NewReader(answer))) {
			return
		}
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].Metric, got[i].Metric)
			require.Equal(t, want[i].Value.String(), got[i].Value.String())
		}
	})
}

func sampleOf(s Sample) *model.Sample {
	metric := model.Metric{}
	for _, l := range s.Labels {
		metric[model.LabelName(l.Name)] = model.LabelValue(l.Value)
	}
	return &model.Sample{Metric: metric, Value: model.SampleValue(s.Value)}
}

type object map[string]json.RawMessage // a map's keys match exactly, those of a struct in any case

// reference reads an answer with the standard library; false if it is not a complete vector without warnings.
func reference(answer []byte) (model.Vector, bool) {
	var top, data object
	var status, resultType, text string
	var warnings, series []json.RawMessage
	if !read(answer, &top) || !read(top["status"], &status) || status != "success" || !read(top["data"], &data) ||
		!read(data["resultType"], &resultType) || resultType != "vector" || !read(data["result"], &series) {
		return nil, false
	}
	if w, ok := top["warnings"]; ok && (!read(w, &warnings) || len(warnings) > 0) {
		return nil, false
	}
	for _, key := range []string{"errorType", "error"} {
		if t, ok := top[key]; ok && !read(t, &text) {
			return nil, false
		}
	}
	var v model.Vector
	for _, one := range series {
		s, ok := referenceSample(one)
		if !ok {
			return nil, false
		}
		v = append(v, s)
	}
	return v, true
}

func referenceSample(raw json.RawMessage) (*model.Sample, bool) {
	var fields object
	if !read(raw, &fields) || fields["histogram"] != nil || fields["histograms"] != nil || fields["values"] != nil {
		return nil, false
	}
	var s model.Sample
	var pair []json.RawMessage
	var at json.Number
	var value *model.SampleValue
	if m, ok := fields["metric"]; ok && !read(m, &s.Metric) {
		return nil, false
	}
	if s.Metric == nil {
		s.Metric = model.Metric{}
	}
	if !read(fields["value"], &pair) || len(pair) != 2 || pair[0][0] == '"' || pair[0][0] == 'n' || !read(pair[0], &at) || !read(pair[1], &value) || value == nil {
		return nil, false
	}
	s.Value = *value
	return &s, true
}

func read(raw []byte, into any) bool { return json.Unmarshal(raw, into) == nil }

// twice says whether a key comes twice in one object of the next value: then readers may differ.
func twice(d *json.Decoder) bool {
	open, _ := d.Token()
	keys := map[any]bool{}
	found := false
	for isObject := open == json.Delim('{'); isObject || open == json.Delim('['); {
		if !d.More() {
			_, _ = d.Token()
			return found
		}
		if isObject {
			key, _ := d.Token()
			found = found || keys[key]
			keys[key] = true
		}
		found = twice(d) || found
	}
	return found
}
