// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

const (
	demandPath = "/apis/query.plimsoll.dev/v1alpha1/memberdemands"
	// maxDemand is the size of an answer, in bytes: a thousand members with ten samples each have less.
	maxDemand = 4 << 20
)

// demandList is as much as the scaler needs of the list at demandPath, which the adapter makes.
type demandList struct {
	Time  time.Time `json:"time"` // when it was made, by the adapter's clock
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Samples []demandSample `json:"samples"`
	} `json:"items"`
}

// demandSample is the newest sample that a rule has in a member.
type demandSample struct {
	Rule       string    `json:"rule"`
	SampleTime time.Time `json:"sampleTime"` // by the clock of the member's metric source
	Evaluated  time.Time `json:"evaluated"`  // when the member was asked, by the adapter's clock
}

// samples are those of a member.
func (l *demandList) samples(member string) []demandSample {
	for i := range l.Items {
		if l.Items[i].Metadata.Name == member {
			return l.Items[i].Samples
		}
	}
	return nil
}

// askDemand returns how to ask for the list, with the configuration's credentials. Its errors say what is wrong in a sentence.
func askDemand(config *rest.Config) (func(ctx context.Context) (*demandList, error), error) {
	config = rest.CopyConfig(config)
	config.Timeout = demandWithin
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("no client for the members' demand can be made of the API server's configuration: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the API server's address %q cannot be read: %w", config.Host, err)
	}
	base.Path = strings.TrimSuffix(base.Path, "/") + demandPath
	address := base.String()
	return func(ctx context.Context) (*demandList, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Accept", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return nil, fmt.Errorf("the demand of members is not known, as query.plimsoll.dev does not answer: %w", err)
		}
		defer response.Body.Close()
		if err := statusOfDemand(response.StatusCode); err != nil {
			return nil, err
		}
		return readDemand(response.Body)
	}, nil
}

func statusOfDemand(code int) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusForbidden:
		return errors.New("the demand of members is not known, as the scaler may not ask for it; it needs the verb list for memberdemands of query.plimsoll.dev")
	case http.StatusNotFound:
		return errors.New("the demand of members is not known, as this cluster does not serve memberdemands of query.plimsoll.dev; is Plimsoll's adapter installed, of this version?")
	}
	return fmt.Errorf("the demand of members is not known, as query.plimsoll.dev answers with status %d", code)
}

func readDemand(body io.Reader) (*demandList, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxDemand+1))
	if err != nil {
		return nil, fmt.Errorf("the demand of members is not known, as the answer of query.plimsoll.dev breaks off: %w", err)
	}
	if len(text) > maxDemand {
		return nil, fmt.Errorf("the demand of members is not known, as the answer of query.plimsoll.dev is larger than %d bytes", maxDemand)
	}
	list := &demandList{}
	if err := json.Unmarshal(text, list); err != nil {
		return nil, fmt.Errorf("the demand of members is not known, as the answer of query.plimsoll.dev cannot be read: %w", err)
	}
	if list.Time.IsZero() {
		return nil, errors.New("the demand of members is not known, as the answer of query.plimsoll.dev does not say when it was made")
	}
	return list, nil
}
