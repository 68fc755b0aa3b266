// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/override"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// overrideFlags are the flags of `override`.
type overrideFlags struct {
	kube   kubeFlags
	hpas   hpaNames
	output string

	min, max, replicas   int32
	noScaleDown, hardMax bool
	ahead                time.Duration
	until, reason        string
	end, dryRun, yes     bool
	wait                 bool
	timeout              time.Duration
}

func newOverride(stdin io.Reader, stderr io.Writer) *cobra.Command {
	f := &overrideFlags{}
	command := &cobra.Command{
		Use:   "override hpa/NAME...",
		Short: "Set the bounds of HPAs by hand for a while, whatever schedules and forecasts say",
		Long: `override sets the bounds of HPAs by hand until a time at which it ends by itself. It beats every schedule and forecast,
and may lower as well as raise. Without flags it shows the present override.

It is written as the annotation plimsoll.dev/override; the scaler applies it at once. Before it is written, override
says what changes and who is overruled (--dry-run: only that). What would leave the HPA less than it wants needs --yes,
or a yes typed on a terminal. An HPA that another controller owns is refused, naming the owner.

The exit codes: 0 done; 1 refused, not consented or failed; 2 bad flags; 3 written, but no scaler applied it in time
(--wait=false does not wait).`,
		Example: `  plimsoll override hpa/shop --min 400 --for 2h --reason "livestream at 20:00"
  plimsoll override hpa/shop --min 400 --max 800 --until 2026-11-12T02:00 --dry-run
  plimsoll override hpa/shop hpa/pay --no-scale-down --for 30m --reason "incident 4711"
  plimsoll override hpa -l tier=web --replicas 20 --until 23:00
  plimsoll override hpa/shop --end`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, stdin, stderr, args) },
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return f.kube.complete(c.Context(), args, typed, target.HPA)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput{err} })
	f.add(command)
	return command
}

func (f *overrideFlags) add(command *cobra.Command) {
	f.kube.add(command)
	flags := command.Flags()
	flags.StringVarP(&f.hpas.selector, "selector", "l", "", "instead of names: all HPAs of the namespace with these labels; write: hpa -l app=shop")
	flags.Int32Var(&f.min, "min", 0, "minReplicas; above the HPA's maximum it needs --max")
	flags.Int32Var(&f.max, "max", 0, "maxReplicas; where the HPA wants more now, it follows the demand down")
	flags.Int32Var(&f.replicas, "replicas", 0, "the exact count, instead of --min and --max")
	flags.BoolVar(&f.noScaleDown, "no-scale-down", false, "nothing scales down: freeze")
	flags.BoolVar(&f.hardMax, "hard-max", false, "the maximum holds at once, even where that removes replicas that the HPA wants")
	flags.DurationVar(&f.ahead, "for", 0, "how long, such as 2h; at most 744h")
	flags.StringVar(&f.until, "until", "", "when it ends: 23:00, 2026-11-12T02:00 (your time) or 2026-11-12T02:00:00+08:00")
	flags.StringVar(&f.reason, "reason", "", "why; whoever asks later is told")
	flags.BoolVar(&f.end, "end", false, "end the present override now")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would change, and write nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do it even where it leaves the HPA less than it wants")
	flags.BoolVar(&f.wait, "wait", true, "wait until the scaler has applied it")
	flags.DurationVar(&f.timeout, "timeout", 20*time.Second, "how long to wait for the scaler")
	addOutput(command, &f.output)
}

// unanswered is a wait in vain; it ends the process with exit code 3.
type unanswered struct{ error }

func (unanswered) ExitCode() int   { return 3 }
func (e unanswered) Unwrap() error { return e.error }

func (f *overrideFlags) run(c *cobra.Command, stdin io.Reader, stderr io.Writer, args []string) error {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	now := time.Now()
	wish, err := f.wish(c, now)
	if err != nil {
		return badInput{err}
	}
	if err := f.hpas.check(args); err != nil {
		return badInput{err}
	}
	cluster, err := f.kube.connect(stderr)
	if err != nil {
		return err
	}
	s := &overrideSession{flags: f, out: c.OutOrStdout(), stdin: stdin, stderr: stderr, cluster: cluster, now: now}
	ctx, cancel := context.WithTimeout(c.Context(), f.kube.timeout)
	defer cancel()
	if s.keys, err = f.hpas.find(ctx, cluster, args); err != nil {
		return err
	}
	if s.seen, err = snapshot.Take(ctx, cluster, cluster.Namespace); err != nil {
		return target.Sentence(err)
	}
	if wish == nil && !f.end {
		return s.show(ctx)
	}
	if wish != nil {
		wish.Author = cluster.User(ctx)
	}
	if err := s.propose(ctx, wish); err != nil {
		return err
	}
	if err := s.agree(); err != nil {
		return err
	}
	return s.do(c.Context())
}

