// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// place is where an object begins.
type place struct {
	file string
	line int
}

// source is one object of a file.
type source struct {
	place
	object *unstructured.Unstructured
}

func (s source) name() string { return s.object.GetKind() + " " + s.object.GetName() }

func (s source) namespace() string {
	if ns := s.object.GetNamespace(); ns != "" {
		return ns
	}
	return "default"
}

// read splits a file into its objects, and lists into their items. What cannot be read becomes an Error.
func read(file string, text []byte) ([]source, []Message) {
	var sources []source
	var messages []Message
	reader := utilyaml.NewYAMLReader(newBufferedReader(text))
	line := 1
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return sources, messages
		}
		at := place{file, line + blankLines(document)}
		line += bytes.Count(document, []byte("\n")) + 1
		if err != nil {
			return sources, append(messages, Message{place: at, Severity: Error, Text: "the file cannot be read: " + err.Error()})
		}
		found, err := parse(document)
		if err != nil {
			messages = append(messages, unreadable(at, blankLines(document), err))
		}
		for _, object := range found {
			sources = append(sources, source{at, object})
		}
	}
}

var yamlLine = regexp.MustCompile(`(error converting YAML to JSON: )?(yaml: )?(unmarshal errors: *)?line ([0-9]+): `)

// unreadable moves the line that the YAML parser names, counted from the document's beginning, to where lines are shown.
func unreadable(at place, blank int, err error) Message {
	text := err.Error()
	if match := yamlLine.FindStringSubmatch(text); match != nil {
		if line, err := strconv.Atoi(match[4]); err == nil {
			at.line += line - 1 - blank
			text = strings.Replace(text, match[0], "", 1)
		}
	}
	return Message{place: at, Severity: Error, Text: text}
}

// blankLines counts the lines of a document before its first field.
func blankLines(document []byte) int {
	count := 0
	for _, line := range bytes.Split(document, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text != "" && !strings.HasPrefix(text, "#") && text != "---" {
			break
		}
		count++
	}
	return count
}

func parse(document []byte) ([]*unstructured.Unstructured, error) {
	if len(bytes.TrimSpace(withoutComments(document))) == 0 {
		return nil, nil
	}
	data, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, fmt.Errorf("it is not YAML: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if string(data) == "null" {
		return nil, nil
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		return nil, errors.New("it is not a Kubernetes object: apiVersion and kind are required")
	}
	if !object.IsList() {
		return []*unstructured.Unstructured{object}, nil
	}
	list, err := object.ToList()
	if err != nil {
		return nil, fmt.Errorf("the list cannot be read: %w", err)
	}
	var all []*unstructured.Unstructured
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	return all, nil
}

func withoutComments(document []byte) []byte {
	var rest []byte
	for _, line := range bytes.Split(document, []byte("\n")) {
		if text := bytes.TrimSpace(line); !bytes.HasPrefix(text, []byte("#")) && string(text) != "---" {
			rest = append(rest, line...)
		}
	}
	return rest
}

// toSchedule turns an object that the checks of the API server have passed into its type.
func toSchedule(object *unstructured.Unstructured) (*v1alpha1.ScaleSchedule, error) {
	typed := &v1alpha1.ScaleSchedule{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("it is not a ScaleSchedule: %w", err)
	}
	return typed, nil
}

// toHPA reads an HPA. The fields that lint needs are the same in autoscaling/v1, but for the metrics.
func toHPA(object *unstructured.Unstructured) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	version := object.GroupVersionKind().Version
	if version != "v2" && version != "v1" {
		return nil, fmt.Errorf("autoscaling/%s is not served by current clusters; write autoscaling/v2", version)
	}
	typed := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("it is not an HPA: %w", err)
	}
	return typed, nil
}
