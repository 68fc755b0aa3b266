// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// Share is what is kept on an HPA in a member cluster while the share of a FederatedScale stands in its minReplicas. The
// zero value is that of an HPA without one.
type Share struct {
	Hub    string        // identity of the hub
	Scale  string        // name of the FederatedScale, which is in the hub's namespace of the same name
	Floor  *divide.Floor // nil: none
	Owners []Owner       // who had minReplicas before, to hand it back to
}

// shareText is the annotation's document. People read it, so its words are plain.
type shareText struct {
	Hub     string      `json:"hub"`
	Scale   string      `json:"scale"`
	Base    *int64      `json:"base"`
	Applied *int64      `json:"applied"`
	Lowered *time.Time  `json:"lowered,omitempty"`
	Reverts []time.Time `json:"reverts,omitempty"`
	Owners  []Owner     `json:"owners,omitempty"`
}

// ParseShare reads the annotation. Its error says what to do; the user's own minReplicas is not known then, and nothing may
// be written.
func ParseShare(annotations map[string]string) (Share, error) {
	text := annotations[FederatedAnnotation]
	if text == "" {
		return Share{}, nil
	}
	var t shareText
	err := json.Unmarshal([]byte(text), &t)
	if err == nil && (t.Hub == "" || t.Scale == "" || t.Base == nil || t.Applied == nil || *t.Base < 0 || *t.Applied < 0) {
		err = errors.New("hub, scale, base and applied must be there, and no number below 0")
	}
	if err != nil {
		return Share{}, fmt.Errorf("annotation %s cannot be read, so the HPA's own minReplicas is unknown (%w): set minReplicas to what it shall be, and remove the annotation", FederatedAnnotation, err)
	}
	s := Share{Hub: t.Hub, Scale: t.Scale, Owners: t.Owners, Floor: &divide.Floor{Base: *t.Base, Applied: *t.Applied, Reverts: t.Reverts}}
	if t.Lowered != nil {
		s.Floor.Lowered = *t.Lowered
	}
	return s, nil
}

// Format returns the annotation of a Share that has a Floor.
func (s Share) Format() string {
	t := shareText{Hub: s.Hub, Scale: s.Scale, Base: &s.Floor.Base, Applied: &s.Floor.Applied, Reverts: inUTC(s.Floor.Reverts), Owners: s.Owners}
	if at := s.Floor.Lowered; !at.IsZero() {
		at = at.UTC().Truncate(time.Second)
		t.Lowered = &at
	}
	return encode(t)
}
