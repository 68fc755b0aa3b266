// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// buildChain puts the generic API server's filters around the handler.
func buildChain(inner http.Handler, c *genericapiserver.Config) http.Handler {
	return genericapiserver.DefaultBuildHandlerChain(inner, c)
}
