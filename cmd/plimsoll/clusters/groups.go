// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// AskGroups reads what the node groups of the members that have answered may still add, with the credentials that the scaler
// uses, each member's within a time of its own. What keeps the numbers from being exact is in Problems. Nothing is grown.
func (w *World) AskGroups(ctx context.Context, hub client.Reader, secrets string, timeout time.Duration) {
	read, errs := make([]*newnodes.Groups, len(w.Hub.Members)), make([]error, len(w.Hub.Members))
	var all sync.WaitGroup
	for i := range w.Hub.Members {
		m := &w.Hub.Members[i]
		if m.Spec.NodeGroups == nil || w.members[m.Name] == nil {
			continue
		}
		all.Go(func() {
			timed, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			read[i], errs[i] = readGroups(timed, newnodes.Secrets{Reader: hub, Namespace: secrets}, m, w.members[m.Name])
		})
	}
	all.Wait()
	w.groups = map[string]*newnodes.Groups{}
	for i := range w.Hub.Members {
		m := &w.Hub.Members[i]
		switch {
		case errs[i] != nil:
			w.Problems = append(w.Problems, fmt.Sprintf("%s counts without the nodes that its node groups may add: %s", m.Name, errs[i]))
		case read[i] != nil:
			w.groups[m.Name] = read[i]
			w.doubt(m, read[i])
		}
	}
}

func readGroups(ctx context.Context, secrets newnodes.Secrets, m *v1alpha1.MemberCluster, one *inside) (*newnodes.Groups, error) {
	server, err := newnodes.Dial(ctx, secrets, m.Spec.NodeGroups)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	return server.Read(ctx, one.snapshot, 0, time.Now())
}

// doubt notes which of the nodes that groups may add need not come.
func (w *World) doubt(m *v1alpha1.MemberCluster, g *newnodes.Groups) {
	more := false
	for i := range g.List {
		one := &g.List[i]
		more = more || g.MayAdd(i) > 0
		switch {
		case one.Err != nil:
			w.Problems = append(w.Problems, fmt.Sprintf("node group %q of %s counts as full: %s", one.ID, m.Name, one.Err))
		case one.Template == nil:
			w.Problems = append(w.Problems, fmt.Sprintf("node group %q of %s counts as full: its server does not say what a new node is", one.ID, m.Name))
		}
	}
	if !more {
		return
	}
	row, headroom := w.Hub.reserveOf(m.Name)
	switch {
	case row == nil || headroom.Spec.Mode != v1alpha1.ModeEnforce || headroom.Annotations[record.PausedAnnotation] == "true" || row.Strategy != v1alpha1.HeadroomNodeGroups:
		w.Problems = append(w.Problems, fmt.Sprintf("the nodes that node groups of %s may add come only if somebody adds them: no Headroom with mode: Enforce and the strategy NodeGroups does", m.Name))
	case row.Reason == v1alpha1.HeadroomNodeGroupFailed:
		w.Problems = append(w.Problems, fmt.Sprintf("the nodes that node groups of %s may add need not come: %s", m.Name, row.Message))
	}
}

// expandable are the nodes that a member's node groups may still add.
func (w *World) expandable(member string) []fit.Node {
	if g := w.groups[member]; g != nil {
		return g.Expandable()
	}
	return nil
}

// newNodes are those of expandable on which a pod may run, by their index.
func (w *World) newNodes(member string, pod *corev1.Pod) []int {
	if g := w.groups[member]; g != nil {
		return g.On(pod)
	}
	return []int{}
}
