// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"k8s.io/client-go/rest"
)

// Identity is which cluster a server belongs to.
type Identity struct {
	// ID is the UID of the cluster's namespace kube-system, which there is exactly one of as long as there is the cluster,
	// whatever its addresses, certificates and credentials; "": not known.
	ID string
	// Refused: the credential may not read that namespace.
	Refused bool
}

// anID is what a UID looks like: whatever a member answers gets into a status and into messages.
var anID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Identify asks the server of a configuration that kubeconfig.Parse returned which cluster it belongs to, on a connection of
// its own and within the time-out; 0 or less: DefaultTimeout. An error says that nothing is known anew.
func Identify(ctx context.Context, config *rest.Config, timeout time.Duration) (Identity, error) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t, problem := newTarget(config, timeout)
	if problem != "" {
		return Identity{}, fmt.Errorf("cannot ask which cluster it is: %s", problem)
	}
	defer t.transport.CloseIdleConnections()
	a, err := t.get(limited, "/api/v1/namespaces/kube-system")
	if err != nil {
		return Identity{}, fmt.Errorf("%s does not say which cluster it is: %w", t.url.Host, err)
	}
	var namespace struct {
		Kind     string `json:"kind"`
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	switch {
	case a.status == http.StatusForbidden:
		return Identity{Refused: true}, nil
	case a.status != http.StatusOK:
		return Identity{}, fmt.Errorf("%s answers %d to the question which cluster it is", t.url.Host, a.status)
	case json.Unmarshal(a.body, &namespace) != nil || namespace.Kind != "Namespace" || !anID.MatchString(namespace.Metadata.UID):
		return Identity{}, fmt.Errorf("%s does not say which cluster it is: its answer is no Namespace with a UID", t.url.Host)
	}
	return Identity{ID: namespace.Metadata.UID}, nil
}
