// SPDX-License-Identifier: Apache-2.0

package api

import (
	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// Protobuf as the API machinery writes it: the magic number, a runtime.Unknown with type and raw message, and in the message
// every string field that is not a pointer, also when it is empty. Numbers are those of the generated.proto files of
// k8s.io/apimachinery, k8s.io/api and k8s.io/metrics.
const (
	magic         = "k8s\x00"
	protobufType  = "application/vnd.kubernetes.protobuf"
	emptyListMeta = "\x0a\x06\x0a\x00\x12\x00\x1a\x00" // field 1: ListMeta{selfLink, resourceVersion, continue}
)

// encoder writes one answer. Its buffers are reused.
type encoder struct {
	body []byte // the list message
	item []byte
	part []byte
	out  []byte // the whole answer
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// custom encodes a MetricValueList of custom.metrics.k8s.io. selector is an encoded LabelSelector; nil for none.
func (c *encoder) custom(version, metric string, selector []byte, a *answer) []byte {
	c.body = append(c.body[:0], emptyListMeta...)
	apiVersion, kind := a.entry.Rule.Object.Kind.ToAPIVersionAndKind()
	for _, row := range a.rows {
		c.part = appendReference(c.part[:0], apiVersion, kind, row)
		c.item = appendBytes(c.item[:0], 1, c.part)
		if version == "v1beta1" {
			c.item = appendString(c.item, 2, metric)
			c.measured(row, 3, 5)
			if selector != nil {
				c.item = appendBytes(c.item, 6, selector)
			}
		} else {
			c.part = appendString(c.part[:0], 1, metric)
			if selector != nil {
				c.part = appendBytes(c.part, 2, selector)
			}
			c.item = appendBytes(c.item, 2, c.part)
			c.measured(row, 3, 5)
		}
		c.body = appendBytes(c.body, 2, c.item)
	}
	return c.envelope(customGroup+"/"+version, "MetricValueList")
}

// external encodes an ExternalMetricValueList.
func (c *encoder) external(metric string, a *answer) []byte {
	c.body = append(c.body[:0], emptyListMeta...)
	for _, row := range a.rows {
		c.item = appendString(c.item[:0], 1, metric)
		for _, l := range row.Labels { // sorted, as maps are encoded
			c.part = appendString(appendString(c.part[:0], 1, l.Name), 2, l.Value)
			c.item = appendBytes(c.item, 2, c.part)
		}
		c.measured(row, 3, 5)
		c.body = appendBytes(c.body, 2, c.item)
	}
	return c.envelope(externalGroup+"/v1beta1", "ExternalMetricValueList")
}

// appendReference appends the message of a core/v1 ObjectReference.
func appendReference(b []byte, apiVersion, kind string, row *snapshot.Row) []byte {
	b = appendString(b, 1, kind)
	b = appendString(b, 2, row.Object.Namespace)
	b = appendString(b, 3, row.Object.Name)
	b = appendString(b, 4, "")
	b = appendString(b, 5, apiVersion)
	b = appendString(b, 6, "")
	return appendString(b, 7, "")
}

// measured appends the sample time and the value. Kubernetes times have whole seconds on the wire, and an explicit zero for
// the rest.
func (c *encoder) measured(row *snapshot.Row, timeField, valueField protowire.Number) {
	c.part = protowire.AppendVarint(append(c.part[:0], 0x08), uint64(row.Time.Unix()))
	c.part = append(c.part, 0x10, 0)
	c.item = appendBytes(c.item, timeField, c.part)

	var text [32]byte
	quantity := appendQuantity(text[:0], row.Value)
	c.part = appendBytes(c.part[:0], 1, quantity)
	c.item = appendBytes(c.item, valueField, c.part)
}

// envelope wraps the body into runtime.Unknown behind the magic number.
func (c *encoder) envelope(apiVersion, kind string) []byte {
	c.part = appendString(appendString(c.part[:0], 1, apiVersion), 2, kind)
	c.out = append(c.out[:0], magic...)
	c.out = appendBytes(c.out, 1, c.part)
	c.out = appendBytes(c.out, 2, c.body)
	c.out = appendString(c.out, 3, "")
	return appendString(c.out, 4, "")
}

// encodeSelector encodes a LabelSelector once, for all answers that repeat it; nil for nil.
func encodeSelector(s *metav1.LabelSelector) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	b, err := s.Marshal()
	if b == nil {
		b = []byte{} // an empty selector is still there
	}
	return b, err
}
