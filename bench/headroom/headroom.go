// SPDX-License-Identifier: Apache-2.0

// Package headroom measures how long a surge waits on nodes that are full: with placeholder pods that give way, and without,
// where new nodes have to come. It measures scheduling: kwok's pods have no images to pull and nothing to start.
package headroom

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
	// Replicas of the workload before the surge, whose pods request a cpu each. Four nodes have room for a quarter more.
	Replicas int
	// Surge is by how many percent it grows.
	Surge  int
	Rounds int // of each kind; medians count
	// NodeDelay is how long a new node takes from the first pod that fits nowhere until it is Ready.
	NodeDelay time.Duration
	// PodDelay is how long kwok's pods take from their scheduling until they are Ready.
	PodDelay time.Duration
	Progress io.Writer
}

// DefaultOptions are the flags' defaults. GKE states 80 to 120 seconds for a new node.
func DefaultOptions() Options {
	return Options{Replicas: 100, Surge: 20, Rounds: 3, NodeDelay: 80 * time.Second, Progress: io.Discard}
}

// Result is one measurement.
type Result struct {
	Nodes    int `json:"nodes"`
	Replicas int `json:"replicas"`
	Surge    int `json:"surgeReplicas"`

	WithReserve    Waits `json:"withReserve"`
	WithoutReserve Waits `json:"withoutReserve"`

	NodeDelaySeconds float64 `json:"nodeDelaySeconds"` // stated, not measured
	PodDelaySeconds  float64 `json:"podDelaySeconds"`  // stated, not measured

	BusyPercent float64 `json:"busyPercent"` // of the time in which somebody on this machine waited for a CPU
	CPUs        int     `json:"cpus"`
	Go          string  `json:"go"`
	Date        string  `json:"date"`
}

// Waits are seconds from the write of the scale, medians over the rounds.
type Waits struct {
	FirstSeconds float64   `json:"firstReadySeconds"`
	P50Seconds   float64   `json:"p50ReadySeconds"`
	AllSeconds   float64   `json:"allReadySeconds"`
	AllRounds    []float64 `json:"allReadySecondsByRound"`
	// RefillSeconds is how long after the workload was scaled back its reserve was whole again.
	RefillSeconds float64 `json:"refillSeconds,omitempty"`
}

func (o Options) check() error {
	switch {
	case o.Replicas < 4 || o.Surge < 1 || o.Surge > 20:
		return fmt.Errorf("--replicas is %d and --surge %d: there must be 4 replicas, and a surge of 1 to 20 percent, for which the reserve has room", o.Replicas, o.Surge)
	case o.Rounds < 1:
		return fmt.Errorf("--rounds is %d: it must be positive", o.Rounds)
	case o.NodeDelay < 0 || o.PodDelay < 0:
		return errors.New("--node-delay and --pod-delay must not be below 0")
	}
	return nil
}

// Run measures and writes one JSON object.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	r := Result{
		Nodes: nodes, Replicas: o.Replicas, Surge: o.surge(), NodeDelaySeconds: o.NodeDelay.Seconds(), PodDelaySeconds: o.PodDelay.Seconds(),
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly),
	}
	began, waited := time.Now(), observe.CPUPressure()
	err = measure(ctx, o, dir, &r)
	r.BusyPercent = 100 * (observe.CPUPressure() - waited).Seconds() / time.Since(began).Seconds()
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// surge is how many replicas come on top.
func (o Options) surge() int { return (o.Replicas*o.Surge + 99) / 100 }
