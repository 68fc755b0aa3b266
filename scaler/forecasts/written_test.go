// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What somebody else writes into the status, such as a former leader, is written over at the next look, which it brings about.
func TestOthersStatusIsWrittenOver(t *testing.T) {
	b := newBed(t)
	right := b.look(t)
	ours := b.get(t)
	f := ours.DeepCopy()
	wrong := int32(99)
	f.Status.Floor = &wrong
	require.NoError(t, b.client.Status().Update(t.Context(), f))
	others := b.get(t)
	require.True(t, b.loop.othersStatus().Update(event.UpdateEvent{ObjectOld: ours, ObjectNew: others}))
	require.Equal(t, right.Floor, b.look(t).Floor)
	require.False(t, b.loop.othersStatus().Update(event.UpdateEvent{ObjectOld: others, ObjectNew: b.get(t)}), "its own write is no news")
}

// An object that was read before somebody else wrote is not written with: the next look, which reads the newer one, does.
func TestWritesOverNothingUnseen(t *testing.T) {
	b := newBed(t)
	old := b.get(t)
	f := b.get(t)
	wrong := int32(99)
	f.Status.Floor = &wrong
	require.NoError(t, b.client.Status().Update(t.Context(), f))
	behind := &behindClient{Client: b.client, old: old}
	b.loop.client = behind
	result, err := b.loop.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	require.NoError(t, err)
	require.Equal(t, conflictWait, result.RequeueAfter)
	require.Equal(t, wrong, *b.get(t).Status.Floor)
	behind.old = nil
	require.Less(t, *b.look(t).Floor, wrong)
}

// A cache that is behind the loop's own write does not bring the old status back.
func TestCacheBehind(t *testing.T) {
	b := newBed(t)
	old := b.get(t)
	b.look(t)
	b.writes = 0
	b.loop.client = &behindClient{Client: b.client, old: old}
	s := b.look(t)
	require.Zero(t, b.writes)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
}

func TestNewer(t *testing.T) {
	require.True(t, newer("1000", "999"))
	require.False(t, newer("999", "1000"))
	require.False(t, newer("7", "7"))
	require.True(t, newer("b", "a"))
	require.False(t, newer("a", "a"))
}

// behindClient reads an old ScaleForecast.
type behindClient struct {
	client.Client
	old *v1alpha1.ScaleForecast
}

func (c *behindClient) Get(ctx context.Context, key types.NamespacedName, object client.Object, o ...client.GetOption) error {
	if f, is := object.(*v1alpha1.ScaleForecast); is && c.old != nil {
		c.old.DeepCopyInto(f)
		return nil
	}
	return c.Client.Get(ctx, key, object, o...)
}

// A status that cannot be written is an error, and is written the next time.
func TestWriteFails(t *testing.T) {
	b := newBed(t)
	refusing := &refusingClient{Client: b.client, refuse: true}
	b.loop.client = refusing
	_, err := b.loop.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	refusing.refuse = false
	require.Equal(t, v1alpha1.ForecastTrusted, reason(b.look(t)))
}

type refusingClient struct {
	client.Client
	refuse bool
}

func (c *refusingClient) Status() client.SubResourceWriter {
	if c.refuse {
		return refusingWriter{c.Client.Status()}
	}
	return c.Client.Status()
}

type refusingWriter struct{ client.SubResourceWriter }

func (refusingWriter) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: "plimsoll.dev", Resource: "scaleforecasts"}, "shop", nil)
}
