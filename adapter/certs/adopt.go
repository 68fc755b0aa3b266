// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"maps"
	"slices"
	"time"
)

// mostAdopted is up to how many CAs are trusted with those taken over from bundles: there are two in a rotation, and one
// more for each time that the Secret is lost again within the grace.
const mostAdopted = 8

// adopt adds the CAs of the bundles to the trusted ones of a state without a serving pair: a replica that still serves the
// pair which the Secret has lost goes on being trusted until it serves the new one. The grace ends this as it ends every
// old CA. Only what is a CA and valid now is taken over; where there are too many, the newest.
func adopt(s state, bundles map[string][]byte, now time.Time) state {
	var found []*x509.Certificate
	for _, name := range slices.Sorted(maps.Keys(bundles)) {
		for _, ca := range parseCertificates(bundles[name]) {
			if ca.IsCA && !now.Before(ca.NotBefore) && now.Before(ca.NotAfter) && !slices.ContainsFunc(slices.Concat(s.trusted, found), ca.Equal) {
				found = append(found, ca)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *x509.Certificate) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), bytes.Compare(a.Raw, b.Raw))
	})
	room := min(len(found), max(0, mostAdopted-len(s.trusted)))
	s.trusted = slices.Concat(s.trusted, found[len(found)-room:])
	return s
}
