// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func TestShareRoundTrip(t *testing.T) {
	none, err := record.ParseShare(map[string]string{record.BaseAnnotation: "{}"})
	require.NoError(t, err)
	require.Equal(t, record.Share{}, none)
	for _, s := range []record.Share{
		{Hub: "h", Scale: "shop", Floor: &divide.Floor{Base: 0, Applied: 1}},
		{
			Hub: "h", Scale: "shop", Floor: &divide.Floor{Base: 2, Applied: 7, Lowered: noon, Reverts: []time.Time{noon, noon.Add(time.Minute)}},
			Owners: []record.Owner{{Field: "minReplicas", Manager: "argocd", Operation: "Apply", Group: "autoscaling/v2"}},
		},
	} {
		got, err := record.ParseShare(map[string]string{record.FederatedAnnotation: s.Format()})
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

func TestShareMistakes(t *testing.T) {
	for _, text := range []string{"nonsense", "{}", `{"hub":"h","scale":"shop","base":2}`, `{"scale":"shop","base":2,"applied":3}`, `{"hub":"h","scale":"","base":2,"applied":3}`, `{"hub":"h","scale":"shop","base":-1,"applied":3}`, `{"hub":"h","scale":"shop","base":1,"applied":"3"}`} {
		_, err := record.ParseShare(map[string]string{record.FederatedAnnotation: text})
		require.ErrorContains(t, err, "annotation plimsoll.dev/federated cannot be read", text)
		require.ErrorContains(t, err, "remove the annotation", text)
	}
}
