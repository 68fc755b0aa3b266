// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/x509"
	"time"
)

// An action is the next change of the Secret.
type action string

const (
	nothing    action = "nothing"
	replace    action = "replace the serving certificate at once" // it cannot be served: there is no read to lose
	introduce  action = "introduce the next certificate"
	markKnown  action = "note that every bundle has the next certificate's CA"
	markLost   action = "note that a bundle has lost the next certificate's CA"
	switchOver action = "serve the next certificate"
	retire     action = "stop trusting the old CAs"
)

// decision is what to do now, and when to look again without a reason.
type decision struct {
	action  action
	publish []string // APIServices whose caBundle is not as it should be
	again   time.Time
}

// plan decides. Bundles are the caBundles of our APIServices by name.
func plan(s state, bundles map[string][]byte, now time.Time, o Options) decision {
	want := s.bundle()
	var publish []string
	for name, bundle := range bundles {
		if !bytes.Equal(bundle, want) {
			publish = append(publish, name)
		}
	}
	d := decision{action: nothing, publish: publish}
	switch {
	case s.serving.leaf == nil:
		d.action = replace
	case s.next.leaf != nil:
		d.action, d.again = planNext(s, len(publish) == 0, now, o)
	case !now.Before(renewal(s.serving, o)):
		d.action = introduce
	case len(s.trusted) > 1 && !now.Before(s.since.Add(o.Grace)):
		d.action = retire
	case len(s.trusted) > 1:
		d.again = s.since.Add(o.Grace)
	default:
		d.again = renewal(s.serving, o)
	}
	return d
}

func planNext(s state, known bool, now time.Time, o Options) (action, time.Time) {
	switch {
	case !known && s.since.IsZero():
		return nothing, time.Time{} // the bundles come first
	case !known:
		return markLost, time.Time{}
	case s.since.IsZero():
		return markKnown, time.Time{}
	case now.Before(s.since.Add(o.Propagation)):
		return nothing, s.since.Add(o.Propagation)
	default:
		return switchOver, time.Time{}
	}
}

// renewal is when a pair's successor is made: after two thirds of its validity.
func renewal(p pair, o Options) time.Time { return p.leaf.NotAfter.Add(-o.Validity / 3) }

// apply is the state after an action. Replace and introduce make a new pair; it is made by the given function.
func apply(s state, a action, now time.Time, mint func() (pair, error)) (state, error) {
	switch a {
	case replace:
		if s.next.leaf == nil {
			made, err := mint()
			if err != nil {
				return s, err
			}
			s.next, s.trusted = made, append(s.trusted, made.ca)
		}
		s.serving, s.next, s.since = s.next, pair{}, now
	case introduce:
		made, err := mint()
		if err != nil {
			return s, err
		}
		s.next, s.trusted, s.since = made, append(s.trusted, made.ca), time.Time{}
	case markKnown:
		s.since = now
	case markLost:
		s.since = time.Time{}
	case switchOver:
		s.serving, s.next, s.since = s.next, pair{}, now
	case retire:
		s.trusted = []*x509.Certificate{s.serving.ca}
	}
	return s, nil
}
