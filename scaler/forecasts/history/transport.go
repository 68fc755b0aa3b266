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

// breaker lets requests fail at once while the source does not answer.
type breaker struct {
	mu     sync.Mutex
	failed int
	until  time.Time
	err    *Error
}

// open returns the error of the last request; nil: ask.
func (b *breaker) open(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failed < failuresInARow:
		return nil
	case now.Before(b.until):
		return b.err
	}
	b.until = now.Add(pause) // this one tries; the others go on failing
	return nil
}

// note takes the outcome of a request.
func (b *breaker) note(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed *Error
	if !errors.As(err, &failed) || !failed.silent {
		b.failed, b.err = 0, nil
		return
	}
	b.failed++
	b.err, b.until = failed, now.Add(pause)
}
