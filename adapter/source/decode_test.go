// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// rows decodes an answer and prints its series.
func rows(r io.Reader) ([]string, error) {
	d := decoder{strings: &interner{}}
	var got []string
	err := d.decode(r, 1<<20, 1000, func(s Sample) error {
		got = append(got, printed(s))
		return nil
	})
	return got, err
}

func printed(s Sample) string {
	var b strings.Builder
	for _, l := range s.Labels {
		fmt.Fprintf(&b, "%s=%q ", l.Name, l.Value)
	}
	return fmt.Sprintf("%s%x", &b, math.Float64bits(s.Value))
}

func row(value float64, labels ...string) string {
	s := Sample{Value: value}
	for i := 0; i < len(labels); i += 2 {
		s.Labels = append(s.Labels, Label{labels[i], labels[i+1]})
	}
	return printed(s)
}

func TestDecodeAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   []string
	}{
		"empty":       {`{"status":"success","data":{"resultType":"vector","result":[]}}`, nil},
		"null result": {`{"status":"success","data":{"resultType":"vector","result":null}}`, nil},
		"two": {`{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"a":"1","b":"x"},"value":[1435781430.781,"1e+06"]},
			{"metric":{"a":"1"},"value":[1435781430,"-0.5"]}]}}`,
			[]string{row(1e6, "a", "1", "b", "x"), row(-0.5, "a", "1")}},
		"not finite": {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"+Inf"]},{"metric":{},"value":[1,"-Inf"]}]}}`,
			[]string{row(math.Inf(1)), row(math.Inf(-1))}},
		"scalar": {`{"status":"success","data":{"resultType":"scalar","result":[1,"42"]}}`, []string{row(42)}},
		"other order, unknown keys": {`{"infos":["PromQL info: x"],"stats":{"a":[1,2e-3,{"b":null}],"c":true},"data":{"result":[{"value":[1,"2"],"x":[{}],"metric":{"a":"b"}}],"y":false,"resultType":"vector"},"warnings":[],"status":"success"}`,
			[]string{row(2, "a", "b")}},
		"escapes": {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"\u0061":"q\" b\\ s\/ n\n é \u00e9 \uD83D\uDE00 \uD83D \u0000"},"value":[1,"\u0031"]}]}}`,
			[]string{row(1, "a", "q\" b\\ s/ n\n é é 😀 \uFFFD \x00")}},
		"white space": {" {\n\"status\" :\t\"success\" , \"data\" : { \"resultType\" : \"vector\" , \"result\" : [ { \"metric\" : { } , \"value\" : [ 1 , \"2\" ] } ] } } \r\n",
			[]string{row(2)}},
	} {
		got, err := rows(strings.NewReader(c.answer))
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
		got, err = rows(iotest.OneByteReader(strings.NewReader(c.answer)))
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

func TestDecodeNaN(t *testing.T) {
	d := decoder{strings: &interner{}}
	var got float64
	err := d.decode(strings.NewReader(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}`), 1000, 0,
		func(s Sample) error { got = s.Value; return nil })
	require.NoError(t, err)
	require.True(t, math.IsNaN(got))
}

func TestDecodeRefuses(t *testing.T) {
	vector := func(series string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + series + `]}}`
	}
	for answer, want := range map[string]struct {
		cause error
		text  string
	}{
		``:                                 {ErrBadAnswer, "ends after 0 bytes"},
		`<html>`:                           {ErrBadAnswer, "'<'"},
		`{"status":"success"}`:             {ErrBadAnswer, "no result"},
		`{}`:                               {ErrBadAnswer, `status is ""`},
		`{"status":"success","data":null}`: {ErrBadAnswer, "no result"},
		`{"status":"success","data":{"result":[]}}`:                                                       {ErrBadAnswer, `type ""`},
		`{"status":"error","errorType":"bad_data","error":"no such metric"}`:                              {ErrRefused, "no such metric"},
		`{"status":"error","errorType":"timeout","error":"query timed out"}`:                              {ErrTimeout, "query timed out"},
		`{"status":"error","errorType":"internal","error":"disk"}`:                                        {ErrBroken, "disk"},
		`{"status":"success","warnings":["b1 is down"],` + vector(``)[20:]:                                {ErrPartial, "b1 is down"},
		strings.TrimSuffix(vector(`{"metric":{},"value":[1,"1"]}`), "}") + `,"warnings":["late"]}`:        {ErrPartial, "late"},
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`:                                 {ErrRefused, "matrix"},
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}`: {ErrRefused, "matrix"},
		`{"status":"success","data":{"resultType":"string","result":[1,"1"]}}`:                            {ErrRefused, "string"},
		`{"status":"success","data":{"result":[1,"1"],"resultType":"vector"}}`:                            {ErrBadAnswer, "looks otherwise"},
		vector(`{"metric":{},"histogram":[1,{"count":"3"}]}`):                                             {ErrRefused, "histogram_quantile"},
		vector(`{"metric":{}}`):                                                                          {ErrBadAnswer, "without a value"},
		vector(`{"metric":{},"value":[1]}`):                                                              {ErrBadAnswer, ""},
		vector(`{"metric":{},"value":[1,2]}`):                                                            {ErrBadAnswer, ""},
		vector(`{"metric":{},"value":[1,"2",3]}`):                                                        {ErrBadAnswer, ""},
		vector(`{"metric":{},"value":[1,"two"]}`):                                                        {ErrBadAnswer, `"two" is not a number`},
		vector(`{"metric":{},"value":[1,"2"],"value":[1,"3"]}`):                                          {ErrBadAnswer, "twice"},
		vector(`{"metric":{"a":1},"value":[1,"2"]}`):                                                     {ErrBadAnswer, ""},
		vector(`{"metric":{"a":"` + "\xff" + `"},"value":[1,"2"]}`):                                      {ErrBadAnswer, "UTF-8"},
		vector(`{"metric":{"a":"` + "\n" + `"},"value":[1,"2"]}`):                                        {ErrBadAnswer, "control"},
		vector(`{"metric":{"a":"\x"},"value":[1,"2"]}`):                                                  {ErrBadAnswer, "escape"},
		vector(`{"metric":{},"value":[1,"2"]},`):                                                         {ErrBadAnswer, "comma"},
		vector(``) + `{}`:                                                                                {ErrBadAnswer, "follows"},
		vector(strings.Repeat(`{"metric":{},"value":[1,"1"]},`, 1000) + `{"metric":{},"value":[1,"1"]}`): {ErrTooManySeries, "1000"},
		vector(`{"metric":{"a":"` + strings.Repeat("x", 2<<20) + `"},"value":[1,"1"]}`):                  {ErrTooManySeries, "1 MiB"},
		`{"a":` + strings.Repeat("[", 5000):                                                              {ErrBadAnswer, "deeply"},
	} {
		_, err := rows(strings.NewReader(answer))
		require.ErrorIs(t, err, want.cause, "%.300s", answer)
		require.ErrorContains(t, err, want.text, "%.300s", answer)
	}
}

// TestDecodeTruncated cuts an answer at every byte: none of the pieces may pass for a shorter answer.
func TestDecodeTruncated(t *testing.T) {
	answer := `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"\u00e9"},"value":[1435781430.781,"1"]},{"metric":{"a":"c"},"value":[1.5e3,"2"]}]},"warnings":null}`
	for i := range answer {
		_, err := rows(strings.NewReader(answer[:i]))
		require.ErrorIs(t, err, ErrBadAnswer, answer[:i])
	}
	_, err := rows(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(answer))))
	require.ErrorIs(t, err, iotest.ErrTimeout)
}

func TestDecodeStopsAtTheCallersError(t *testing.T) {
	d, calls, stop := decoder{strings: &interner{}}, 0, errors.New("stop")
	err := d.decode(strings.NewReader(string(combined(3))), 1<<20, 0, func(Sample) error { calls++; return stop })
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, calls)
}

func TestDecodeAllocatesOnlyForWhatIsNew(t *testing.T) {
	answer, d := string(combined(1000)), decoder{strings: &interner{}}
	decode := func() {
		require.NoError(t, d.decode(strings.NewReader(answer), 1<<20, 0, func(Sample) error { return nil }))
	}
	decode()
	require.Less(t, testing.AllocsPerRun(10, decode), 50.0, "for 2,000 series that were seen before")
}

func TestInternerForgets(t *testing.T) {
	in, last := &interner{}, (*word)(nil)
	for i := range 3 * maxInterned {
		last = in.after(last, fmt.Appendf(nil, "pod-%d", i))
		require.Equal(t, fmt.Sprintf("pod-%d", i), last.text)
	}
	require.LessOrEqual(t, len(in.young)+len(in.old), 2*maxInterned)
}
