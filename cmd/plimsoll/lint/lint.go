// SPDX-License-Identifier: Apache-2.0

// Package lint checks manifests of ScaleSchedules and ScaleForecasts, and Plimsoll's annotations on HPAs and Namespaces,
// without a cluster: with the checks of the API server, with those of the scaler, and for contradictions and surprises of
// the next 400 days.
package lint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/objects"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Severity says how bad a message is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the API server or the scaler refuses the object
	Warning Severity = "warning" // it is probably not what its author wants
	Note    Severity = "note"    // good to know
)

// Message is one finding.
type Message struct {
	objects.Place
	Severity Severity
	Object   string // ScaleSchedule shop
	Window   string
	Text     string
}

// String returns "shop.yaml:12: warning: ScaleSchedule shop, window evening: ...".
func (m Message) String() string {
	text := fmt.Sprintf("%s: %s: ", m.Place, m.Severity)
	if m.Object != "" {
		text += m.Object
		if m.Window != "" {
			text += ", window " + m.Window
		}
		text += ": "
	}
	return text + m.Text
}

// MarshalJSON gives a message the fields file, line, severity, object, window and text.
func (m Message) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File     string   `json:"file"`
		Line     int      `json:"line"`
		Severity Severity `json:"severity"`
		Object   string   `json:"object,omitempty"`
		Window   string   `json:"window,omitempty"`
		Text     string   `json:"text"`
	}{m.File, m.Line, m.Severity, m.Object, m.Window, m.Text})
}

// File is the text of a file and the name to report.
type File struct {
	Name string
	Text []byte
}

// Report is what was found.
type Report struct {
	Schedules int       `json:"schedules"`
	Forecasts int       `json:"forecasts"`
	Messages  []Message `json:"messages"` // by file and line
}

// Linter checks files. It is not changed by that.
type Linter struct{ schedules, forecasts *validator }

// New prepares the checks of the API server from the CRDs in this binary.
func New() (*Linter, error) {
	schedules, err := validatorOf("scaleschedules")
	if err != nil {
		return nil, err
	}
	forecasts, err := validatorOf("scaleforecasts")
	if err != nil {
		return nil, err
	}
	return &Linter{schedules, forecasts}, nil
}

func validatorOf(plural string) (*validator, error) {
	crd, err := manifests.Files.ReadFile("crd/plimsoll.dev_" + plural + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read the CRD of %s in this binary: %w", plural, err)
	}
	return newValidator(crd)
}

// Check looks at all files together: HPAs in them give the bounds that schedules are compared with.
func (l *Linter) Check(files []File, now time.Time) Report {
	c := checker{Linter: l, now: now, zones: &schedule.Zones{}}
	for _, file := range files {
		found, problems := objects.Read(file.Name, file.Text)
		for _, p := range problems {
			c.report.Messages = append(c.report.Messages, Message{Place: p.Place, Severity: Error, Text: p.Text})
		}
		for _, object := range found {
			c.object(source{object})
		}
	}
	c.together()
	c.report.Messages = inOrder(c.report.Messages, files)
	return c.report
}

// inOrder sorts by file and line, and removes what was said twice.
func inOrder(messages []Message, files []File) []Message {
	order := map[string]int{}
	for i, file := range files {
		order[file.Name] = i
	}
	rank := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(messages, func(a, b Message) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(rank[a.Severity], rank[b.Severity]))
	})
	said := map[Message]bool{}
	return slices.DeleteFunc(messages, func(m Message) bool {
		again := said[m]
		said[m] = true
		return again
	})
}

// Count returns how many messages have a severity.
func (r Report) Count(severity Severity) int {
	n := 0
	for _, m := range r.Messages {
		if m.Severity == severity {
			n++
		}
	}
	return n
}

// Write prints the messages, one in each line, and a summary.
func (r Report) Write(out io.Writer) error {
	for _, m := range r.Messages {
		if _, err := fmt.Fprintln(out, m); err != nil {
			return err
		}
	}
	what := human.Things(r.Schedules, "ScaleSchedule")
	if r.Forecasts > 0 {
		what += ", " + human.Things(r.Forecasts, "ScaleForecast")
	}
	_, err := fmt.Fprintf(out, "%s: %s, %s, %s\n", what,
		human.Things(r.Count(Error), "error"), human.Things(r.Count(Warning), "warning"), human.Things(r.Count(Note), "note"))
	return err
}

// WriteJSON prints the report as one document.
func (r Report) WriteJSON(out io.Writer) error {
	if r.Messages == nil {
		r.Messages = []Message{}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// problems splits the error of Compile.
func problems(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// compile returns nil after errors, which it reports.
func (c *checker) compile(s source) (*v1alpha1.ScaleSchedule, *schedule.Schedule) {
	typed, err := toSchedule(s.Unstructured)
	if err != nil {
		c.say(s, Error, "", err.Error())
		return nil, nil
	}
	compiled, err := typed.Compile(c.zones)
	if err == nil {
		return typed, compiled
	}
	for _, problem := range problems(err) {
		c.say(s, Error, "", "spec."+problem.Error())
	}
	return nil, nil
}
