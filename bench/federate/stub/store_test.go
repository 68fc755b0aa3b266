// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func pod(name string) *corev1.Pod { return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}} }

func TestStoreTellsWhatCameAfterAVersion(t *testing.T) {
	s := newStore()
	_, begin := s.list("pods", func(client.Object) bool { return true })
	_, _, more, known := s.news("pods", begin)
	require.True(t, known)
	s.put("pods", pod("a"))
	s.put("nodes", &corev1.Node{})
	s.put("pods", pod("a"))
	require.NotPanics(t, func() { <-more })
	s.update("pods", types.NamespacedName{Name: "a"}, func(client.Object) bool { return false })
	require.Nil(t, s.update("pods", types.NamespacedName{Name: "b"}, func(client.Object) bool { return true }))
	s.remove("pods", types.NamespacedName{Name: "a"})
	s.remove("pods", types.NamespacedName{Name: "a"})
	events, until, _, known := s.news("pods", begin)
	require.True(t, known)
	require.Equal(t, begin+4, until)
	var kinds []watch.EventType
	for _, e := range events {
		kinds = append(kinds, e.kind)
		require.Equal(t, fmt.Sprint(e.version), e.object.GetResourceVersion())
	}
	require.Equal(t, []watch.EventType{watch.Added, watch.Modified, watch.Deleted}, kinds)
	events, _, _, _ = s.news("pods", events[1].version)
	require.Len(t, events, 1)
	_, _, _, known = s.news("pods", until+1)
	require.False(t, known, "a version that it has not come to")

	for range 2 * remembered {
		s.put("pods", pod("a"))
	}
	_, _, _, known = s.news("pods", begin)
	require.False(t, known, "it has forgotten that")
	events, _, _, known = s.news("pods", s.version-7)
	require.True(t, known)
	require.Len(t, events, 7)
}
