// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A value cannot leave the string that its placeholder stands in, nor a text of another
// language that the string holds.
func TestInnerQuotes(t *testing.T) {
	const evil = `x") { secret }#'` + "`"
	for name, tc := range map[string]struct {
		request syntax.Request
		// refused means that the template is; word, that it takes only words.
		refused, word bool
	}{
		"GraphQL with variables":     {syntax.Request{Method: "POST", Path: "/g", Body: `{"query":"query($id: ID!) \{ item(id: $id) \{ id } }","variables":{"id":"{id}"}}`}, false, false},
		"GraphQL inline":             {syntax.Request{Method: "POST", Path: "/g", Body: `{"query":"query \{ item(id: \"{id}\") \{ id } }"}`}, true, false},
		"GraphQL, by code":           {syntax.Request{Method: "POST", Path: "/g", Body: `{"query":"query \{ item(id: \u0022{id}\u0022) \{ id } }"}`}, true, false},
		"GraphQL, a word":            {syntax.Request{Method: "POST", Path: "/g", Body: `{"query":"query \{ item(id: \"{word:id}\") \{ id } }"}`}, false, true},
		"GraphQL without quotes":     {syntax.Request{Method: "POST", Path: "/g", Body: `{"query":"\{ item(id: {id}) \{ id } }"}`}, false, true},
		"a filter in JSON":           {syntax.Request{Method: "POST", Path: "/g", Body: `{"filter":"code eq '{id}'"}`}, true, false},
		"a filter in JSON, a word":   {syntax.Request{Method: "POST", Path: "/g", Body: `{"filter":"code eq '{word:id}'"}`}, false, true},
		"a URN":                      {syntax.Request{Method: "POST", Path: "/g", Body: `{"id":"urn:item:{id}"}`}, false, true},
		"two in one string":          {syntax.Request{Method: "POST", Path: "/g", Body: `{"id":"{id}{id}"}`}, false, true},
		"after a string with quotes": {syntax.Request{Method: "POST", Path: "/g", Body: `{"a":"it's \"","id":"{id}"}`}, false, false},
		"OData in a query":           {syntax.Request{Path: "/items?$filter=Code%20eq%20'{id}'"}, true, false},
		"OData in a query, escaped":  {syntax.Request{Path: "/items?$filter=Code%20eq%20%27{id}%27"}, true, false},
		"OData in a query, a word":   {syntax.Request{Path: "/items?$filter=Code%20eq%20'{word:id}'"}, false, true},
		"Lucene in a query":          {syntax.Request{Path: "/items?q=id:{id}"}, false, true},
		"a parameter":                {syntax.Request{Path: "/items?a='x'&id={id}&b=1"}, false, false},
		"an ETag":                    {syntax.Request{Path: "/items", Header: map[string]string{"If-Match": `"{id}"`}}, true, false},
		"a header":                   {syntax.Request{Path: "/items", Header: map[string]string{"X-Id": "{id}"}}, false, false},
		"a header with a scheme":     {syntax.Request{Path: "/items", Header: map[string]string{"X-Id": "Item {id}"}}, false, true},
		"a form":                     {syntax.Request{Method: "POST", Path: "/g", Body: "do=get&id={id}"}, false, false},
		"a form with quotes":         {syntax.Request{Method: "POST", Path: "/g", Body: `q="{id}"`}, true, false},
		"XML":                        {syntax.Request{Method: "POST", Path: "/g", Body: `<a b="c'"> <id>{id}</id></a>`}, false, false},
		"an attribute":               {syntax.Request{Method: "POST", Path: "/g", Body: `<a id="{id}"/>`}, false, false},
		"XML with quotes":            {syntax.Request{Method: "POST", Path: "/g", Body: `<q>id = '{id}'</q>`}, true, false},
		"XML with entities":          {syntax.Request{Method: "POST", Path: "/g", Body: `<q a="id = &quot;{id}&quot;"/>`}, true, false},
		"XPath in XML":               {syntax.Request{Method: "POST", Path: "/g", Body: `<q>//item[{id}]</q>`}, false, true},
	} {
		template, err := compileTemplate(tc.request)
		if errors.Is(err, errInnerQuotes) != tc.refused || !tc.refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tc.refused || err != nil {
			continue
		}
		values := make([]string, len(template.Names))
		for i := range values {
			values[i] = "a-1_b.2"
		}
		if _, err := template.Build(values); err != nil || len(values) != 1 || template.Names[0] != "id" {
			t.Errorf("%s: of a word: %v; names %v", name, err, template.Names)
		}
		if _, err := template.Build([]string{evil}); (err != nil) != tc.word {
			t.Errorf("%s: of %q: %v", name, evil, err)
		}
	}
	_, err := Compile([]*syntax.Resource{{Name: "items", Show: &syntax.Request{Path: "/items?q='{id}'"}, Rules: []*syntax.Rule{{Kind: "update", Methods: []string{http.MethodPut}, Path: "/items/:id"}}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "{word:NAME}") || !strings.Contains(err.Error(), "variables") {
		t.Errorf("the error names no remedy: %v", err)
	}
}

// An id of which no Show can be made names no object, so that nothing is asked for it
// for ever.
func TestIDWithoutShow(t *testing.T) {
	set := compileFor(t,
		&syntax.Resource{Name: "words", Show: &syntax.Request{Path: "/w?q=id:{id}"}, Rules: []*syntax.Rule{{Kind: "update", Path: "/w/:id"}}},
		&syntax.Resource{Name: "numbers", Show: &syntax.Request{Method: "POST", Path: "/n", Body: `{"id":{id}}`}, Rules: []*syntax.Rule{{Kind: "update", Path: "/n/:id"}}},
	)
	for _, tc := range []struct {
		resource, id string
		ok           bool
	}{{"words", "7", true}, {"words", "7 OR 1", false}, {"numbers", "7", true}, {"numbers", "x", false}, {"numbers", `"7"`, false}, {"numbers", "7,8", false}} {
		if _, err := set.byName[tc.resource].NewKey(tc.id); (err == nil) != tc.ok {
			t.Errorf("a key of %s %q: %v", tc.resource, tc.id, err)
		}
	}
}
