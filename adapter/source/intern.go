// SPDX-License-Identifier: Apache-2.0

package source

import (
	"sync"
	"unicode/utf8"
)

const (
	maxInterned = 1 << 18 // strings per generation: a fleet of 100,000 pods never starts a second one
	maxInternee = 256     // bytes; longer strings are rare and are not kept
)

// interner gives equal strings the same memory, so that an evaluation that is repeated allocates only what is new. It
// holds at most two generations of strings: what is used moves to the younger one, what is not is forgotten with the
// older one. Safe for concurrent use.
type interner struct {
	mu         sync.Mutex
	young, old map[string]string
}

// str returns b as a string; false if b is not UTF-8.
func (in *interner) str(b []byte) (string, bool) {
	if len(b) > maxInternee {
		return string(b), utf8.Valid(b)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if s, ok := in.young[string(b)]; ok {
		return s, true
	}
	s, ok := in.old[string(b)]
	if !ok {
		if !utf8.Valid(b) {
			return "", false
		}
		s = string(b)
	}
	if in.young == nil || len(in.young) >= maxInterned {
		in.old, in.young = in.young, make(map[string]string)
	}
	in.young[s] = s
	return s, true
}
