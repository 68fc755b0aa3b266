// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// limited bounds the size of answers: what is larger ends as an error, not in memory.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: maxBody}
	return response, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

const (
	// After that many requests in a row that nobody answered, the others fail at once. One or two may be slow queries.
	failuresInARow = 3
	// That long nobody asks a source that does not answer, but for one who tries. Without it every worker would wait for
	// its timeout, and a thousand forecasts would take an hour to notice.
	pause = 5 * time.Second
)

// breakers let requests fail at once while the source does not answer: one for each namespace, since the adapter may ask
// another source for each, and one tenant's trouble is nobody else's.
type breakers struct {
	mu  sync.Mutex
	all map[string]*breaker // only those whose last request was not answered
}

type breaker struct {
	failed int
	until  time.Time
	err    *Error
}

// open returns the error of a namespace's last request; nil: ask.
func (s *breakers) open(namespace string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.all[namespace]
	switch {
	case b == nil || b.failed < failuresInARow:
		return nil
	case now.Before(b.until) && b.until.Sub(now) <= pause: // later than that it cannot be, but for a clock that was put back
		return b.err
	}
	b.until = now.Add(pause) // this one tries; the others go on failing
	return nil
}

// note takes the outcome of a request.
func (s *breakers) note(namespace string, now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed *Error
	if !errors.As(err, &failed) || !failed.silent {
		delete(s.all, namespace)
		return
	}
	b := s.all[namespace]
	if b == nil {
		b = new(breaker)
		if s.all == nil {
			s.all = map[string]*breaker{}
		}
		s.all[namespace] = b
	}
	b.failed++
	b.err, b.until = failed, now.Add(pause)
}
