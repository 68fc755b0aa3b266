// SPDX-License-Identifier: Apache-2.0

package distribute

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// kind is one that can be distributed.
type kind struct {
	name   string
	object func() client.Object
	list   func() client.ObjectList
}

func kinds() []kind {
	return []kind{
		{"ClusterMetricRule", func() client.Object { return &v1alpha1.ClusterMetricRule{} }, func() client.ObjectList { return &v1alpha1.ClusterMetricRuleList{} }},
		{"MetricRule", func() client.Object { return &v1alpha1.MetricRule{} }, func() client.ObjectList { return &v1alpha1.MetricRuleList{} }},
		{"ScaleSchedule", func() client.Object { return &v1alpha1.ScaleSchedule{} }, func() client.ObjectList { return &v1alpha1.ScaleScheduleList{} }},
		{"ScaleForecast", func() client.Object { return &v1alpha1.ScaleForecast{} }, func() client.ObjectList { return &v1alpha1.ScaleForecastList{} }},
	}
}

// name is that of an object of one of the kinds.
type name struct {
	kind string
	types.NamespacedName
}

func (n name) String() string {
	if n.Namespace == "" {
		return n.kind + " " + n.Name
	}
	return n.kind + " " + n.NamespacedName.String()
}

// thing is an original or a copy.
type thing struct {
	name
	uid     types.UID
	by      string // the hub that made it; "": nobody says so
	spec    map[string]any
	problem string // why it cannot be distributed
}

func thingOf(kind string, object client.Object) (thing, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return thing{}, fmt.Errorf("read %s %s: %w", kind, client.ObjectKeyFromObject(object), err)
	}
	spec, _ := fields["spec"].(map[string]any)
	t := thing{name: name{kind, client.ObjectKeyFromObject(object)}, uid: object.GetUID(), by: object.GetLabels()[ByLabel], spec: spec}
	switch {
	case t.by != "":
		t.problem = "it is another hub's copy itself; remove the label " + Label
	case spec["members"] != nil && spec["members"] != "":
		t.problem = "members asks for the hub's members, which a member does not have; remove the label " + Label
	}
	return t, nil
}

// listThings lists those of a kind that have a label.
func listThings(ctx context.Context, reader client.Reader, k kind, labels client.MatchingLabels) ([]thing, error) {
	list := k.list()
	if err := reader.List(ctx, list, labels); err != nil {
		return nil, err
	}
	var all []thing
	err := meta.EachListItem(list, func(object runtime.Object) error {
		o, ok := object.(client.Object)
		if !ok || o.GetDeletionTimestamp() != nil {
			return nil
		}
		t, err := thingOf(k.name, o)
		all = append(all, t)
		return err
	})
	return all, err
}

// originals are what all members shall have, in the order of the kinds and by name.
func (r *reconciler) originals(ctx context.Context) ([]thing, error) {
	var all []thing
	for _, k := range kinds() {
		some, err := listThings(ctx, r.client, k, client.MatchingLabels{Label: "true"})
		if err != nil {
			return nil, fmt.Errorf("cannot list what is distributed: %w", err)
		}
		slices.SortFunc(some, func(a, b thing) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		all = append(all, some...)
	}
	return all, nil
}
