// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A tenant reads why a member was not read or written, and no address of it.
func TestTold(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 6443}, Err: errors.New("connection refused")}
	for _, test := range []struct {
		err  error
		want string
	}{
		{&url.Error{Op: "Get", URL: "https://10.1.2.3:6443/apis", Err: refused}, "it cannot be reached; the MemberCluster's status has more"},
		{fmt.Errorf("list the pods of Deployment shop: %w", refused), "list the pods of Deployment shop: it cannot be reached; the MemberCluster's status has more"},
		{fmt.Errorf("read: %w", &url.Error{Op: "Put", URL: "https://10.1.2.3:6443/apis", Err: context.DeadlineExceeded}), "read: it did not answer in time; the MemberCluster's status has more"},
		{context.DeadlineExceeded, "it did not answer in time; the MemberCluster's status has more"},
		{apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "shop", errors.New("one is enough")), `deployments "shop" is forbidden: one is enough`},
		{&errNoKind{"a Rollout has no scale subresource there"}, "a Rollout has no scale subresource there"},
	} {
		require.Equal(t, test.want, told(test.err))
	}
}
