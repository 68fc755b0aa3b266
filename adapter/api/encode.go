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

	// room is kept free before the message for magic number, type and length, which are known last.
	room = 128
)

// encoder writes one answer. Its buffers are reused.
type encoder struct {
	out  []byte // room, the list message, the end of the envelope
	item []byte

	// What the items of one answer share, encoded once.
	before []byte // ObjectReference before the name
	after  []byte // ObjectReference after the name
	metric []byte // the field that names the metric
	last   []byte // fields after the value

	second int64 // of the time in timing
	timing []byte
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// begin empties the buffers and starts a list.
func (c *encoder) begin() {
	if cap(c.out) < room {
		c.out = make([]byte, room, 4096)
	}
	c.out = append(c.out[:room], emptyListMeta...)
	c.timing, c.second = c.timing[:0], 0
	c.before, c.after, c.metric, c.last = c.before[:0], c.after[:0], c.metric[:0], c.last[:0]
}

// custom encodes a MetricValueList of custom.metrics.k8s.io, valid until the next call. selector is an encoded
// LabelSelector; nil for none. All rows are objects of one namespace.
func (c *encoder) custom(version, metric string, selector []byte, a *answer) []byte {
	c.begin()
	c.shared(version, metric, selector, a)
	for _, row := range a.rows {
		name := row.Object.Name
		reference := len(c.before) + protowire.SizeBytes(len(name)) + 1 + len(c.after)
		c.item = protowire.AppendVarint(append(c.item[:0], 0x0a), uint64(reference))
		c.item = append(c.item, c.before...)
		c.item = appendString(c.item, 3, name)
		c.item = append(c.item, c.after...)
		c.item = append(c.item, c.metric...)
		c.measured(row)
		c.item = append(c.item, c.last...)
		c.out = appendBytes(c.out, 2, c.item)
	}
	return c.envelope(customGroup+"/"+version, "MetricValueList")
}

// shared encodes what all items of a custom metric have in common.
func (c *encoder) shared(version, metric string, selector []byte, a *answer) {
	apiVersion, kind := a.entry.Rule.Object.Kind.ToAPIVersionAndKind()
	namespace := ""
	if len(a.rows) > 0 {
		namespace = a.rows[0].Object.Namespace
	}
	c.before = appendString(appendString(c.before, 1, kind), 2, namespace)
	c.after = appendString(c.after, 4, "") // uid
	c.after = appendString(c.after, 5, apiVersion)
	c.after = appendString(c.after, 6, "") // resourceVersion
	c.after = appendString(c.after, 7, "") // fieldPath
	if version == "v1beta1" {
		c.metric = appendString(c.metric, 2, metric)
		if selector != nil {
			c.last = appendBytes(c.last, 6, selector)
		}
		return
	}
	identifier := appendString(c.item[:0], 1, metric)
	if selector != nil {
		identifier = appendBytes(identifier, 2, selector)
	}
	c.metric = appendBytes(c.metric, 2, identifier)
	c.item = identifier
}

// external encodes an ExternalMetricValueList, valid until the next call.
func (c *encoder) external(metric string, a *answer) []byte {
	c.begin()
	c.metric = appendString(c.metric, 1, metric)
	for _, row := range a.rows {
		c.item = append(c.item[:0], c.metric...)
		for _, l := range row.Labels { // sorted, as maps are encoded
			c.after = appendString(appendString(c.after[:0], 1, l.Name), 2, l.Value)
			c.item = appendBytes(c.item, 2, c.after)
		}
		c.measured(row)
		c.out = appendBytes(c.out, 2, c.item)
	}
	return c.envelope(externalGroup+"/v1beta1", "ExternalMetricValueList")
}

// measured appends sample time and value to the item, fields 3 and 5 of every kind of value. Kubernetes times have whole
// seconds on the wire, and an explicit zero for the rest.
func (c *encoder) measured(row *snapshot.Row) {
	if second := row.Time.Unix(); second != c.second || len(c.timing) == 0 {
		var text [16]byte
		t := protowire.AppendVarint(append(text[:0], 0x08), uint64(second))
		c.timing = appendBytes(c.timing[:0], 3, append(t, 0x10, 0))
		c.second = second
	}
	c.item = append(c.item, c.timing...)
	var text [32]byte
	quantity := appendQuantity(text[:0], row.Value)
	c.item = append(c.item, 0x2a, byte(len(quantity)+2), 0x0a, byte(len(quantity)))
	c.item = append(c.item, quantity...)
}

// envelope completes runtime.Unknown around the message and puts the magic number before it.
func (c *encoder) envelope(apiVersion, kind string) []byte {
	var typeText, headText [room]byte
	meta := appendString(appendString(typeText[:0], 1, apiVersion), 2, kind)
	head := appendBytes(append(headText[:0], magic...), 1, meta)
	head = protowire.AppendVarint(append(head, 0x12), uint64(len(c.out)-room))
	c.out = append(c.out, 0x1a, 0, 0x22, 0) // contentEncoding and contentType, empty
	start := room - len(head)
	copy(c.out[start:], head)
	return c.out[start:]
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
