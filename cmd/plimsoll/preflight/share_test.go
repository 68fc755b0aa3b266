// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

// aPod requests so many millicores.
func aPod(millis int64) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(millis, resource.DecimalSI)},
	}}}}}
}

// drawSite has some nodes, and perhaps a quota for pods.
func drawSite(t *rapid.T, name string) *site {
	s := &site{}
	for range rapid.IntRange(0, 4).Draw(t, name+" nodes") {
		free := fit.Resources{"cpu": rapid.Int64Range(-500, 9000).Draw(t, name+" free")}
		s.nodes = append(s.nodes, fit.Node{Free: free, Size: fit.Resources{"cpu": 9000}, Pods: rapid.Int64Range(-1, 8).Draw(t, name+" pods")})
	}
	w := &World{}
	if rapid.Bool().Draw(t, name+" has a quota") {
		hard := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(rapid.Int64Range(0, 20).Draw(t, name+" quota"), resource.DecimalSI)}
		w.Quotas = []corev1.ResourceQuota{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Status: corev1.ResourceQuotaStatus{Hard: hard, Used: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}}
	}
	s.allowance = w.allowance()
	return s
}

func drawClaim(t *rapid.T, name string, sites []*site) *claim {
	c := &claim{name: name, salt: name, replicas: rapid.Int64Range(0, 60).Draw(t, name+" replicas")}
	millis := rapid.Int64Range(100, 3000).Draw(t, name+" millis")
	for i, s := range sites {
		label := fmt.Sprintf("%s in %d", name, i)
		p := &portion{limits: divide.Cluster{Name: fmt.Sprint(i), Weight: rapid.Int64Range(0, 9).Draw(t, label+" weight"), Min: rapid.Int64Range(0, 2).Draw(t, label+" min")}, site: s}
		if rapid.Bool().Draw(t, label+" is limited") {
			p.limits.Max = new(rapid.Int64Range(0, 30).Draw(t, label+" max"))
		}
		p.has = rapid.Int64Range(0, 6).Draw(t, label+" has")
		p.bound = p.has - rapid.Int64Range(0, min(p.has, 1)).Draw(t, label+" waiting")
		p.pod = aPod(millis)
		p.shape = fit.Shape{Requests: fit.Resources{"cpu": millis}, PerNode: rapid.Int64Range(0, 1).Draw(t, label+" per node")}
		for n := range s.nodes {
			if rapid.Bool().Draw(t, label+" on") {
				p.shape.Nodes = append(p.shape.Nodes, n)
			}
		}
		if p.shape.Nodes == nil {
			p.shape.Nodes = []int{}
		}
		switch rapid.IntRange(0, 9).Draw(t, label+" state") {
		case 0: // it is not known
			p.site, p.pod = nil, nil
		case 1:
			p.site, p.lost, p.stays = nil, true, rapid.Bool().Draw(t, label+" stays")
		}
		c.portions = append(c.portions, p)
	}
	return c
}

// Whatever competes for whatever: nothing is promised that is not there, and nothing is left that could be used.
func TestDistribute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := []*site{drawSite(t, "a"), drawSite(t, "b"), drawSite(t, "c")}
		var before [][]fit.Node
		for _, s := range sites {
			before = append(before, append([]fit.Node(nil), s.nodes...))
		}
		claims := []*claim{drawClaim(t, "web", sites), drawClaim(t, "cart", sites)}
		require.NoError(t, distribute(claims))
		for _, c := range claims {
			gone := int64(0)
			for _, p := range c.portions {
				if p.stays {
					gone += p.share
				}
			}
			require.LessOrEqual(t, c.seated()+gone, c.goal)
			for _, p := range c.portions {
				require.True(t, 0 <= p.fits && p.fits <= p.share && p.fits <= p.seats)
				require.Equal(t, p.fits < p.share && p.site != nil, len(p.missing) > 0, "what is missing is said")
				if p.limits.Max != nil {
					require.LessOrEqual(t, p.seats, max(*p.limits.Max, 0))
				}
				if p.site == nil {
					require.LessOrEqual(t, p.seats, p.has)
					continue
				}
				require.LessOrEqual(t, p.seats, p.bound+p.placed)
				room := p.room()
				if p.limits.Max != nil {
					room = min(room, *p.limits.Max-p.seats)
				}
				require.True(t, c.seated()+gone == c.goal || room <= 0, "%s could have %d more in %s", c.name, room, p.limits.Name)
			}
		}
		for i, s := range sites {
			for n := range s.nodes {
				require.True(t, s.nodes[n].Free["cpu"] >= 0 || s.nodes[n].Free["cpu"] == before[i][n].Free["cpu"])
				require.True(t, s.nodes[n].Pods >= 0 || s.nodes[n].Pods == before[i][n].Pods)
			}
			for _, left := range s.allowance.left {
				require.GreaterOrEqual(t, left["pods"], int64(0))
			}
		}
	})
}

// Passing on what does not fit comes to the division with caps at what fits, which is what the hub ends with.
func TestPassingOnIsTheDivisionWithCaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := []*site{drawSite(t, "a"), drawSite(t, "b"), drawSite(t, "c")}
		c := drawClaim(t, "web", sites)
		capped := make([]divide.Cluster, len(c.portions))
		for i, p := range c.portions {
			if p.site == nil {
				p.site, p.pod, p.lost, p.stays = sites[i], aPod(p.shape.Requests["cpu"]), false, false
			}
			p.limits.Weight = max(p.limits.Weight, 1)
			p.limits.Min = 0
			most := p.room()
			if p.limits.Max != nil {
				most = min(most, *p.limits.Max)
			}
			capped[i] = divide.Cluster{Name: p.limits.Name, Weight: p.limits.Weight, Max: &most}
		}
		require.NoError(t, distribute([]*claim{c}))
		want, err := divide.Divide(c.goal, capped, c.salt)
		require.NoError(t, err)
		for _, p := range c.portions {
			require.Equal(t, want.Seats[p.limits.Name], p.seats, "in %s, of %d", p.limits.Name, c.goal)
		}
	})
}
