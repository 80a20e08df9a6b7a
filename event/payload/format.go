// SPDX-License-Identifier: Apache-2.0

// Package payload renders an event in the format that an endpoint wants: the
// Show as it is, or one of the envelopes that receivers know.
//
// The rendering depends on the event and the format, and on nothing else: not
// on the time, nor on the configuration. A delivery stores the text of its
// format ([Format.String]), so each attempt sends the same bytes, even after
// the endpoint was given another format.
package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Kind names a format.
type Kind string

const (
	// Show: the Show's own bytes and content type.
	Show Kind = "show"
	// Standard: {type, timestamp, data}, as Standard Webhooks recommends.
	Standard Kind = "standard"
	// Gateway: {type, event_triggered, event_type, event_body, event_id}, as
	// payment gateways send it.
	Gateway Kind = "gateway"
	// CloudEvents: version 1.0, structured, or binary if Binary is set.
	CloudEvents Kind = "cloudevents"
	// Thin: id, type and link; the receiver gets the rest from the API.
	Thin Kind = "thin"
	// Fields: an object of some of the Show's fields.
	Fields Kind = "fields"
	// Patch: what makes the Show of the one before, as a JSON Patch (RFC 6902).
	Patch Kind = "patch"
	// Merge: the same, as a JSON Merge Patch (RFC 7396).
	Merge Kind = "merge"
)

// ErrBadFormat is returned for an impossible format.
var ErrBadFormat = errors.New("not a payload format")

// Limits of a format, which is stored with each delivery.
const (
	MaxFields   = 64
	maxName     = 128
	maxPath     = 256
	maxTemplate = 1024
	maxText     = 4096
)

// Config describes a format.
type Config struct {
	Kind Kind `json:"kind"`
	// Binary puts a CloudEvents' attributes into headers, and the Show alone
	// into the body.
	Binary bool `json:"binary,omitempty"`
	// Source is a CloudEvents' source, a URI reference. Default: "/" and the
	// resource.
	Source string `json:"source,omitempty"`
	// URL is the link of Thin, with {resource}, {id}, and {id.1}, {id.2}, … for
	// the parts of an id that has several. Default: no link.
	URL string `json:"url,omitempty"`
	// Fields are the members of Fields, in order.
	Fields []Field `json:"fields,omitempty"`
	// Data is what Standard and Gateway have in the place of the Show: an object of its
	// fields, in order, or of the whole, whose path is ".". A dot in a name goes one
	// level down. Default: the Show.
	Data []Field `json:"data,omitempty"`
	// Previous adds the previous state: the whole Show if the resource keeps
	// it, else the watched fields by their paths; null if it is unknown.
	// Standard, Gateway and Fields can have it.
	Previous bool `json:"previous,omitempty"`
}

// Field is a member of a projection.
type Field struct {
	// Name is the member's name.
	Name string `json:"name"`
	// Path is where the value comes from: a gjson path of the Show, ":1", ":2",
	// … for a part of the object's key, or "event:id", "event:type",
	// "event:time", "event:sequence", "event:op", "event:tenant",
	// "event:object", "event:version" and "event:changed". A missing value is null.
	Path string `json:"path"`
}

// Format is a checked format, ready to render. It is immutable, and the zero
// Format is Show.
type Format struct {
	config Config
	text   string
	link   []string // literals; names at odd indexes
}

// New returns the format that a configuration describes, or [ErrBadFormat].
func New(config Config) (Format, error) {
	if config.Kind == "" {
		config.Kind = Show
	}
	config.Fields, config.Data = slices.Clone(config.Fields), slices.Clone(config.Data)
	f := Format{config: config}
	if err := f.check(); err != nil {
		return Format{}, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return Format{}, fmt.Errorf("%w: %w", ErrBadFormat, err)
	}
	if f.text = string(text); len(text) > maxText {
		return Format{}, fmt.Errorf("%w: payload %s: it has %d bytes as a text; at most %d are possible", ErrBadFormat, config.Kind, len(text), maxText)
	}
	if f.config.Kind == Show {
		f.text = string(Show)
	}
	return f, nil
}

// Parse is the inverse of [Format.String].
func Parse(text string) (Format, error) {
	if text == string(Show) {
		return New(Config{Kind: Show})
	}
	var config Config
	decoder := json.NewDecoder(strings.NewReader(text))
	// Ignoring an unknown word would render other bytes than intended.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil || config.Kind == "" || decoder.More() {
		return Format{}, fmt.Errorf("%w: it was written by another version, or is damaged", ErrBadFormat)
	}
	return New(config)
}

// String returns a text that fully describes the format, for the queue.
func (f Format) String() string {
	if f.text == "" {
		return string(Show)
	}
	return f.text
}

