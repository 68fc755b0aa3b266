// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
)

// resync is how often to look without a reason.
const resync = 10 * time.Minute

// rotation is one replica's loop.
type rotation struct {
	options Options
	cluster *cluster
	wake    chan struct{} // holds one: something may have changed
	ready   bool          // Options.Ready was called
	foreign string        // as last logged
}

func (r *rotation) run(ctx context.Context) {
	r.cluster.watch(ctx, func() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	})
	backoff := newBackoff()
	for ctx.Err() == nil {
		again, err := r.turn(ctx)
		pause := min(time.Until(again), resync)
		switch {
		case err == nil:
			backoff = newBackoff()
		case apierrors.IsConflict(err): // another replica was faster
			pause = backoff.Step()
			klog.FromContext(ctx).V(4).Info("Certificates changed while they were looked at", "err", err)
		case ctx.Err() == nil:
			pause = backoff.Step()
			klog.FromContext(ctx).Error(err, "Certificates could not be kept right", "retryAfter", pause)
		}
		r.sleep(ctx, pause, err != nil)
	}
}

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 30 * time.Second}
}

// sleep waits for the time to pass or, unless something just failed, for a change.
func (r *rotation) sleep(ctx context.Context, pause time.Duration, failed bool) {
	timer := time.NewTimer(max(pause, 0))
	defer timer.Stop()
	wake := r.wake
	if failed {
		wake = nil
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// turn looks once and changes what is not right, and says when to look again. The APIServices are read before the Secret:
// what is then written to them stems from a Secret at least as new as the one behind any bundle that was there.
func (r *rotation) turn(ctx context.Context) (again time.Time, err error) {
	logger := klog.FromContext(ctx)
	services, foreign, err := r.cluster.apiServices(ctx)
	if err != nil {
		return again, err
	}
	r.logForeign(logger, foreign)
	secret, err := r.cluster.secret(ctx)
	if err != nil {
		return again, err
	}
	now := time.Now()
	names := DNSNames(r.options.Service)
	s, problems := readState(secret.Data, names, now)
	bundles := map[string][]byte{}
	for name, service := range services {
		bundles[name] = service.Spec.CABundle
	}
	d := plan(s, bundles, now, r.options)
	if d.action == replace {
		s = adopt(s, bundles, now)
	}
	if d.action != nothing {
		s, err = apply(s, d.action, now, func() (pair, error) { return mint(names, now, r.options.Validity) })
		if err != nil {
			return again, err
		}
		if err := r.cluster.save(ctx, secret, s.data()); err != nil {
			return again, err
		}
		logger.Info("Changed the Secret of the serving certificate", "action", d.action, "secret", r.options.Secret,
			"notAfter", s.serving.leaf.NotAfter, "trusted", len(s.trusted), "problems", problems)
		return now, nil // look again at once
	}
	var failed []error
	for _, name := range d.publish {
		failed = append(failed, r.cluster.publish(ctx, services[name], s.bundle()))
	}
	// Also after a failure: whoever does not come by way of the APIService can be served.
	failed = append(failed, r.serve(s))
	if err := joined(failed); err != nil {
		return again, err
	}
	if len(d.publish) > 0 {
		return now.Add(time.Second), nil // the watch tells sooner; this bounds a quarrel with another writer
	}
	return d.again, nil
}

func (r *rotation) serve(s state) error {
	if err := writeFiles(r.options.CertDir, s.serving); err != nil {
		return err
	}
	if !r.ready && r.options.Ready != nil {
		r.options.Ready()
	}
	r.ready = true
	return nil
}

// logForeign says once for each change that an APIService leads elsewhere: somebody else has been installed.
func (r *rotation) logForeign(logger klog.Logger, foreign []string) {
	slices.Sort(foreign)
	text := strings.Join(foreign, ", ")
	if text != r.foreign && text != "" {
		logger.Info("An APIService leads to another Service and is left alone", "apiServices", text)
	}
	r.foreign = text
}

// joined is one error for several: a conflict only if nothing worse happened.
func joined(all []error) error {
	var conflict error
	var worse []error
	for _, err := range all {
		switch {
		case err == nil:
		case apierrors.IsConflict(err):
			conflict = err
		default:
			worse = append(worse, err)
		}
	}
	if len(worse) > 0 {
		return errors.Join(worse...)
	}
	return conflict
}
