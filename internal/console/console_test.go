// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"strings"
	"testing"
)

// What does not match what a page shows is seen.
func TestShownAnswers(t *testing.T) {
	for _, test := range []struct {
		shown, got string
		matches    bool
	}{
		{`{"id":"ep_…","n":1}`, `{"id":"ep_abc","n":1}`, true},
		{`{"id":"ep_…"}`, `{"id":"key_abc"}`, false},
		{`{"id":"ep_…"}`, `{"id":"ep_abc","more":1}`, false},
		{`{"id":"ep_…", …}`, `{"id":"ep_abc","more":1}`, true},
		{`{"id": …, "more": 2}`, `{"id":{"a":1},"more":1}`, false},
		{`{"id": …, "more": {…}}`, `{"id":{"a":1},"more":{"b":1}}`, true},
		{`{"id": …, …}`, `{"more":1}`, false},
		{`{"a":[1, …]}`, `{"a":[1,2,3]}`, true},
		{`{"a":[1, …]}`, `{"a":[2,1]}`, false},
		{`{"a":[1]}`, `{"a":[1,2]}`, false},
		{`{"a":[]}`, `{"a":[]}`, true},
		{`{"a":"say \"…\" {"}`, `{"a":"say \"x\" {"}`, true},
		{`{"a":null}`, `{"a":false}`, false},
		{`{"a":"1"}`, `{"a":1}`, false},
	} {
		shown, err := JSON(test.shown)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal([]byte(test.got), &got); err != nil {
			t.Fatal(err)
		}
		var m Match
		if m.value("", shown, got); (len(m.wrong) == 0) != test.matches {
			t.Errorf("%s for %s: %v", test.shown, test.got, m.wrong)
		}
	}
}

// Commands are read as a shell and curl read them, and what is beyond that is refused.
func TestConsoleCommands(t *testing.T) {
	variables := map[string]string{"API": "https://x", "AUTH": "Authorization: Bearer k y"}
	words, err := Words(`curl -i -X PATCH "$API/a?b=c&d" -H "$AUTH" --json '{"a":"$API"}'`, variables)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Curl(words)
	if err != nil || r.Method != "PATCH" || r.URL != "https://x/a?b=c&d" || r.Body != `{"a":"$API"}` || !r.Head || r.Headers[2][1] != "Bearer k y" {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, command := range []string{`curl $NOBODY`, `curl $API/a?b=c`, `curl $API | jq`, `curl "$API`, `curl $API/{id}`} {
		if words, err := Words(command, variables); err == nil {
			t.Errorf("%s: %q", command, words)
		}
	}
	for _, command := range []string{`curl`, `curl a b`, `curl a -o b`, `curl a -H b`, `curl a -X`} {
		if r, err := Curl(strings.Fields(command)); err == nil {
			t.Errorf("%s: %+v", command, r)
		}
	}
}
