// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
)

type refusingWriter struct{ client.SubResourceWriter }

func (refusingWriter) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: "plimsoll.dev", Resource: "scaleforecasts"}, "shop", nil)
}

func rule(t testing.TB, b *bed) forecast.Rule {
	r, err := b.get(t).Compile()
	require.NoError(t, err)
	return r
}

func spanOf(from, to time.Time) history.Span { return history.Span{From: from, To: to, Step: step} }

func clientOf(t testing.TB, p *promServer) *history.Client {
	c, err := history.New(p.config(), time.Now)
	require.NoError(t, err)
	return c
}
