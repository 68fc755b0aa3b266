// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// readDeadline is a reader's own: an answer, be it an error, must be there by then.
const readDeadline = time.Second

// read is one read and what came of it.
type read struct {
	path  string
	begun time.Time
	took  time.Duration
	err   error // nil: the values are right and not too old
	wrong error // the values are wrong or too old: never allowed
}

func (r read) String() string {
	return fmt.Sprintf("%s %s after %s: %v", r.begun.Format("15:04:05.000"), r.path, r.took.Round(time.Millisecond), errors.Join(r.err, r.wrong))
}

// unanswered: the reader gave up before there was an answer of any kind.
func (r read) unanswered() bool { return errors.Is(r.err, context.DeadlineExceeded) }

// ask reads once, as somebody with no more than the right to read.
func (s *stage) ask(q question) read {
	r := read{path: q.path, begun: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), readDeadline)
	defer cancel()
	// Without retries: a client would hide a failure for which the server says Retry-After.
	result := s.reader.CoreV1().RESTClient().Get().AbsPath(q.path).MaxRetries(0).Do(ctx)
	body, err := result.Raw()
	r.took = time.Since(r.begun)
	if err != nil {
		r.err = fmt.Errorf("%w: %s", err, body)
	} else {
		r.wrong = q.check(body, r)
	}
	return r
}

// check says what is wrong with an answer.
func (q question) check(body []byte, r read) error {
	var list struct {
		Items []struct {
			Value     resource.Quantity `json:"value"`
			Timestamp metav1.Time       `json:"timestamp"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	if len(list.Items) != q.values {
		return fmt.Errorf("%d values instead of %d: %s", len(list.Items), q.values, body)
	}
	for _, item := range list.Items {
		if item.Value.String() != q.value {
			return fmt.Errorf("the value %s instead of %s", &item.Value, q.value)
		}
		// A timestamp has whole seconds, and the age counted when the answer was made.
		if age := time.Since(item.Timestamp.Time); age > maxAge+time.Second+r.took {
			return fmt.Errorf("a value %s old", age)
		}
	}
	return nil
}

// log is what readers have met.
type log struct {
	mu    sync.Mutex
	reads []read
	stop  func()
}

// read lets so many readers ask in turn, with a pause after each answer, until stop or the test's end. No read may ever
// have met a wrong or too old value.
func (s *stage) read(t *testing.T, readers int, pause time.Duration) *log {
	t.Helper()
	l := &log{}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	questions := s.questions()
	for first := range readers {
		running.Go(func() {
			for i := first; ctx.Err() == nil; i++ {
				l.add(s.ask(questions[i%len(questions)]))
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(func() {
		l.stop()
		require.NotEmpty(t, l.reads)
		require.Empty(t, l.since(time.Time{}, func(r read) bool { return r.wrong != nil }), "wrong values")
	})
	return l
}

func (l *log) add(r read) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = append(l.reads, r)
}

// since are the reads begun after a point of time that are like that.
func (l *log) since(begin time.Time, like func(read) bool) []read {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []read
	for _, r := range l.reads {
		if r.begun.After(begin) && like(r) {
			found = append(found, r)
		}
	}
	return found
}

func succeeded(r read) bool { return r.err == nil }
func failed(r read) bool    { return r.err != nil }

// requireErrorsSince: after that point of time there were reads, and all of them failed with words in their errors.
func (l *log) requireErrorsSince(t *testing.T, begin time.Time, words string) {
	t.Helper()
	require.Empty(t, l.since(begin, succeeded), "values that ought to be errors")
	errs := l.since(begin, failed)
	require.NotEmpty(t, errs)
	require.ErrorContains(t, errs[len(errs)-1].err, words)
}

// requireAnswered: every read was answered, be it with an error, before the reader gave up.
func (l *log) requireAnswered(t *testing.T) {
	t.Helper()
	require.Empty(t, l.since(time.Time{}, read.unanswered), "reads without an answer")
}

// longestFailure is the longest time for which one metric's reads did nothing but fail.
func (l *log) longestFailure() time.Duration {
	var longest time.Duration
	begun := map[string]time.Time{}
	for _, r := range l.since(time.Time{}, func(read) bool { return true }) {
		first, failing := begun[r.path]
		switch {
		case r.err == nil:
			delete(begun, r.path)
		case !failing:
			begun[r.path] = r.begun
		default:
			longest = max(longest, r.begun.Sub(first))
		}
	}
	return longest
}
