// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// recordedBody is a body and the id of the object that an API would update which reads
// it with CPython's json, Node's JSON.parse, Go's encoding/json or PHP's json_decode; null
// where it would refuse it or do something else. They were recorded with the interpreters themselves.
type recordedBody struct {
	Body   []byte  `json:"body"`
	Text   string  `json:"text"`
	Python *string `json:"python"`
	Node   *string `json:"node"`
	Go     *string `json:"go"`
	PHP    *string `json:"php"`
}

// What any API would update is marked, or the exchange is recorded as unresolved.
func TestRecordedBodies(t *testing.T) {
	raw, err := os.ReadFile("testdata/bodies.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recordedBody
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, recorded := range all {
		q := new(recordingQueue)
		r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(string(recorded.Body)))
		sendBody(t, watcherFor(t, q, rpc()), r, http.StatusOK, "{}")
		got := ended(t, q)
		found := strings.Fields(strings.ReplaceAll(got, "?", ""))
		first, agree := "", true
		for name, id := range map[string]*string{"Python": recorded.Python, "Node": recorded.Node, "Go": recorded.Go, "PHP": recorded.PHP} {
			if id == nil {
				continue
			}
			agree = agree && (first == "" || first == *id)
			first = *id
			if got != "unresolved" && !slices.Contains(found, url.PathEscape(*id)) {
				t.Errorf("%s updates %q by %s, and what became of it is %q", name, *id, recorded.Text, got)
			}
		}
		if !agree && got != "unresolved" && !strings.Contains(got, "?") {
			t.Errorf("%s: confirmed %s, and APIs disagree", recorded.Text, got)
		}
	}
}

// recordedForm is a form and the ids of the object that APIs would update, by what reads
// the form: PHP, Node's querystring, the package qs that Express uses, Go, or Python's
// parse_qs, of which some frameworks give out the first value of a name and others the
// last. Readers that would refuse it or do something else are left out. In a nested form
// the id is params[id], in a flat one id. The table was recorded with the readers
// themselves: PHP 8.2, Node 20, qs 6.17, Go and CPython 3.11.
type recordedForm struct {
	Kind    string            `json:"kind"`
	Body    []byte            `json:"body"`
	Text    string            `json:"text"`
	Readers map[string]string `json:"readers"`
}

// What any API would update is marked, or the exchange is recorded as unresolved; and an
// object is confirmed only if all that read the form agree.
func TestRecordedForms(t *testing.T) {
	raw, err := os.ReadFile("testdata/forms.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recordedForm
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, recorded := range all {
		resource := rpc()
		if recorded.Kind == "flat" {
			resource.ID = []string{"request:id"}
		}
		q := new(recordingQueue)
		r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(string(recorded.Body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sendBody(t, watcherFor(t, q, resource), r, http.StatusOK, "{}")
		got := ended(t, q)
		found := strings.Fields(strings.ReplaceAll(got, "?", ""))
		ids := make(map[string]bool)
		for name, id := range recorded.Readers {
			ids[id] = true
			if got != "unresolved" && !slices.Contains(found, url.PathEscape(id)) {
				t.Errorf("%s updates %q by %q, and what became of it is %q", name, id, recorded.Text, got)
			}
		}
		if len(ids) > 1 && got != "unresolved" && !strings.Contains(got, "?") {
			t.Errorf("%q: confirmed %s, and APIs disagree", recorded.Text, got)
		}
	}
}
