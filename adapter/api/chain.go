// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// buildChain puts the generic API server's filters around the handler, and sends callers away in the second half of the
// shutdown delay.
func buildChain(inner http.Handler, c *genericapiserver.Config) http.Handler {
	return &leaving{
		next:   genericapiserver.DefaultBuildHandlerChain(inner, c),
		ending: c.ShutdownInitiatedNotify(), after: c.ShutdownDelayDuration / 2, now: time.Now,
	}
}
