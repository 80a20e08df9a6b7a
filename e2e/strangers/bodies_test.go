// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// rpc is an API that changes the object which the last `id` of a body names, whatever
// stands before and however the members are written, as lax readers do.
type rpc struct{ *objects }

var lastID = regexp.MustCompile(`(?is).*"id"\s*:\s*"(\w+)"`)

func (a rpc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/rpc" {
		a.objects.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	// Read as UTF-16, too.
	text := string(bytes.ReplaceAll(body, []byte{0}, nil))
	found := lastID.FindStringSubmatch(text)
	w.Header().Set("Content-Type", "application/json")
	if found == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.put("/items/"+found[1], fmt.Sprintf(`{"id":%q,"by":%q}`, found[1], text))
	_, _ = io.WriteString(w, `{"result":true}`)
}

// Whatever a request is taken for, a change is announced, or recorded for the operator:
// it is never silent.
func TestReadOtherwise(t *testing.T) {
	t.Parallel()
	api, inbox := rpc{newObjects()}, newInbox(t, nil)
	s := newSite(t, api, inbox, parts{rules: `capture 64KiB
		resource items {
			show GET /items/:id
			update POST /rpc where request:method is item.update
			id request:params.id
		}`})
	s.Start(t)
	utf16 := func(text string) string {
		wide := []byte{0xff, 0xfe}
		for _, b := range []byte(text) {
			wide = append(wide, b, 0)
		}
		return string(wide)
	}
	for i, body := range []string{
		`{"method":"item.update","params":{"id":"own","id":"%s"}}`,
		`{"method":"other","method":"item.update","params":{"id":"%s"}}`,
		`{"Method":"item.update","params":{"id":"%s"}}`,
		`{"method":"item.update","params":{"id":"own","ID":"%s"}}`,
		`{"method":"item.update","params":{"id":"own"},"params":{"id":"%s"}}`,
		`{"method":"item.update","n":NaN,"params":{"id":"%s"}}`,
		`{"method":"item.update","padding":"` + strings.Repeat("x", 70<<10) + `","params":{"id":"%s"}}`,
		`[{"method":"item.read"},{"method":"item.update","params":{"id":"%s"}}]`,
		"\ufeff" + `{"method":"item.update","params":{"id":"%s"}}`,
		`{"method":"item.update",/* "x" */"params":{"id":"%s"}}`,
		`{"method":"item.update","params":{"id":"%s"}`,
		`{"m\u0065thod":"item.update","params":{"\u0069d":"own","id":"%s"}}`,
		"UTF-16" + `{"method":"item.update","params":{"id":"%s"}}`,
	} {
		victim := fmt.Sprintf("victim%d", i)
		body := strings.Replace(body, "%s", victim, 1)
		if text, wide := strings.CutPrefix(body, "UTF-16"); wide {
			body = utf16(text)
		}
		// Known before, so that a change is one.
		api.put("/items/"+victim, fmt.Sprintf(`{"id":%q}`, victim))
		s.do(t, "GET", "/items/"+victim, "", http.StatusOK)
		s.settled(t)
		before := len(s.records(t))
		s.do(t, "POST", "/rpc", body, http.StatusOK)
		s.Eventually(t, fmt.Sprintf("%.90s is announced, or recorded", body), time.Minute, func() error {
			if len(inbox.events("/all", "items/"+victim)) == 0 && len(s.records(t)) == before {
				return errors.New("neither")
			}
			return nil
		})
	}
	s.healthy(t)
	s.Stop(t)
}

// A method that the API does not honour hides no change.
func TestStatedMethod(t *testing.T) {
	t.Parallel()
	api, inbox := newObjects(), newInbox(t, nil)
	s := newSite(t, api, inbox, parts{rules: "method_override query:_method header:X-HTTP-Method-Override\n resource items"})
	s.Start(t)
	for i, query := range []string{"?_method=GET", "?_method=", "?_method=TRACE", "?_method=DELETE&_method=GET", "?x=1;_method=GET"} {
		s.do(t, "POST", "/items"+query, `{}`, http.StatusCreated)
		s.told(t, "/all", fmt.Sprintf("items/%d", i+1), "items.created")
	}
	s.Stop(t)
}

