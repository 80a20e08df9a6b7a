// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// cataloguePage shows which events there are, and one of them.
type cataloguePage struct {
	Groups []catalogueGroup
	Find   string
	// Is is the type that is shown, nil for none.
	Is *callbacks.TypeView
	// Many is true for a group of types, whose names have a value of the object.
	Many           bool
	Fields         []schemaField
	More           bool
	Schema, Sample code
	HasSample      bool
	// Hooks are the webhooks that a sample can be sent to, and Asking those that ask for it.
	Hooks  []option
	Asking []webhookRow
}

// catalogueGroup are the types whose names begin alike.
type catalogueGroup struct {
	Name  string
	Types []string
}

// schemaField is a member of an object, by its schema.
type schemaField struct {
	Name, Type, Text string
	Always           bool
}

// maxFields is how many members of a schema are listed.
const maxFields = 200

// showTypes shows which events there are.
func showTypes(v *visit) error { return v.catalogue(nil) }

// showType shows one type of event, with its schema and a sample.
func showType(v *visit) error {
	done, err := ask[callbacks.TypeView](&v.api, get("types", v.r.PathValue("type")))
	if err != nil {
		return err
	}
	return v.catalogue(&done.Body)
}

func (v *visit) catalogue(is *callbacks.TypeView) error {
	types, err := v.api.types()
	if err != nil {
		return err
	}
	p := cataloguePage{Find: v.r.URL.Query().Get("find"), Is: is}
	p.group(types)
	title := "Event catalogue"
	if is != nil {
		title = is.Name
		if err := v.describe(&p); err != nil {
			return err
		}
	}
	return v.show(http.StatusOK, View{Name: "catalogue", Title: title, Section: "events", Data: p})
}

// group lists the types that have a text in their name or description.
func (p *cataloguePage) group(types []callbacks.TypeView) {
	needle := strings.ToLower(p.Find)
	for i := range types {
		of := &types[i]
		if needle != "" && !strings.Contains(strings.ToLower(of.Name+" "+of.Description), needle) {
			continue
		}
		name := groupOf(of.Name)
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Name != name {
			p.Groups = append(p.Groups, catalogueGroup{Name: name})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Types = append(g.Types, of.Name)
	}
}

// describe adds what there is to say of the type.
func (v *visit) describe(p *cataloguePage) error {
	p.Many = p.Is.Events != p.Is.Name
	p.Schema = codeOf(p.Is.Schema)
	if p.HasSample = len(p.Is.Sample) > 0; p.HasSample {
		p.Sample = codeOf(p.Is.Sample)
	}
	p.Fields, p.More = fieldsOf(p.Is.Schema)
	list, err := v.api.endpoints("")
	if err != nil {
		return err
	}
	for i := range list.Data {
		e := &list.Data[i]
		if e.URL != "" {
			p.Hooks = append(p.Hooks, option{Value: e.ID, Text: nameOf(e)})
		}
		if asksFor(e, p.Is.Events) {
			p.Asking = append(p.Asking, rowOf(e))
		}
	}
	return nil
}

// asksFor reports whether a webhook asks for all that a pattern names.
func asksFor(e *callbacks.EndpointView, pattern string) bool {
	return slices.ContainsFunc(e.Events, func(asked string) bool {
		begin, many := strings.CutSuffix(asked, "*")
		return asked == pattern || many && strings.HasPrefix(pattern, begin)
	})
}

// fieldsOf lists the members of an object's schema, and reports whether there are more.
func fieldsOf(schema json.RawMessage) (fields []schemaField, more bool) {
	var of struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if json.Unmarshal(schema, &of) != nil {
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		if len(fields) == maxFields {
			return fields, true
		}
		var member struct {
			Type        any    `json:"type"`
			Description string `json:"description"`
			Enum        []any  `json:"enum"`
			Const       any    `json:"const"`
		}
		_ = json.Unmarshal(of.Properties[name], &member) // true and false are schemas, too: of anything
		fields = append(fields, schemaField{visible(name), typeWords(member.Type, member.Enum, member.Const), member.Description, slices.Contains(of.Required, name)})
	}
	return fields, false
}

// typeWords says of which type a member is.
func typeWords(kind any, enum []any, constant any) string {
	switch kind := kind.(type) {
	case string:
		return kind
	case []any:
		words := make([]string, 0, len(kind))
		for _, one := range kind {
			if text, isText := one.(string); isText {
				words = append(words, text)
			}
		}
		return strings.Join(words, " or ")
	}
	if len(enum) > 0 || constant != nil {
		return "one of some values"
	}
	return "any"
}

// downloadType answers with the schema or the sample of a type, as a file.
func downloadType(v *visit) error {
	done, err := ask[callbacks.TypeView](&v.api, get("types", v.r.PathValue("type")))
	if err != nil {
		return err
	}
	text := map[string]json.RawMessage{"schema.json": done.Body.Schema, "sample.json": done.Body.Sample}[v.r.PathValue("file")]
	if len(text) == 0 {
		return errLost
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+v.r.PathValue("file")+`"`)
	_, _ = v.w.Write(text)
	return nil
}
