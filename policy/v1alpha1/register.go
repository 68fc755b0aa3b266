// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every kind of Plimsoll.
const GroupName = "plimsoll.dev"

// SchemeGroupVersion is the group and version of this package's kinds.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// AddToScheme makes the kinds of this package known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	builder := runtime.NewSchemeBuilder(addKnownTypes)
	return builder.AddToScheme(scheme)
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&MetricRule{}, &MetricRuleList{},
		&ClusterMetricRule{}, &ClusterMetricRuleList{},
		&ScaleSchedule{}, &ScaleScheduleList{},
		&ScaleForecast{}, &ScaleForecastList{},
		&MemberCluster{}, &MemberClusterList{},
		&FederatedScale{}, &FederatedScaleList{},
		&Headroom{}, &HeadroomList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
