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
//
// An answer is repeated every few seconds in nearly the same order. So each word remembers which word followed it last
// time: comparing with that one word replaces a look-up whose cost is cache misses.
type interner struct {
	mu         sync.Mutex
	young, old map[string]*word
}

// word is one interned string.
type word struct {
	text string
	next *word // what came after it most recently; a guess
}

// after returns b as a word, and records that it follows last, which may be nil; nil if b is not UTF-8.
func (in *interner) after(last *word, b []byte) *word {
	if len(b) > maxInternee {
		return in.create(b, false)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if last != nil && last.next != nil && last.next.text == string(b) {
		return last.next
	}
	w := in.find(b)
	if w != nil && last != nil {
		last.next = w
	}
	return w
}

func (in *interner) find(b []byte) *word {
	if w, ok := in.young[string(b)]; ok {
		return w
	}
	if w, ok := in.old[string(b)]; ok {
		in.keep(w)
		return w
	}
	return in.create(b, true)
}

func (in *interner) create(b []byte, keep bool) *word {
	if !utf8.Valid(b) {
		return nil
	}
	w := &word{text: string(b)}
	if keep {
		in.keep(w)
	}
	return w
}

// keep puts w into the younger generation. A generation that begins has no guesses, or they would hold on to words that
// are forgotten.
func (in *interner) keep(w *word) {
	if in.young == nil || len(in.young) >= maxInterned {
		for _, o := range in.old {
			o.next = nil
		}
		in.old, in.young = in.young, make(map[string]*word)
	}
	in.young[w.text] = w
}
