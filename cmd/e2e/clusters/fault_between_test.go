// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// A slow member is as good as any other until its answers come too late: then its replicas move, and of a write that it took
// without an answer in time it is found out what became of it.
func TestFaultMemberSlow(t *testing.T) {
	s := newScene(t)
	w := s.newWay(paris)
	mend := s.breaks(
		func(context.Context) error { w.delay.Store(int64(time.Second)); return nil },
		func(context.Context) error { w.delay.Store(0); return nil })
	s.scaleTo(24)
	s.has("a division with a slow member", twentyFour)
	s.neverFailed(paris)
	s.atLeast(12, everybody()...)
	s.scaleTo(12)
	s.has("a division with a slow member", twelve)

	s.atLeast(8, berlin, rome)
	w.delay.Store(int64(8 * time.Second))
	s.scaleTo(24)
	s.is(paris, v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	s.has("the others have the replicas of paris", shares{berlin: 18, rome: 6})
	s.atLeast(24, berlin, rome)
	mend()
	s.atLeast(24, everybody()...)
	s.is(paris, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.has("the division", twentyFour)
	s.judge(t)
	s.course(berlin, 6, 12, 6, 18, 12)
	s.course(rome, 2, 4, 2, 6, 4)
	s.course(paris, 4, 8, 4, 8)
}

// A member whose API server answers with errors has failed; its pods run on, and count again when it is back.
func TestFaultMemberAnswers500(t *testing.T) {
	s := newScene(t)
	w := s.newWay(paris)
	mend := s.breaks(
		func(ctx context.Context) error { w.broken.Store(true); return w.reopen(ctx) },
		func(context.Context) error { w.broken.Store(false); return nil })
	s.moves(v1alpha1.MemberUnhealthy)
	mend()
	s.returns()
	s.movedOnce()
}

// A certificate that expired, or is of somebody else, is no failure of the member: nothing moves, whoever asks for more gets
// it from the others, and nobody gets less.
func TestFaultMemberCertificateExpired(t *testing.T) {
	s := newScene(t)
	w := s.newWay(paris)
	good := *w.shown.Load()
	mend := s.breaks(
		func(ctx context.Context) error {
			w.show(w.ca.issue(t, time.Now().Add(-time.Minute)))
			return w.reopen(ctx)
		},
		func(ctx context.Context) error { w.show(good); return w.reopen(ctx) })
	require.Contains(t, s.is(paris, v1alpha1.MemberSuspect, v1alpha1.MemberUntrusted), "expired at")
	s.staysFrozen()
	w.show(newIssuer(t).issue(t, time.Now().Add(time.Hour)))
	require.NoError(t, w.reopen(t.Context()))
	stacktest.Eventually(t, "the authority is wrong", func() error {
		if says := s.is(paris, v1alpha1.MemberSuspect, v1alpha1.MemberUntrusted); !strings.Contains(says, "is not of the authority") {
			return errors.New(says)
		}
		return nil
	})
	mend()
	s.returns()
	s.wasFrozen()
}

// A credential that is revoked freezes its member; the renewed Secret is used without anybody's help.
func TestFaultMemberCredentialRotated(t *testing.T) {
	s := newScene(t)
	m := s.members[paris]
	bound := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: account, GenerateName: "bound-"}}
	require.NoError(t, m.client.Create(t.Context(), bound))
	token, err := m.token(t.Context(), bound)
	require.NoError(t, err)
	renew := s.breaks(
		func(ctx context.Context) error {
			return s.keep(ctx, paris, kubeconfig(m.RESTConfig.Host, m.RESTConfig.CAData, token))
		},
		func(ctx context.Context) error { return s.keep(ctx, paris, m.kubeconfig) })
	s.scaleTo(13) // written with the new token
	s.has("one more", shares{berlin: 7, paris: 4, rome: 2})
	s.scaleTo(12)
	s.has("the division", twelve)
	require.NoError(t, m.client.Delete(t.Context(), bound)) // which revokes the token
	s.is(paris, v1alpha1.MemberSuspect, v1alpha1.MemberUnauthorized)
	s.staysFrozen()
	renew()
	s.returns()
	s.judge(t)
	s.course(berlin, 6, 7, 6, 15, 6)
	s.course(rome, 2, 5, 2)
	s.course(paris, 4)
	s.neverFailed(paris)
}

// staysFrozen: while paris is Suspect the others take what is asked for besides, and keep it.
func (s *scene) staysFrozen() {
	s.t.Helper()
	s.scaleTo(24)
	s.has("the others have what is new", shares{berlin: 15, paris: 4, rome: 5})
	s.atLeast(24, everybody()...)
	s.scaleTo(12)
	s.reason(v1alpha1.FederatedScaleDownFrozen)
}

// wasFrozen is the course of everybody after that.
func (s *scene) wasFrozen() {
	s.t.Helper()
	s.judge(s.t)
	s.course(berlin, 6, 15, 6)
	s.course(rome, 2, 5, 2)
	s.course(paris, 4)
	s.neverFailed(paris)
}

// A member's clock that is an hour ahead, or behind, is said and changes nothing.
func TestFaultMemberClockSkewed(t *testing.T) {
	s := newScene(t)
	w := s.newWay(paris)
	mend := s.breaks(
		func(context.Context) error { w.skew.Store(int64(time.Hour)); return nil },
		func(context.Context) error { w.skew.Store(0); return nil })
	s.is(paris, v1alpha1.MemberHealthy, v1alpha1.MemberClockSkew)
	s.scaleTo(24)
	s.has("the division", twentyFour)
	w.skew.Store(int64(-time.Hour))
	s.is(paris, v1alpha1.MemberHealthy, v1alpha1.MemberClockSkew)
	s.scaleTo(12)
	s.has("the division", twelve)
	mend()
	s.returns()
	s.judge(t)
	s.course(berlin, 6, 12, 6)
	s.course(paris, 4, 8, 4)
	s.course(rome, 2, 4, 2)
	require.Equal(t, []v1alpha1.MemberState{v1alpha1.MemberHealthy}, s.thought(paris))
}

// Cut off from the hub a member runs its pods on; nothing of it changes, and when it is back nothing has to start anew.
func TestFaultMemberPartitioned(t *testing.T) {
	s := newScene(t)
	w := s.newWay(paris)
	mend := s.breaks(func(context.Context) error { w.close(); return nil }, w.open)
	s.moves(v1alpha1.MemberUnreachable)
	s.has("it runs its pods on", shares{berlin: 9, paris: 4, rome: 3})
	s.atLeast(16, everybody()...)
	mend()
	s.returns()
	s.movedOnce()
}
