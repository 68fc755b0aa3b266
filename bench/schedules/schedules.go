// SPDX-License-Identifier: Apache-2.0

// Package schedules measures what it costs when the schedules of many HPAs change in the same minute: the real scaler, an
// API server and etcd, and no HPA controller, which would be the slower one.
package schedules

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Options say what is measured.
type Options struct {
	HPAs     int  // each with a ScaleSchedule of its own
	Apply    bool // the HPAs' owner applies them on the server's side, instead of creating them
	Progress io.Writer
}

// DefaultOptions are the flags' defaults.
func DefaultOptions() Options { return Options{HPAs: 5000, Progress: io.Discard} }

// operation is how the HPAs' owner owns their fields.
func (o Options) operation() metav1.ManagedFieldsOperationType {
	if o.Apply {
		return metav1.ManagedFieldsOperationApply
	}
	return metav1.ManagedFieldsOperationUpdate
}

// Result is one measurement.
type Result struct {
	HPAs  int    `json:"hpas"`
	Owner string `json:"owner"` // the operation with which the HPAs' owner owns their fields: Update or Apply
	// Begin is the minute in which all windows begin, End that in which they end.
	Begin Change `json:"begin"`
	End   Change `json:"end"`
	// NotGivenBack is how many HPAs still have something of ours at the end: an annotation, or a field in our name.
	NotGivenBack int `json:"notGivenBack"`

	ResidentMiB float64 `json:"residentMiB"` // of the scaler, at rest afterwards
	PeakMiB     float64 `json:"peakMiB"`
	// RestCPUPercent is what the scaler uses of a core while no window changes.
	RestCPUPercent float64 `json:"restCPUPercent"`
	// BusyPercent is for how much of that time somebody else on the machine waited for a processor. The seconds above are
	// worth little where it is not small.
	BusyPercent float64 `json:"busyPercent"`

	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	Date string `json:"date"`
}

// Change is what one change of all schedules took, from the second at which it was due.
type Change struct {
	P50Seconds    float64 `json:"p50Seconds"` // until half of the bounds were right
	P99Seconds    float64 `json:"p99Seconds"`
	AllSeconds    float64 `json:"allSeconds"`    // until all bounds were right
	StatusSeconds float64 `json:"statusSeconds"` // until all schedules' statuses said so, too

	HPAWritesPerChange    float64 `json:"hpaWritesPerChange"`    // that reached the API server, also refused ones
	HPARefusedPerChange   float64 `json:"hpaRefusedPerChange"`   // of those: conflicts and errors
	StatusWritesPerChange float64 `json:"statusWritesPerChange"` // of ScaleSchedules
	EventWritesPerChange  float64 `json:"eventWritesPerChange"`
	CPUSeconds            float64 `json:"cpuSeconds"` // of the scaler, until all statuses were right
}

// Run measures and writes one JSON object.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if o.HPAs < 1 {
		return fmt.Errorf("--hpas is %d: it must be positive", o.HPAs)
	}
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	result, err := s.measure(ctx)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	result.HPAs, result.Owner, result.CPUs, result.Go, result.Date = o.HPAs, string(o.operation()), runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly)
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
