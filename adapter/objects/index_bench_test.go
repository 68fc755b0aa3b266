// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// shapes are the fleets that the benchmarks are named after; apps are spread over ten namespaces.
var shapes = []struct {
	name          string
	apps, podsPer int
}{
	{"10000 apps x 10 pods", 10000, 10},
	{"10 apps x 10000 pods", 10, 10000},
	{"500 apps x 200 pods", 500, 200},
}

func shapeList(apps, podsPer int) []*metav1.PartialObjectMetadata {
	list := make([]*metav1.PartialObjectMetadata, 0, apps*podsPer)
	for a := range apps {
		app := fmt.Sprintf("shop-%d", a)
		for p := range podsPer {
			list = append(list, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Namespace: fmt.Sprintf("team-%d", a%10),
				Name:      fmt.Sprintf("%s-6c5f-%05d", app, p),
				Labels: map[string]string{
					"app": app, "env": "prod", "pod-template-hash": fmt.Sprintf("6c5f%d", a), "app.kubernetes.io/part-of": "shop",
				},
			}})
		}
	}
	return list
}

func BenchmarkAppendNames(b *testing.B) {
	for _, shape := range shapes {
		x := NewIndex()
		x.replace(shapeList(shape.apps, shape.podsPer))
		for _, raw := range []string{"app=shop-7", "app=shop-7,env=prod", "app in (shop-7,shop-17)"} {
			s, err := ParseSelector(raw)
			require.NoError(b, err)
			b.Run(shape.name+"/"+raw, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if got := x.AppendNames(nil, "team-7", s); len(got) < shape.podsPer {
						b.Fatalf("%d names", len(got))
					}
				}
			})
		}
	}
}

func BenchmarkReplace(b *testing.B) {
	for _, shape := range shapes {
		list := shapeList(shape.apps, shape.podsPer)
		b.Run(shape.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := NewIndex()
				x.replace(list)
			}
		})
	}
}

func BenchmarkChurn(b *testing.B) {
	for _, shape := range shapes {
		list := shapeList(shape.apps, shape.podsPer)
		x := NewIndex()
		x.replace(list)
		b.Run(shape.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				o := list[i*7919%len(list)]
				x.Remove(o.Namespace, o.Name)
				x.Set(o.Namespace, o.Name, o.Labels)
			}
		})
	}
}
