// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []Ref
		err  string
	}{
		"with a slash":        {[]string{"hpa/shop"}, []Ref{{HPA, "shop"}}, ""},
		"kubectl's full name": {[]string{"HorizontalPodAutoscaler.autoscaling/shop"}, []Ref{{HPA, "shop"}}, ""},
		"several, each once":  {[]string{"hpa/shop", "ns/live", "hpa/shop"}, []Ref{{HPA, "shop"}, {Namespace, "live"}}, ""},
		"kind and names":      {[]string{"hpa", "shop", "pay"}, []Ref{{HPA, "shop"}, {HPA, "pay"}}, ""},
		"a kind alone":        {[]string{"hpa"}, nil, ""},
		"no kind":             {[]string{"shop"}, nil, `"shop" does not name an object: write hpa/NAME or namespace/NAME`},
		"another kind":        {[]string{"deployment/shop"}, nil, `"deployment/shop" does not name an object`},
		"no name":             {[]string{"hpa/"}, nil, "does not name an object"},
		"a namespace":         {[]string{"hpa/live/shop"}, nil, "the namespace goes into -n"},
		"mixed":               {[]string{"hpa", "shop", "hpa/pay"}, nil, "write either hpa/NAME for each object, or hpa once"},
		"mixed the other way": {[]string{"hpa/shop", "pay"}, nil, `"pay" does not name an object`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tc.args, HPA, Namespace)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}