// Kind returns which of the formats it is.
func (f Format) Kind() Kind {
	if f.config.Kind == "" {
		return Show
	}
	return f.config.Kind
}

// IsDifference reports whether the format tells the difference to the Show before,
// which only resources that keep it have (`keep show`). A receiver needs each of the
// events.
func (f Format) IsDifference() bool { return f.config.Kind == Patch || f.config.Kind == Merge }

// Equal reports whether two formats render alike.
func (f Format) Equal(other Format) bool { return f.String() == other.String() }

// check refuses impossible values, and options that belong to another kind.
func (f *Format) check() error {
	c := f.config
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: payload %s: %s", ErrBadFormat, c.Kind, fmt.Sprintf(format, args...))
	}
	if !slices.Contains([]Kind{Show, Standard, Gateway, CloudEvents, Thin, Fields, Patch, Merge}, c.Kind) {
		return fmt.Errorf("%w: there is no payload %q; there are show, standard, gateway, cloudevents, thin, fields, patch and merge", ErrBadFormat, c.Kind)
	}
	switch {
	case c.Binary && c.Kind != CloudEvents:
		return fail("only cloudevents can be binary")
	case c.Source != "" && c.Kind != CloudEvents:
		return fail("only cloudevents has a source")
	case c.URL != "" && c.Kind != Thin:
		return fail("only thin has a URL")
	case len(c.Fields) > 0 && c.Kind != Fields:
		return fail("only fields has fields")
	case len(c.Data) > 0 && c.Kind != Standard && c.Kind != Gateway:
		return fail("it has no place for data; standard and gateway have")
	case c.Previous && c.Kind != Standard && c.Kind != Gateway && c.Kind != Fields:
		return fail("it has no place for previous; standard, gateway and fields have")
	case c.Kind == Fields:
		return f.checkFields(fail)
	case len(c.Data) > 0:
		return f.checkData(fail)
	case c.Source != "":
		return checkSource(c.Source, fail)
	case c.URL != "":
		return f.parseLink(fail)
	}
	return nil
}

func (f *Format) checkFields(fail func(string, ...any) error) error {
	fields := f.config.Fields
	if len(fields) == 0 || len(fields) > MaxFields {
		return fail("it has %d fields, not 1 to %d; write them as NAME=PATH", len(fields), MaxFields)
	}
	seen := map[string]bool{}
	for _, field := range fields {
		switch {
		case field.Name == "" || len(field.Name) > maxName:
			return fail("a field's name has %d bytes, not 1 to %d", len(field.Name), maxName)
		case seen[field.Name]:
			return fail("the field %s stands twice", field.Name)
		case f.config.Previous && field.Name == "previous":
			return fail("a field named previous stands where the previous state is to stand; give it another name")
		case !isPath(field.Path):
			return fail("%s=%s: write a path of the Show without modifiers, as items.state, with a name that begins with '@' or '!' behind a backslash; :1 for the first part of the object's key; "+
				"or event:id, event:type, event:time, event:sequence, event:op, event:tenant, event:object, event:version, event:changed", field.Name, field.Path)
		}
		seen[field.Name] = true
	}
	return nil
}

// isPath reports whether a field can have this path. Modifiers of gjson could
// cost far more than they look like.
func isPath(path string) bool {
	if number, ok := strings.CutPrefix(path, ":"); ok {
		n, err := strconv.Atoi(number)
		return err == nil && n >= 1 && n <= 99
	}
	if name, ok := strings.CutPrefix(path, "event:"); ok {
		_, known := eventValues[name]
		return known
	}
	return path != "" && len(path) <= maxPath && !jsonpath.HasModifier(path)
}

func checkSource(source string, fail func(string, ...any) error) error {
	_, err := url.Parse(source)
	if err != nil || len(source) > maxTemplate || strings.ContainsFunc(source, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '%' }) {
		return fail("source %q is not a URI of at most %d ASCII characters without %%", source, maxTemplate)
	}
	return nil
}

// parseLink splits the link's template.
func (f *Format) parseLink(fail func(string, ...any) error) error {
	text := f.config.URL
	if len(text) > maxTemplate || !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return fail("the URL %q is not one that begins with https:// and has at most %d ASCII characters", text, maxTemplate)
	}
	for rest := text; ; {
		literal, after, found := strings.Cut(rest, "{")
		f.link = append(f.link, literal)
		if !found {
			return nil
		}
		name, next, closed := strings.Cut(after, "}")
		number, isPart := strings.CutPrefix(name, "id.")
		n, err := strconv.Atoi(number)
		if !closed || name != "resource" && name != "id" && (!isPart || err != nil || n < 1 || n > 99) {
			return fail("the URL %q: braces take resource, id, or id.1, id.2, … for a part of the id", text)
		}
		f.link = append(f.link, name)
		rest = next
	}
}
