// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// The defaults of a FederatedScale, as the API server and the scaler fill them in.
const (
	DefaultWorkloadKind   = "Deployment"
	DefaultFailoverAfter  = time.Minute
	DefaultReturnAfter    = 5 * time.Minute
	DefaultPendingTimeout = 2 * time.Minute
)

// returnSteps is how many steps of a fail-back fit into failover.returnAfter: with 5m a step a minute.
const returnSteps = 5

// Federation is a FederatedScale in plain values.
//
// +kubebuilder:object:generate=false
type Federation struct {
	Target         MemberTarget // with every field filled in
	Bounds         bool         // minReplicas of the members' own HPAs are divided, not replicas
	Enforce        bool
	Replicas       int64 // asked for
	Options        divide.Options
	PendingTimeout time.Duration
	// Clusters are the limits by the cluster's name; nil: all clusters, without limits.
	Clusters map[string]FederatedCluster
}

// Compile checks everything that the API server cannot (and what it can, for files that it has not seen) and returns the
// scale in plain values. The error names the field below spec.
func (f *FederatedScale) Compile() (Federation, error) {
	spec := &f.Spec
	out := Federation{
		Bounds: spec.Divide == DivideBounds, Enforce: spec.Mode == ModeEnforce, Replicas: 1,
		Options: divide.DefaultOptions(), PendingTimeout: DefaultPendingTimeout,
	}
	out.Target = spec.TargetRef.withDefaults(out.Bounds, f.Name)
	if spec.Replicas != nil {
		out.Replicas = int64(*spec.Replicas)
	}
	if spec.PendingTimeout != nil {
		out.PendingTimeout = spec.PendingTimeout.Duration
	}
	out.Options.After, out.Options.ReturnAfter = DefaultFailoverAfter, DefaultReturnAfter
	if spec.Failover.After != nil {
		out.Options.After = spec.Failover.After.Duration
	}
	if spec.Failover.ReturnAfter != nil {
		out.Options.ReturnAfter = spec.Failover.ReturnAfter.Duration
	}
	if spec.Failover.Mode == FailoverNever {
		out.Options.Failover = divide.Never
	}
	out.Options.StepEvery = out.Options.ReturnAfter / returnSteps
	out.Options.SettleFor = out.Options.ReturnAfter * 2 / returnSteps
	out.Options.Ordinals = out.Target.Kind == kindStatefulSet
	if len(spec.Clusters) > 0 {
		out.Clusters = make(map[string]FederatedCluster, len(spec.Clusters))
	}
	for _, cluster := range spec.Clusters {
		if _, twice := out.Clusters[cluster.Name]; twice {
			return Federation{}, fmt.Errorf("spec.clusters: %q is named twice; name it once", cluster.Name)
		}
		out.Clusters[cluster.Name] = cluster
	}
	return out, out.check(spec)
}

const kindStatefulSet = "StatefulSet"

// withDefaults fills in what is absent.
func (t MemberTarget) withDefaults(bounds bool, name string) MemberTarget {
	if t.Kind == "" && bounds {
		t.Kind = DefaultTargetKind
	}
	if t.Kind == "" {
		t.Kind = DefaultWorkloadKind
	}
	if t.Name == "" {
		t.Name = name
	}
	if t.APIVersion == "" && t.Kind == DefaultTargetKind {
		t.APIVersion = DefaultTargetAPIVersion
	}
	if t.APIVersion == "" {
		t.APIVersion = DefaultWorkloadAPIVersion
	}
	return t
}

func (f Federation) check(spec *FederatedScaleSpec) error {
	isHPA := f.Target.Kind == DefaultTargetKind
	switch {
	case f.Replicas < 0:
		return fmt.Errorf("spec.replicas: %d must be 0 or more", f.Replicas)
	case spec.Divide != "" && spec.Divide != DivideReplicas && spec.Divide != DivideBounds:
		return fmt.Errorf("spec.divide: %q must be %s or %s", spec.Divide, DivideReplicas, DivideBounds)
	case spec.Mode != "" && spec.Mode != ModeObserve && spec.Mode != ModeEnforce:
		return fmt.Errorf("spec.mode: %q must be %s or %s", spec.Mode, ModeObserve, ModeEnforce)
	case spec.Failover.Mode != "" && spec.Failover.Mode != FailoverMove && spec.Failover.Mode != FailoverNever:
		return fmt.Errorf("spec.failover.mode: %q must be %s or %s", spec.Failover.Mode, FailoverMove, FailoverNever)
	case f.Bounds != isHPA:
		return fmt.Errorf("spec.targetRef.kind: %s does not go with divide: %s; Bounds needs a %s, Replicas needs a workload", f.Target.Kind, spec.Divide, DefaultTargetKind)
	case f.PendingTimeout < 5*time.Second || f.PendingTimeout > 6*time.Hour:
		return fmt.Errorf("spec.pendingTimeout: %s must be between 5s and 6h", f.PendingTimeout)
	case f.Options.After < 0 || f.Options.ReturnAfter < 0:
		return fmt.Errorf("spec.failover: after %s and returnAfter %s must be 0s or more", f.Options.After, f.Options.ReturnAfter)
	}
	for name, c := range f.Clusters {
		if c.MinReplicas != nil && c.MaxReplicas != nil && *c.MinReplicas > *c.MaxReplicas {
			return fmt.Errorf("spec.clusters: of %s minReplicas %d must be at most maxReplicas %d", name, *c.MinReplicas, *c.MaxReplicas)
		}
	}
	return nil
}