// wish is the override that the flags ask for; nil if they ask for none.
func (f *overrideFlags) wish(c *cobra.Command, now time.Time) (*record.Override, error) {
	given := c.Flags().Changed
	o := record.Override{NoScaleDown: f.noScaleDown, HardMax: f.hardMax, Reason: strings.TrimSpace(f.reason), Since: now.UTC().Truncate(time.Second)}
	asks := f.noScaleDown
	for flag, n := range map[string]struct {
		value int32
		into  **int32
	}{"min": {f.min, &o.Min}, "max": {f.max, &o.Max}, "replicas": {f.replicas, &o.Replicas}} {
		if given(flag) {
			value := n.value
			*n.into, asks = &value, true
		}
	}
	others := asks || f.hardMax || given("for") || given("until") || given("reason")
	switch {
	case f.end && others:
		return nil, errors.New("--end ends the present override; it goes with no other wish")
	case !asks && (f.hardMax || given("for") || given("until") || given("reason")):
		return nil, errors.New("the override changes nothing: say what with --min, --max, --replicas or --no-scale-down")
	case !asks:
		return nil, nil
	case given("for") == given("until"):
		return nil, errors.New("say how long the override holds, with --for 2h or --until 23:00; it ends by itself")
	case given("for"):
		o.Until = o.Since.Add(f.ahead)
	default:
		var err error
		if o.Until, err = override.ParseUntil(f.until, now); err != nil {
			return nil, err
		}
	}
	if !o.Until.After(now) {
		return nil, fmt.Errorf("the override would have ended already, at %s", o.Until.Format(time.RFC3339))
	}
	return &o, o.Validate()
}

// overrideSession is one run of `override` on a cluster.
type overrideSession struct {
	flags       *overrideFlags
	out, stderr io.Writer
	stdin       io.Reader
	cluster     *target.Cluster
	seen        *snapshot.Snapshot
	keys        []types.NamespacedName
	proposals   []override.Proposal
	now         time.Time
}

func (s *overrideSession) view() override.View {
	return override.View{Now: s.now, Zone: s.now.Location(), Width: widthOf(s.out)}
}

func (s *overrideSession) show(ctx context.Context) error {
	document := override.Document{Overrides: []override.Override{}}
	for _, key := range s.keys {
		present, err := override.Present(ctx, s.seen, key, s.now)
		if err != nil {
			return target.Sentence(err)
		}
		document.Overrides = append(document.Overrides, present)
	}
	if s.flags.output == "json" {
		return writeJSON(s.out, document)
	}
	for _, o := range document.Overrides {
		if _, err := io.WriteString(s.out, override.Text(o, s.view())); err != nil {
			return err
		}
	}
	return nil
}

// propose works out and tells what would change; with one refusal nothing is written at all.
func (s *overrideSession) propose(ctx context.Context, wish *record.Override) error {
	var errs []error
	for _, key := range s.keys {
		p, err := override.Propose(ctx, s.seen, key, wish, s.now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.DryRun = s.flags.dryRun
		s.proposals = append(s.proposals, p)
		if s.flags.output == "table" {
			if _, err := io.WriteString(s.out, override.Text(p.Override, s.view())); err != nil {
				return err
			}
		}
	}
	return target.Sentence(errors.Join(errs...))
}

// agree asks a person on a terminal for what needs a yes.
func (s *overrideSession) agree() error {
	var reasons []string
	for _, p := range s.proposals {
		for _, reason := range p.Consent {
			reasons = append(reasons, "hpa/"+p.HPA+": "+reason)
		}
	}
	if len(reasons) == 0 || s.flags.yes || s.flags.dryRun {
		return nil
	}
	refusal := fmt.Errorf("nothing was written, because %s; give --yes if that is meant", strings.Join(reasons, "; "))
	file, ok := s.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return refusal
	}
	fmt.Fprint(s.stderr, "Type yes to do it all the same: ")
	line, err := bufio.NewReader(file).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "yes" {
		return refusal
	}
	return nil
}

// do writes the proposals, and waits for the scaler.
func (s *overrideSession) do(ctx context.Context) error {
	var errs []error
	for i := range s.proposals {
		errs = append(errs, s.write(ctx, &s.proposals[i]))
	}
	document := override.Document{Overrides: []override.Override{}}
	begin := time.Now()
	for i := range s.proposals {
		p := &s.proposals[i]
		errs = append(errs, s.await(ctx, p, begin))
		document.Overrides = append(document.Overrides, p.Override)
		if s.flags.output == "table" {
			fmt.Fprintf(s.out, "hpa/%s %s\n", p.HPA, override.Answer(p.Override, s.flags.timeout))
		}
	}
	if s.flags.output == "json" {
		errs = append(errs, writeJSON(s.out, document))
	}
	return errors.Join(errs...)
}

func (s *overrideSession) write(ctx context.Context, p *override.Proposal) error {
	if p.DryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.flags.kube.timeout)
	defer cancel()
	if err := override.Write(ctx, s.cluster, s.seen, *p, s.now); err != nil {
		return target.Sentence(err)
	}
	p.Written = true
	return nil
}

// await waits for the scaler; the time-out is for all HPAs together, from begin.
func (s *overrideSession) await(ctx context.Context, p *override.Proposal, begin time.Time) error {
	if !p.Written || !s.flags.wait {
		return nil
	}
	settled, err := override.Wait(ctx, s.cluster, s.seen, types.NamespacedName{Namespace: p.Namespace, Name: p.HPA}, s.flags.timeout-time.Since(begin))
	if err != nil {
		return fmt.Errorf("hpa/%s: written, but it cannot be seen whether the scaler applied it: %w", p.HPA, target.Sentence(err))
	}
	p.Stage(settled, time.Since(begin))
	if p.Applied == override.Unanswered {
		return unanswered{fmt.Errorf("hpa/%s: no scaler has applied it yet", p.HPA)}
	}
	return nil
}
