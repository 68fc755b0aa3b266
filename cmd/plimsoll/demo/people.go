// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// cluster is what the planned shop's people see of Plimsoll, and how they write.
type cluster struct {
	client.Client
	trusted  bool          // the forecast counts
	forecast string        // what it says, in a sentence
	lead     time.Duration // as the scaler measured it; 0: it has not
}

func connect(config *rest.Config) (*cluster, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &cluster{Client: c}, nil
}

// look reads what the forecast says.
func (c *cluster) look(ctx context.Context) error {
	var f v1alpha1.ScaleForecast
	if err := c.Get(ctx, types.NamespacedName{Namespace: plannedNamespace, Name: forecastName}, &f); err != nil {
		return fmt.Errorf("read the ScaleForecast: %w", err)
	}
	c.trusted = f.Status.Effective == v1alpha1.ForecastEnforcing
	c.lead = 0
	if f.Status.LeadTimeFrom == "Measured" {
		c.lead, _ = time.ParseDuration(f.Status.LeadTime) // the scaler wrote it with the same library
	}
	c.forecast = "no status yet"
	for _, condition := range f.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			c.forecast = condition.Reason + ": " + condition.Message
		}
	}
	return nil
}

// news is what the planned shop's people did last.
type news struct {
	text     string
	at       time.Duration
	override int // the number of the day whose override is written, from 1; 0: none yet
	schedule int // the same of the schedule
}

func (n news) line() string {
	if n.text == "" {
		return ""
	}
	return report.Clock(n.at) + " " + n.text
}

// schedule writes the sale of a day.
func (d *demo) schedule(ctx context.Context, number int) error {
	object, err := text(d.planner.scheduleOf(number))
	if err != nil {
		return err
	}
	if err := d.stage.ApplyYAML(ctx, object); err != nil {
		return err
	}
	d.news.schedule = number + 1
	return nil
}

// plan does what the people of the planned shop do at a time: at midnight they enter the day's sale, and when they hear
// of the TV show they override the HPA. What fails is tried again a second later.
func (d *demo) plan(ctx context.Context, at time.Duration) {
	number := int(at / d.day.Length)
	if d.news.schedule <= number {
		if err := d.schedule(ctx, number); err != nil {
			klog.FromContext(ctx).Error(err, "The sale could not be scheduled")
		}
	}
	from, to := d.day.Mention()
	today := at % d.day.Length
	if d.news.override > number || today < from-d.planner.notice() || today > to {
		return
	}
	o := d.planner.override(d.planned.shop.State().Users, number)
	if err := writeOverride(ctx, d.cluster, o); err != nil {
		klog.FromContext(ctx).Error(err, "The override could not be written")
		return
	}
	d.overridden(o, at, number)
}

func (d *demo) overridden(o record.Override, at time.Duration, number int) {
	d.overrides = append(d.overrides, o)
	d.news.override, d.news.at, d.news.text = number+1, at, fmt.Sprintf("%s: %q: %s", o.Author, o.Reason, command(o))
}

// look observes both shops and the forecast.
func (d *demo) look(ctx context.Context, at time.Duration) {
	for _, b := range []*branch{d.alone, d.planned} {
		seen, err := b.observe(ctx, at)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			seen.said, seen.problem = err.Error(), true
		} else {
			b.run.Samples = append(b.run.Samples, seen.Sample)
		}
		b.last = seen
	}
	if err := d.cluster.look(ctx); err != nil && ctx.Err() == nil {
		d.cluster.forecast = err.Error()
	}
}
