// SPDX-License-Identifier: Apache-2.0

package hpa

import "time"

// Phase is a pod's status.phase.
type Phase string

const (
	PodPending   Phase = "Pending"
	PodRunning   Phase = "Running"
	PodSucceeded Phase = "Succeeded"
	PodFailed    Phase = "Failed"
	PodUnknown   Phase = "Unknown"
)

// ReadyStatus is the status of a pod's condition Ready; empty: the pod has no such condition.
type ReadyStatus string

const (
	ReadyTrue    ReadyStatus = "True"
	ReadyFalse   ReadyStatus = "False"
	ReadyUnknown ReadyStatus = "Unknown"
)

// Pod is what the HPA looks at in a pod.
type Pod struct {
	Name       string
	Phase      Phase
	Deleting   bool // it has a deletionTimestamp
	Ready      ReadyStatus
	ReadySince time.Time // lastTransitionTime of the condition Ready
	Started    time.Time // status.startTime; zero: none

	// Containers are spec.containers and then the init containers with restartPolicy Always, in their order.
	Containers []Container
	// Requests are the requests of the whole pod, if the pod states them at pod level; nil: it does not.
	Requests Requests
}

// Container has a name and its requests.
type Container struct {
	Name     string
	Requests Requests
}

// Requests is a resource's name to thousandths of its unit.
type Requests map[string]int64

// PodValue is a metric's value for one pod.
type PodValue struct {
	Pod    string
	Value  int64         // thousandths of the metric's unit
	Time   time.Time     // when it was measured
	Window time.Duration // over which time; looked at for CPU only
}

// Reading is what came back for one metric.
type Reading struct {
	Err    error      // set: there is no value
	Pods   []PodValue // Pods, Resource, ContainerResource. One of a pod that is not among the pods counts, as it does in Kubernetes
	Value  int64      // Object, in thousandths
	Values []int64    // External: one for each series, in thousandths
}

// Observation is what one sync of the HPA sees.
type Observation struct {
	Now            time.Time
	Replicas       int32 // spec.replicas of the scale subresource
	StatusReplicas int32 // status.replicas of the scale subresource
	Pods           []Pod
	Readings       []Reading // one for each metric of the spec, in its order
}

// Recommendation is what the metrics asked for at a time.
type Recommendation struct {
	Replicas int32
	Time     time.Time
}

// ScaleEvent is a change of the replicas. Spent ones have left every policy's period; the next event takes their place.
type ScaleEvent struct {
	Change int32 // never negative
	Time   time.Time
	Spent  bool
}

// State is what the controller remembers of an HPA from one sync to the next. It loses it when it restarts: the zero
// value is what it starts with.
type State struct {
	Recommendations []Recommendation
	ScaleUps        []ScaleEvent
	ScaleDowns      []ScaleEvent
	ScaledToZero    bool // the HPA's condition ScaledToZero, which survives a restart
}

// Condition is a condition that the controller sets on the HPA. The zero value: it leaves the condition as it was.
type Condition struct {
	Status bool
	Reason string
}

// Jump says which bound the replicas were outside of.
type Jump string

const (
	NoJump   Jump = ""
	AboveMax Jump = "AboveMax"
	BelowMin Jump = "BelowMin"
)

// Decision is the outcome of one sync.
type Decision struct {
	Replicas int32 // what spec.replicas is afterwards
	Rescaled bool  // whether the controller writes it

	// Wanted is what the metrics asked for, before stabilization and limits; nil: they were not read or gave nothing.
	Wanted *int32
	// Stabilized is Wanted after the stabilization windows; nil with Wanted.
	Stabilized *int32
	// Winner is the index of the metric that asked for Wanted, -1 without one.
	Winner int
	Jump   Jump

	AbleToScale    Condition
	ScalingActive  Condition
	ScalingLimited Condition

	// Errs has an entry for each metric: nil where it gave a number.
	Errs []error
}