// A path that is another object's to the API shows nobody that object.
func TestSpelledPaths(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	objects.put("/items/77/card", `{"number":"4111"}`)
	objects.put("/items/ID", `{"n":1}`)
	// It decodes a path before it splits it, as Go's own server does.
	s := newSite(t, objects, inbox, parts{rules: "resource items"})
	s.Start(t)
	accepted := 0
	for i, path := range []string{"/items/77%2Fcard", "/items/x%2F..%2F77%2fcard", "/items%2FID", "/items/77%2Fcard%00", "/items/./77%2Fcard"} {
		status, err := s.Do(t.Context(), "PUT", path, fmt.Sprintf(`{"number":"%d"}`, i))
		if err != nil {
			t.Fatal(err)
		}
		if status < 300 {
			accepted++
		}
	}
	s.settled(t)
	if accepted < 2 {
		t.Fatalf("the API took %d of the paths", accepted)
	}
	if got := objects.reads("/items/77/card"); got > 0 {
		t.Errorf("the Show of another object was read %d times", got)
	}
	for _, a := range inbox.got("/all") {
		if strings.Contains(a.body, "number") {
			t.Errorf("%s of %s has %s", a.header.Get("Webhook-Event"), a.header.Get("Webhook-Object"), a.body)
		}
	}
	if got := s.records(t); len(got) < accepted {
		t.Errorf("%d records of %d requests: %q", len(got), accepted, got)
	}
	s.Stop(t)
}

// bombs are small bodies that are dear to parse, by Content-Type.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	pack := func(text string) []byte {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.Bytes()
	}
	var form strings.Builder
	for i := range 9999 {
		fmt.Fprintf(&form, "f%d%s=1&", i, strings.Repeat("[a]", 30))
	}
	return map[string][]byte{
		"application/xml":                   pack("<a>" + strings.Repeat("<b/>", 262134) + "</a>"),
		"text/xml":                          pack(strings.Repeat("<a>", 100000) + strings.Repeat("</a>", 100000)),
		"application/x-www-form-urlencoded": pack(form.String()),
		"application/json":                  pack(strings.Repeat("[", 500000) + strings.Repeat("]", 500000)),
		"application/x-ndjson":              pack(strings.Repeat("{}\n", 349000)),
		"application/json; charset=utf-8":   pack(`{` + strings.Repeat(`"a":{},`, 149000) + `"b":1}`),
	}
}

// peak returns the most memory that the process has had, in bytes.
func peak(t *testing.T, pid int) int { return memory(t, pid, "VmHWM:") }

// Bodies that are dear to parse, many at once, take no more memory than all parsing may.
func TestBombs(t *testing.T) {
	const most = 400 << 20
	s := newSite(t, newObjects(), nil, parts{rules: `method_override request:_method
		resource items {
			create POST /rpc where request:method is item.create
			update POST /items/:id where request:action is change
			id request:id
		}`})
	s.Start(t)
	before := peak(t, s.PID())
	var all sync.WaitGroup
	for kind, body := range bombs(t) {
		for client := range 20 {
			all.Go(func() {
				for i := range 3 {
					path := []string{"/rpc", "/items/1", "/elsewhere"}[(client+i)%3]
					request, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Site()+path, bytes.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					request.Header.Set("Content-Type", kind)
					request.Header.Set("Content-Encoding", "gzip")
					response, err := http.DefaultClient.Do(request)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if response.StatusCode != http.StatusCreated {
						t.Errorf("%s: %d", kind, response.StatusCode)
					}
				}
			})
		}
	}
	all.Wait()
	if got := peak(t, s.PID()); got > most {
		t.Errorf("the process had %d MiB, and %d MiB before", got>>20, before>>20)
	}
	t.Logf("%d MiB at most, %d MiB before", peak(t, s.PID())>>20, before>>20)
	s.settled(t)
	s.healthy(t)
	s.Stop(t)
}

// One request that is broken off and names thousands of objects makes no more Shows
// than its budget lets it, and holds up nobody.
func TestManyIDs(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bulk" {
			objects.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	s := newSite(t, api, inbox, parts{rules: `look_rate 5/s
		resource items {
			show GET /items/:id
			create POST /items
			update POST /bulk
			update PATCH /items/:id
			id request:ids id location
		}`})
	s.Start(t)
	ids := make([]string, 9999)
	for i := range ids {
		ids[i] = fmt.Sprintf("many%d", i)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	// The body is whole, so that it names them all, and the answer does not come.
	bulk := fmt.Sprintf(`{"ids":%s}`, list)
	s.hangUp(t, "POST", "/bulk", bulk, len(bulk))
	for i := range 50 {
		s.do(t, "POST", "/items", `{}`, http.StatusCreated)
		s.told(t, "/all", fmt.Sprintf("items/%d", i+1), "items.created")
	}
	took := time.Since(began)
	many := 0
	for _, id := range ids {
		many += objects.reads("/items/" + id)
	}
	if many == 0 {
		t.Error("none was looked at")
	}
	if limit := 5*int(took.Seconds()+1) + 20; many > limit {
		t.Errorf("%d Shows were read in %s for a request that was broken off, want at most %d", many, took, limit)
	}
	t.Logf("%d Shows in %s", many, took)
	s.healthy(t)
	s.Kill()
}
