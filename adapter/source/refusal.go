// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// apiError is what an answer with "status": "error" stands for. The types are those of Prometheus' web/api/v1; whatever a
// further try or another source could cure is not ErrRefused.
func apiError(errorType, message string) error {
	if message == "" {
		message = "no reason given"
	}
	switch errorType {
	case "timeout":
		return fmt.Errorf("%w: %s", ErrTimeout, message)
	case "bad_data", "execution":
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	return fmt.Errorf("%w: %s (%s)", ErrBroken, message, errorType)
}

// statusError is what an answer with another HTTP status than 200 stands for: Prometheus' own words if the body has
// them.
func statusError(r *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10)) // what could be read has to do
	var a struct{ Status, ErrorType, Error string }
	if json.Unmarshal(body, &a) == nil && a.Status == "error" && a.ErrorType != "" {
		return apiError(a.ErrorType, a.Error)
	}
	switch code := r.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%w: HTTP %d: it does not accept the credentials", ErrUnreachable, code)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: HTTP 404: no /api/v1/query there; the URL must be the one in front of /api/v1", ErrUnreachable)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: HTTP %d: it redirects, which is not followed so that credentials stay where they belong; give the final URL", ErrUnreachable, code)
	case code == http.StatusBadRequest || code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: HTTP %d: %s", ErrRefused, code, excerpt(body))
	default:
		return fmt.Errorf("%w: HTTP %d: %s", ErrBroken, code, excerpt(body))
	}
}

// excerpt is the first line of a body that is not Prometheus', for an error message.
func excerpt(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(line) > 200 {
		line = line[:200] + "..."
	}
	return fmt.Sprintf("%q", line)
}
