// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// A reason that is declared but not listed, or not explained, is one that scripts and readers stumble over.
func TestEveryReasonIsListedAndExplained(t *testing.T) {
	for _, kind := range []struct {
		file, prefix string
		reasons      []string
		meaning      func(string) string
	}{
		{"reasons.go", "Reason", v1alpha1.Reasons(), v1alpha1.Meaning},
		{"scaleschedule_reasons.go", "Schedule", v1alpha1.ScheduleReasons(), v1alpha1.ScheduleMeaning},
		{"scaleforecast_reasons.go", "Forecast", v1alpha1.ForecastReasons(), v1alpha1.ForecastMeaning},
		{"membercluster_reasons.go", "Member", v1alpha1.MemberReasons(), v1alpha1.MemberMeaning},
		{"federatedscale_reasons.go", "Federated", v1alpha1.FederatedReasons(), v1alpha1.FederatedMeaning},
		{"headroom_reasons.go", "Headroom", v1alpha1.HeadroomReasons(), v1alpha1.HeadroomMeaning},
	} {
		t.Run(kind.file, func(t *testing.T) {
			require.Equal(t, declaredReasons(t, kind.file, kind.prefix), kind.reasons)
			for _, reason := range kind.reasons {
				require.NotEmpty(t, kind.meaning(reason), reason)
			}
			require.Empty(t, kind.meaning("NoSuchReason"))
		})
	}
}

// declaredReasons are the values of a file's constants whose names start with a prefix; the rest of a name is its value.
func declaredReasons(t *testing.T, path, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.Equal(t, prefix+value, spec.Names[0].Name)
			declared = append(declared, value)
		}
		return true
	})
	require.NotEmpty(t, declared)
	return declared
}
