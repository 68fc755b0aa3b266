// SPDX-License-Identifier: Apache-2.0

// Package federate measures the scaler with many member clusters and many FederatedScales: the real scaler on a real hub,
// a few real members, and stubs of as many others as the machine could not hold.
package federate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/plimsoll/plimsoll/bench/observe"
)

// Options say what is measured.
type Options struct {
	Real    int // member clusters of their own
	Stubbed int // stubs of member clusters
	Scales  int // FederatedScales
	// PerScale is over how many clusters each is divided, Replicas how many replicas each of these gets.
	PerScale int
	Replicas int
	// PodDelay is the time until a pod is Ready, in real members from its scheduling, in stubs from its creation.
	PodDelay time.Duration
	Idle     time.Duration // how long the scaler is watched while nothing changes
	// Within is how long one step may take.
	Within time.Duration
	// Keep is a folder where logs and profiles stay; "": nowhere.
	Keep     string
	Progress io.Writer
}

// DefaultOptions are the flags' defaults.
func DefaultOptions() Options {
	return Options{
		Real: 4, Stubbed: 50, Scales: 1000, PerScale: 4, Replicas: 2, PodDelay: time.Second, Idle: time.Minute,
		Within: 10 * time.Minute, Progress: io.Discard,
	}
}

func (o Options) check() error {
	switch members := o.Real + o.Stubbed; {
	case o.Real < 0 || o.Stubbed < 0 || members < 3:
		return fmt.Errorf("--real is %d and --stubbed %d: there must be 3 members at least, as one of them fails", o.Real, o.Stubbed)
	case o.PerScale < 2 || o.PerScale > members:
		return fmt.Errorf("--clusters-per-scale is %d: it must be from 2 to the number of members, %d", o.PerScale, members)
	case o.Scales < 1 || o.Replicas < 1:
		return fmt.Errorf("--scales is %d and --replicas %d: both must be positive", o.Scales, o.Replicas)
	case o.PodDelay < 0 || o.Idle < 10*time.Second || o.Within < time.Minute:
		return errors.New("--pod-delay must not be below 0, --idle be at least 10s, and --within at least 1m")
	}
	return nil
}

// asked is how many replicas a FederatedScale asks for at first, and raised after a change: one more in each cluster.
func (o Options) asked() int32  { return int32(o.PerScale * o.Replicas) }
func (o Options) raised() int32 { return int32(o.PerScale * (o.Replicas + 1)) }

// Result is one measurement.
type Result struct {
	Real             int     `json:"real"`
	Stubbed          int     `json:"stubbed"`
	Scales           int     `json:"scales"`
	ClustersPerScale int     `json:"clustersPerScale"`
	ReplicasPerScale int32   `json:"replicasPerScale"`
	ScalesPerMember  float64 `json:"scalesPerMember"`
	PodDelaySeconds  float64 `json:"podDelaySeconds"` // stated, not measured

	// Settle is from the first FederatedScale's creation until all were divided and Ready.
	Settle Settle `json:"settle"`
	Idle   Idle   `json:"idle"`
	// Changes are changes of some of the scales at once.
	Changes []Change `json:"changes"`
	// Hang is a change of all scales while a member accepts connections and never answers.
	Hang    Hang    `json:"hang"`
	Failure Failure `json:"failure"`

	ResidentMiB float64 `json:"residentMiB"` // of the scaler, at the end
	PeakMiB     float64 `json:"peakMiB"`
	// BusyPercent is for how much of the time somebody on this machine waited for a processor. The seconds above are worth
	// little where it is not small.
	BusyPercent float64 `json:"busyPercent"`

	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	Date string `json:"date"`
}

// Settle is how long it took until everything was divided for the first time.
type Settle struct {
	// HealthySeconds is from the scaler's start until every member was judged Healthy, a minute of which is the rule.
	HealthySeconds float64 `json:"healthySeconds"`
	WrittenSeconds float64 `json:"writtenSeconds"` // until all numbers were in the members
	ReadySeconds   float64 `json:"readySeconds"`   // until all FederatedScales said that they are divided
	Costs
}

// Costs are the scaler's, from the beginning of a step until all statuses were right.
type Costs struct {
	CPUSeconds float64 `json:"cpuSeconds"`
	// The others are per FederatedScale that changed, CPU without what the scaler uses in that time anyway.
	CPUMilliseconds float64 `json:"cpuMillisecondsPerScale"`
	Looks           float64 `json:"looksPerScale"`
	StatusWrites    float64 `json:"statusWritesPerScale"`
	EventWrites     float64 `json:"eventWritesPerScale"`
	MemberRequests  float64 `json:"memberRequestsPerScale"`
}

