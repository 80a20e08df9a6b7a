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
// it with CPython's json, Node's JSON.parse or Go's encoding/json; null where it would
// refuse it or do something else. They were recorded with the interpreters themselves.
type recordedBody struct {
	Body   []byte  `json:"body"`
	Text   string  `json:"text"`
	Python *string `json:"python"`
	Node   *string `json:"node"`
	Go     *string `json:"go"`
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
		for name, id := range map[string]*string{"Python": recorded.Python, "Node": recorded.Node, "Go": recorded.Go} {
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
