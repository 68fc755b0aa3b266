// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
)

// Question is what to look at.
type Question struct {
	Namespace string // "" is the whole cluster
	HPA       string // "" is all
	From, To  time.Time
}

// Look looks ahead for all HPAs of a namespace or the cluster.
func Look(ctx context.Context, c client.Reader, q Question) (Document, error) {
	doc := Document{From: q.From.UTC(), To: q.To.UTC(), Changes: []Change{}}
	s, err := snapshot.Take(ctx, c, q.Namespace)
	if err != nil {
		return doc, err
	}
	keys := s.Keys()
	if q.HPA != "" {
		keys = slices.DeleteFunc(keys, func(key types.NamespacedName) bool { return key.Name != q.HPA })
	}
	if q.HPA != "" && len(keys) == 0 {
		return doc, fmt.Errorf("there is no HorizontalPodAutoscaler %s in namespace %s", q.HPA, q.Namespace)
	}
	for _, key := range keys {
		observed, err := s.Observe(ctx, key, q.From)
		if err != nil {
			return doc, fmt.Errorf("HPA %s: %w", key, err)
		}
		out := observed.Decide(q.From)
		doc.Changes = append(doc.Changes, From(observed, out).Changes(q.From, q.To)...)
		doc.Problems = append(doc.Problems, Problems(observed, out)...)
	}
	doc.HPAs = len(keys)
	Sort(doc.Changes)
	return doc, nil
}

// Sort puts changes in the order of their times.
func Sort(changes []Change) {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.HPA, b.HPA))
	})
}
