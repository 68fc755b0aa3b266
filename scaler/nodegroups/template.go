// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"math"
	"regexp"

	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// Template is what a new node of a group will be.
type Template struct {
	// Node is what pods may request of it while it is empty: cpu in millicores, the others in whole units. What DaemonSets
	// will take of it is not known here.
	Node   fit.Node
	Labels map[string]string
	Taints []corev1.Taint
}

// templateOf reads an answer: the new field, else the old one. nil: there is no template in it.
//
// The node is read as the few fields that are needed, not with core/v1's Unmarshal: that one parses quantities, and takes
// seconds and gigabytes for one such as 1e-99999999.
func templateOf(r *externalgrpc.NodeGroupTemplateNodeInfoResponse, group string) (*Template, error) {
	encoded := r.GetNodeBytes()
	if len(encoded) == 0 {
		encoded = r.GetNodeInfo()
	}
	if len(encoded) == 0 {
		return nil, nil
	}
	var node externalgrpc.Node
	if err := proto.Unmarshal(encoded, &node); err != nil {
		return nil, invalid("the template of node group %q is no Node: %w", group, err)
	}
	amounts := node.GetStatus().GetAllocatable()
	if len(amounts) == 0 { // as the API server does
		amounts = node.GetStatus().GetCapacity()
	}
	free := make(fit.Resources, len(amounts))
	for name, q := range amounts {
		amount, ok := amountOf(name, q.GetText())
		if !ok {
			return nil, invalid("the template of node group %q has %s: %q, which is no amount", group, oneLine(name), oneLine(q.GetText()))
		}
		free[name] = amount
	}
	t := &Template{Labels: node.GetMetadata().GetLabels()}
	t.Node.Pods = free[string(corev1.ResourcePods)]
	delete(free, string(corev1.ResourcePods))
	t.Node.Free = free
	for _, taint := range node.GetSpec().GetTaints() {
		t.Taints = append(t.Taints, corev1.Taint{Key: taint.GetKey(), Value: taint.GetValue(), Effect: corev1.TaintEffect(taint.GetEffect())})
	}
	return t, nil
}

// quantity is an amount that a node can have. Others are refused before they are parsed.
var quantity = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,9})?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$`)

// largest is the largest amount that counts: in thousandths, too, it is within int64.
const largest = math.MaxInt64 / 1000

func amountOf(name, text string) (int64, bool) {
	if !quantity.MatchString(text) {
		return 0, false
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, false
	}
	if q.CmpInt64(largest) > 0 {
		q.Set(largest)
	}
	if name == string(corev1.ResourceCPU) {
		return q.MilliValue(), true
	}
	return q.Value(), true
}
