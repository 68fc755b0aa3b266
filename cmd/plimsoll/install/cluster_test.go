// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is waited for in vain is said with what was said last, and with who gave up.
func TestEventuallySaysWhatWasMissing(t *testing.T) {
	missing := errors.New("it is still there")
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-late.Done()
	err := eventually(late, "wait for it", func(context.Context) error { return missing })
	require.EqualError(t, err, "wait for it: not within the --timeout: it is still there")

	interrupted, interrupt := context.WithCancel(t.Context())
	err = eventually(interrupted, "wait for it", func(context.Context) error {
		interrupt()
		return missing
	})
	require.EqualError(t, err, "wait for it: interrupted: it is still there")

	require.NoError(t, eventually(t.Context(), "", func(context.Context) error { return nil }))
}