// Idle is what the scaler uses while nothing changes.
type Idle struct {
	Seconds        float64 `json:"seconds"`
	CPUPercent     float64 `json:"cpuPercent"` // of a core
	ResidentMiB    float64 `json:"residentMiB"`
	PeakMiB        float64 `json:"peakMiB"`
	LooksPerMinute float64 `json:"looksPerMinute"` // at FederatedScales
	BusyPercent    float64 `json:"busyPercent"`
	// Per minute: of one member on average, and of the hub.
	RealMember    *Traffic `json:"realMember,omitempty"`
	StubbedMember *Traffic `json:"stubbedMember,omitempty"`
	Hub           Traffic  `json:"hub"`
}

// Traffic is what goes between the scaler and an API server in a minute, bytes as they are on the wire.
type Traffic struct {
	ReadBytes    float64 `json:"readBytes"`
	WrittenBytes float64 `json:"writtenBytes"`
	Requests     float64 `json:"requests"`
	Probes       float64 `json:"probes,omitempty"`
	Connections  float64 `json:"connections"`
}

// Change is one change, measured for each scale from the moment when its new number was sent to the hub.
type Change struct {
	Scales int   `json:"scales"` // at once
	Rounds int   `json:"rounds"` // one after the other
	From   int32 `json:"from"`
	To     int32 `json:"to"`
	Times
	// SentSeconds is how long it took to give the hub all numbers, of which the times above are part.
	SentSeconds float64 `json:"sentSeconds"`
	// StatusSeconds is from the first number sent until all FederatedScales said that all is Ready, the mean of the rounds.
	StatusSeconds float64 `json:"statusSeconds"`
	// Costs are absent where few change: what the scaler does anyway is more.
	*Costs
}

// Times are from the moment when a scale's new number was sent until every member had its own.
type Times struct {
	P50Seconds float64 `json:"p50Seconds"`
	P99Seconds float64 `json:"p99Seconds"`
	MaxSeconds float64 `json:"maxSeconds"`
}

// Hang is a change while a member hangs.
type Hang struct {
	Scales int `json:"scales"`
	// Others are the scales without the member, Shared those with it: until its other members had their numbers.
	Others Times `json:"others"`
	Shared Times `json:"shared"`
	// BackSeconds is from the end of the hang until all was divided and Ready, a minute of which is the rule.
	BackSeconds float64 `json:"backSeconds"`
}

// Failure is the end of one member.
type Failure struct {
	Kind   string `json:"kind"`   // of the member that failed: real or stubbed
	Scales int    `json:"scales"` // with a share there
	// FailedSeconds is from its end until it was declared failed, DueSeconds until its replicas might move by the rule.
	FailedSeconds float64 `json:"failedSeconds"`
	DueSeconds    float64 `json:"dueSeconds"`
	// FromFailed and FromDue are until the other members of a scale had their raised numbers.
	FromFailed Times `json:"fromFailed"`
	FromDue    Times `json:"fromDue"`
	// ReadySeconds is from when they might move until as many as before were Ready everywhere.
	ReadySeconds float64 `json:"readySeconds"`
	Costs
}

// Run measures and writes one JSON object.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	result := &Result{
		Real: o.Real, Stubbed: o.Stubbed, Scales: o.Scales, ClustersPerScale: o.PerScale, ReplicasPerScale: o.asked(),
		ScalesPerMember: float64(o.Scales*o.PerScale) / float64(o.Real+o.Stubbed), PodDelaySeconds: o.PodDelay.Seconds(),
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly),
	}
	began, waited := time.Now(), observe.CPUPressure()
	err := measure(ctx, o, result)
	result.BusyPercent = 100 * (observe.CPUPressure() - waited).Seconds() / time.Since(began).Seconds()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func measure(ctx context.Context, o Options, r *Result) error {
	dir, remove := o.Keep, func() error { return nil }
	if dir == "" {
		made, err := os.MkdirTemp("", "plimsoll-bench-")
		if err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		dir, remove = made, func() error { return os.RemoveAll(made) }
	}
	s, err := newStage(ctx, o, dir)
	if err == nil {
		err = errors.Join(s.measure(ctx, r), s.stop())
	}
	return errors.Join(err, remove())
}
