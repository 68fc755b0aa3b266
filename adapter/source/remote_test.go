// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

func TestRemoteIsASource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) (source.Source, sourcetest.Push) {
		handler, push := sourcetest.NewPrometheus(t)
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return remote(t, source.Options{URL: server.URL}), push
	})
}

func remote(t *testing.T, o source.Options) *source.Remote {
	r, err := source.NewRemote(o)
	require.NoError(t, err)
	return r
}
