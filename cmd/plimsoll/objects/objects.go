// SPDX-License-Identifier: Apache-2.0

// Package objects splits YAML files into Kubernetes objects that know where they begin.
package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Place is where an object begins.
type Place struct {
	File string
	Line int
}

// String returns "shop.yaml:12".
func (p Place) String() string { return p.File + ":" + strconv.Itoa(p.Line) }

// Object is one object of a file.
type Object struct {
	Place
	*unstructured.Unstructured
}

// Problem is something that cannot be read, in one sentence.
type Problem struct {
	Place
	Text string
}

// Error returns "shop.yaml:12: it is not YAML: ...".
func (p Problem) Error() string { return p.Place.String() + ": " + p.Text }

// Read splits a file into its objects, and lists into their items.
func Read(file string, text []byte) ([]Object, []Problem) {
	var all []Object
	var problems []Problem
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	line := 1
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, problems
		}
		at := Place{file, line + blankLines(document)}
		line += bytes.Count(document, []byte("\n")) + 1
		if err != nil {
			return all, append(problems, Problem{at, "the file cannot be read: " + err.Error()})
		}
		found, err := parse(document)
		if err != nil {
			problems = append(problems, unreadable(at, blankLines(document), err))
		}
		for _, object := range found {
			all = append(all, Object{at, object})
		}
	}
}

var yamlLine = regexp.MustCompile(`(error converting YAML to JSON: )?(yaml: )?(unmarshal errors: *)?line ([0-9]+): `)

// unreadable moves the line that the YAML parser names, counted from the document's beginning, to where lines are shown.
func unreadable(at Place, blank int, err error) Problem {
	text := err.Error()
	if match := yamlLine.FindStringSubmatch(text); match != nil {
		if line, err := strconv.Atoi(match[4]); err == nil {
			at.Line += line - 1 - blank
			text = strings.Replace(text, match[0], "", 1)
		}
	}
	return Problem{at, text}
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
