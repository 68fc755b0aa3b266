// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

const (
	// reviewTimeout bounds one SubjectAccessReview: a read must not wait for an API server that does not answer.
	reviewTimeout = 500 * time.Millisecond
	// decisionsKept bounds the cache. At most 300 bytes each for the usual caller.
	decisionsKept = 16384
	// longestKey is the length from which a decision is not kept: only a caller who plays with long paths gets there.
	longestKey = 16 * 1024
)

// reviewer creates SubjectAccessReviews.
type reviewer interface {
	Create(context.Context, *authorizationv1.SubjectAccessReview, metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// decisionCache asks the API server what a caller may do, and remembers it. It asks first whether the caller may do the same
// to all objects, without name and selector: one answer serves all 10,000 selectors of 10,000 HPAs. Only if that is refused
// does it ask for exactly what the request names, and that answer counts for nothing else. A remembered permission for
// exactly this spares the first question: a caller who may read some names only costs no review each time the refusal of
// all names is forgotten.
//
// An authorizer that allows a whole resource and yet denies single names or selectors of it is not seen through this cache;
// RBAC and the node authorizer have no such rules.
type decisionCache struct {
	reviews reviewer
	metrics *Metrics
	now     func() time.Time

	times cacheTimes

	kept    *lru.Cache[string, kept]
	flights singleflight.Group
}

// kept is one remembered decision.
type kept struct {
	verdict
	expires time.Time
}

type verdict struct {
	decision authorizer.Decision
	reason   string
}

// cacheTimes are how long decisions are kept, and how long a review may take.
type cacheTimes struct{ allowed, refused, review time.Duration }

func newDecisionCache(reviews reviewer, times cacheTimes, m *Metrics) (*decisionCache, error) {
	cache, err := lru.New[string, kept](decisionsKept)
	if err != nil {
		return nil, err
	}
	return &decisionCache{reviews: reviews, metrics: m, now: time.Now, times: times, kept: cache}, nil
}

// Authorize decides by what is remembered or by asking. An error means that nobody could be asked: nothing is remembered.
func (c *decisionCache) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if known, ok := c.allowed(a); ok {
		c.metrics.hits.Inc()
		return known.decision, known.reason, nil
	}
	wide, err := c.decide(ctx, a, false)
	if err != nil || wide.decision == authorizer.DecisionAllow || !isNarrow(a) {
		return wide.decision, wide.reason, err
	}
	exact, err := c.decide(ctx, a, true)
	return exact.decision, exact.reason, err
}

// ConditionsAwareAuthorize is Authorize: reviews have no conditions.
func (c *decisionCache) ConditionsAwareAuthorize(ctx context.Context, a authorizer.Attributes) authorizer.ConditionsAwareDecision {
	return authorizer.ConditionsAwareDecisionFromParts(c.Authorize(ctx, a))
}

// EvaluateConditions is not supported.
func (c *decisionCache) EvaluateConditions(context.Context, authorizer.ConditionsAwareDecision, authorizer.ConditionsData) (authorizer.Decision, string, error) {
	return authorizer.DecisionDeny, "", authorizer.ErrorConditionEvaluationNotSupported
}

// allowed is the remembered permission for all objects or, failing that, for exactly this request.
func (c *decisionCache) allowed(a authorizer.Attributes) (verdict, bool) {
	v, ok := c.recall(key(a, false))
	if ok && v.decision == authorizer.DecisionAllow || !isNarrow(a) {
		return v, ok
	}
	v, ok = c.recall(key(a, true))
	return v, ok && v.decision == authorizer.DecisionAllow
}

func (c *decisionCache) recall(k string) (verdict, bool) {
	old, ok := c.kept.Get(k)
	return old.verdict, ok && c.now().Before(old.expires)
}

func (c *decisionCache) decide(ctx context.Context, a authorizer.Attributes, exact bool) (verdict, error) {
	k := key(a, exact)
	if known, ok := c.recall(k); ok {
		c.metrics.hits.Inc()
		return known, nil
	}
	c.metrics.misses.Inc()
	done := c.flights.DoChan(k, func() (any, error) {
		if known, ok := c.recall(k); ok {
			return known, nil // somebody has asked since this caller looked
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.times.review)
		defer cancel()
		v, err := c.ask(ctx, a, exact)
		if err == nil {
			c.keep(k, v)
		}
		return v, err
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return verdict{decision: authorizer.DecisionNoOpinion}, r.Err
		}
		return r.Val.(verdict), nil
	case <-ctx.Done():
		return verdict{decision: authorizer.DecisionNoOpinion}, ctx.Err()
	}
}

func (c *decisionCache) keep(k string, v verdict) {
	ttl := c.times.refused
	if v.decision == authorizer.DecisionAllow {
		ttl = c.times.allowed
	}
	if ttl > 0 && len(k) < longestKey {
		c.kept.Add(k, kept{v, c.now().Add(ttl)})
	}
}

func (c *decisionCache) ask(ctx context.Context, a authorizer.Attributes, exact bool) (verdict, error) {
	answer, err := c.reviews.Create(ctx, review(a, exact), metav1.CreateOptions{})
	if err != nil {
		c.metrics.reviews.WithLabelValues("error").Inc()
		return verdict{}, fmt.Errorf("asking the API server what the caller may do: %w", err)
	}
	s := answer.Status
	switch {
	case s.Denied && s.Allowed:
		c.metrics.reviews.WithLabelValues("error").Inc()
		return verdict{}, fmt.Errorf("the API server both allowed and denied the request: %s", s.Reason)
	case s.Allowed:
		c.metrics.reviews.WithLabelValues("allowed").Inc()
		return verdict{authorizer.DecisionAllow, s.Reason}, nil
	}
	c.metrics.reviews.WithLabelValues("refused").Inc()
	if s.Denied {
		return verdict{authorizer.DecisionDeny, s.Reason}, nil
	}
	return verdict{authorizer.DecisionNoOpinion, s.Reason}, nil
}
