// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/manifests"
)

// Whoever reads README.md knows of every object that an overlay writes.
func TestReadmeNamesEveryObject(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, overlay := range overlays(t) {
		require.Contains(t, string(text), "`"+strings.TrimPrefix(overlay, "overlays/")+"`")
		objects, err := manifests.Render(overlay)
		require.NoError(t, err)
		for _, object := range objects {
			name := object.GetName()
			if object.GetKind() == "ConfigMap" {
				name = name[:strings.LastIndex(name, "-")] + "-HASH" // kustomize's, of the content
			}
			if strings.HasSuffix(object.GetKind(), "Binding") {
				continue // they bind the account to the roles of the table
			}
			require.Contains(t, string(text), "`"+name+"`", "%s of %s", object.GetKind(), overlay)
			require.Contains(t, string(text), object.GetKind())
		}
	}
}
