// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// rulesMake returns types that rules make, each as "resource type".
func rulesMake(t *testing.T, all ...string) (made []Made) {
	t.Helper()
	for _, one := range all {
		resource, name, _ := strings.Cut(one, " ")
		template, err := event.ParseTemplate(name)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, Made{Resource: resource, Type: template})
	}
	return made
}

// Types are those that rules make and those that are declared, each with the most exact of
// what is said.
func TestTypes(t *testing.T) {
	made := rulesMake(t, "items items.created", "items items.state.{item.state}", "orders items.created", "users users.created", "tx tx.{kind}.{state}")
	types, err := NewTypes(made, []Declared{
		{Pattern: "items.*", Alias: "items", Description: "of items", Schema: json.RawMessage(`{"required":["id"]}`), Sample: json.RawMessage(`{"id":1}`)},
		{Pattern: "items.state.paid", Alias: "5", Schema: json.RawMessage(`{"required":["state"]}`)},
		{Pattern: "tx.*", Description: "of money"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, of := range types.All() {
		got = append(got, of.Name)
	}
	if want := "items.* items.created items.state.paid items.state.{item.state} tx.* tx.{kind}.{state} users.created"; strings.Join(got, " ") != want {
		t.Errorf("types %s, want %s", strings.Join(got, " "), want)
	}
	for name, want := range map[string]string{
		"items.created":            "items.created,,of items,items.created,items orders,required id,sample",
		"items.state.paid":         "items.state.paid,5,of items,items.state.paid,items,required state,",
		"5":                        "items.state.paid,5,of items,items.state.paid,items,required state,",
		"items":                    "items.*,items,of items,items.*,items orders,required id,sample",
		"items.*":                  "items.*,items,of items,items.*,items orders,required id,sample",
		"items.state.sent":         "items.state.sent,,of items,items.state.sent,items,required id,sample",
		"items.state.{item.state}": "items.state.{item.state},,of items,items.state.*,items,required id,sample",
		"tx.{kind}.{state}":        "tx.{kind}.{state},,of money,tx.*,tx,,",
		"tx.sale.done":             "tx.sale.done,,of money,tx.sale.done,tx,,",
		"users.created":            "users.created,,,users.created,users,,",
		"users.gone":               "none", "": "none", "*": "none", "items.state.*": "none", "users.{x}": "none", "items.state": "none",
	} {
		of, found := types.Find(name)
		said := "none"
		if found {
			schema, sample := strings.NewReplacer(`{"required":["`, "required ", `"]}`, "").Replace(string(of.Schema)), ""
			if of.Sample != nil {
				sample = "sample"
			}
			said = fmt.Sprintf("%s,%s,%s,%s,%s,%s,%s", of.Name, of.Alias, of.Description, of.Pattern(), strings.Join(of.Resources(), " "), schema, sample)
		}
		if said != want {
			t.Errorf("%s is %s, want %s", name, said, want)
		}
	}
	for name, want := range map[string]string{
		"items": "items.created", "items.state.{item.state}": "items.state.a_b", "items.state.paid": "items.state.paid", "tx.*": "tx.sale.none",
	} {
		of, _ := types.Find(name)
		if got := of.Render([]byte(`{"item":{"state":"a b"},"kind":"sale"}`)); got != want {
			t.Errorf("an event of %s has the type %s, want %s", name, got, want)
		}
	}
}

func TestTypesOfNothing(t *testing.T) {
	_, err := NewTypes(rulesMake(t, "items items.created"), []Declared{{Pattern: "users.*"}})
	if err == nil || !strings.Contains(err.Error(), "users.*") || !strings.Contains(err.Error(), "items.created") {
		t.Errorf("got %v", err)
	}
}

// What does not fit is told with its place, and in one sentence.
func TestCheck(t *testing.T) {
	compiled, err := Compile(json.RawMessage(`{"type":"object","required":["id"],"additionalProperties":false,
		"properties":{"id":{"type":"string"},"a/b":{"type":"integer"},"one":{},"other":{},"list":{"items":{"enum":["x"]}}},
		"oneOf":[{"required":["one"]},{"required":["other"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"id":"1","one":1}`:                   "",
		`{"one":1}`:                            ` missing property 'id'`,
		`{"id":"1"}`:                           " it fits none of the alternatives of which exactly one must fit",
		`{"id":"1","one":1,"other":1}`:         " it fits more than one of the alternatives of which exactly one must fit",
		`{"id":7,"a/b":1.5,"one":1}`:           "/a~1b got number, want integer|/id got number, want string",
		`{"id":"1","one":1,"list":["x","y"]}`:  "/list/1 value must be 'x'",
		`{"id":"1","one":1,"unknown":"value"}`: " additional properties 'unknown' not allowed",
		`[]`:                                   " got array, want object",
		`{`:                                    " it is not JSON",
	} {
		var said []string
		for _, wrong := range compiled.Check([]byte(text)) {
			said = append(said, wrong.Pointer+" "+wrong.Detail)
		}
		if got := strings.Join(said, "|"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A sample has what a schema says, and fits it; of a schema for which none is found, there
// is none.
func TestSample(t *testing.T) {
	for schema, want := range map[string]string{
		`{}`:                         `null`,
		`{"type":["null","string"]}`: `"text"`,
		`{"type":"object","required":["id"],"properties":{"id":{"type":"integer","minimum":5},"tags":{"type":"array","items":{"enum":["a","b"]}},"at":{"type":"string","format":"date-time"}}}`: `{"at":"2026-01-31T12:00:00Z","id":5,"tags":["a"]}`,
		`{"type":"object","properties":{"a":{},"b":{}},"oneOf":[{"required":["a"]},{"required":["b"]}]}`:                                                                                        `{"a":null}`,
		`{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["c"],"oneOf":[{"required":["a"]},{"required":["b"]}]}`:                                                        `{"a":"text","c":null}`,
		`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"name":{"const":"x"},"next":{"$ref":"#/$defs/node"}}}}}`:                                                         ``,
		`{"$ref":"#/$defs/id","$defs":{"id":{"type":"string","maxLength":2}}}`:                                                                                                                  `"te"`,
		`{"allOf":[{"type":"object","properties":{"a":{"type":"boolean"}}},{"type":"object","properties":{"b":{"type":"number","maximum":0}}}]}`:                                                `{"a":true,"b":0}`,
		`{"type":"string","pattern":"^[0-9]{4}$"}`:                            ``,
		`{"type":"string","pattern":"^[0-9]{4}$","examples":["1234"]}`:        `"1234"`,
		`{"type":"array","maxItems":0}`:                                       `[]`,
		`false`:                                                               ``,
		`{"type":"string","minLength":9}`:                                     `"textxxxxx"`,
		`{"anyOf":[{"type":"integer","exclusiveMinimum":1},{"type":"null"}]}`: `2`,
	} {
		got := string(Sample(json.RawMessage(schema)))
		if strings.Contains(schema, "$defs/node") {
			if len(got) > 1<<20 || got == "" {
				t.Errorf("a schema that refers to itself has a sample of %d bytes", len(got))
			}
			continue
		}
		if got != want {
			t.Errorf("%s: %s, want %s", schema, got, want)
		}
	}
	twice := `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/n"},"c":{"$ref":"#/$defs/n"}}}}}`
	if got := Sample(json.RawMessage(twice)); len(got) > 100_000 {
		t.Errorf("a sample of %d bytes", len(got))
	}
}

// A sample that is found fits, whatever the schema.
func FuzzSample(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}},"oneOf":[{"required":["a"]}]}`)
	f.Add(`{"$ref":"#/x","x":{"$ref":"#/x"}}`)
	f.Add(`{"minLength":1e300,"type":"string"}`)
	f.Fuzz(func(t *testing.T, schema string) {
		if made := Sample(json.RawMessage(schema)); made != nil {
			compiled, err := Compile(json.RawMessage(schema))
			if err != nil || len(compiled.Check(made)) > 0 {
				t.Errorf("%s does not fit %s: %v", made, schema, err)
			}
		}
	})
}
