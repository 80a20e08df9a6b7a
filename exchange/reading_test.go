// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// rpc is a resource whose requests say only in their body what they ask for.
func rpc() *syntax.Resource {
	where := func(kind event.Kind, method string) *syntax.Rule {
		return &syntax.Rule{
			Kind: kind, Methods: []string{"POST"}, Path: "/rpc",
			Where: []*syntax.Condition{{Value: "request:method", Is: []string{method}}},
		}
	}
	return &syntax.Resource{
		Name: "items", Show: &syntax.Request{Path: "/items/:id"}, ID: []string{"request:params.id", "result.id"},
		Rules: []*syntax.Rule{where(event.KindUpdate, "item.update"), where(event.KindDelete, "item.delete")},
	}
}

// ended returns what became of an exchange: "unmatched", "unresolved", "refused", or its
// marked objects, with a "?" where the change is not confirmed.
func ended(t *testing.T, q *recordingQueue) string {
	t.Helper()
	if len(q.uncovered) > 0 {
		return "unmatched"
	}
	var marks []string
	for _, r := range q.resolved {
		if r.resolution.Unresolved != "" {
			return "unresolved"
		}
		for i := range r.resolution.Marks {
			mark := &r.resolution.Marks[i]
			text := mark.Key.ID
			if mark.Cause.Outcome != event.OutcomeChanged {
				text += "?"
			}
			marks = append(marks, text)
		}
	}
	if len(marks) == 0 {
		return "refused"
	}
	slices.Sort(marks)
	return strings.Join(marks, " ")
}

// sendBody sends a body past a watcher, to an API that checks that it gets all of it.
func sendBody(t *testing.T, watcher *Watcher, r *http.Request, status int, answer string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	err := watcher.serve(recorder, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, err := io.WriteString(w, answer)
		return err
	}))
	if err != nil {
		t.Error(err)
	}
}

// A request whose body two readers understand in different ways is about all that
// they find, without confirmation, or about nobody knows what. It never passes as if
// it changed nothing, and never confirms a change of the wrong object.
func TestUncertainBodies(t *testing.T) {
	const jsonType, formType, xmlType = "application/json", "application/x-www-form-urlencoded", "text/xml"
	update := func(params string) string { return `{"method":"item.update","params":` + params + `}` }
	for name, tc := range map[string]struct {
		kind, body, want string
	}{
		"plain":                         {jsonType, update(`{"id":"7"}`), "7"},
		"no Content-Type":               {"", update(`{"id":"7"}`), "7"},
		"a number":                      {jsonType, update(`{"id":7}`), "7"},
		"several objects":               {jsonType, update(`{"id":["7","8"]}`), "7 8"},
		"another method":                {jsonType, `{"method":"item.list"}`, "unmatched"},
		"no method":                     {jsonType, `{"id":7}`, "unmatched"},
		"empty":                         {jsonType, "", "unmatched"},
		"other names repeated":          {jsonType, `{"x":1,"x":2,"method":"item.update","params":{"id":"7","y":1,"y":2}}`, "7"},
		"an id twice":                   {jsonType, update(`{"id":"own","id":"victim"}`), "own? victim?"},
		"an id twice, escaped":          {jsonType, update(`{"id":"own","\u0069d":"victim"}`), "own? victim?"},
		"params twice":                  {jsonType, `{"method":"item.update","params":{"id":"own"},"params":{"id":"victim"}}`, "own? victim?"},
		"an id in another case":         {jsonType, update(`{"id":"own","ID":"victim"}`), "own? victim?"},
		"an id in another case, alone":  {jsonType, update(`{"Id":"victim"}`), "victim?"},
		"folded beyond ASCII":           {jsonType, update(`{"id":"own"}`) + "\n", "own"},
		"params in another case":        {jsonType, `{"method":"item.update","Params":{"id":"victim"}}`, "victim?"},
		"a method twice":                {jsonType, `{"method":"item.list","method":"item.update","params":{"id":"7"}}`, "7?"},
		"a method in another case":      {jsonType, `{"Method":"item.update","params":{"id":"7"}}`, "7?"},
		"a method in two cases":         {jsonType, `{"method":"item.list","METHOD":"item.update","params":{"id":"7"}}`, "7?"},
		"two methods of rules":          {jsonType, `{"method":"item.delete","method":"item.update","params":{"id":"7"}}`, "unresolved"},
		"an integer beyond floats":      {jsonType, update(`{"id":9007199254740993}`), "9007199254740992.0? 9007199254740992? 9007199254740993?"},
		"an exponent":                   {jsonType, update(`{"id":7e0}`), "7.0? 7? 7e0?"},
		"a number beyond floats":        {jsonType, update(`{"id":1e999}`), "unresolved"},
		"half a surrogate":              {jsonType, update(`{"id":"\ud800"}`), "unresolved"},
		"an id that is not UTF-8":       {jsonType, update("{\"id\":\"\xff\"}"), "unresolved"},
		"an id of another path":         {jsonType, update(`{"id":"7/card"}`), "unresolved"},
		"an id with a NUL":              {jsonType, update(`{"id":"7\u0000"}`), "unresolved"},
		"NaN":                           {jsonType, update(`{"id":"7","x":NaN}`), "unresolved"},
		"a comment":                     {jsonType, `/**/` + update(`{"id":"7"}`), "unresolved"},
		"a comma at the end":            {jsonType, update(`{"id":"7",}`), "unresolved"},
		"UTF-16":                        {jsonType, "\xff\xfe{\x00}\x00", "unresolved"},
		"two values":                    {jsonType, update(`{"id":"7"}`) + `{}`, "unresolved"},
		"UTF-7":                         {jsonType + "; charset=utf-7", update(`{"id":"7"}`), "unresolved"},
		"UTF-8":                         {jsonType + "; charset=UTF-8", update(`{"id":"7"}`), "7"},
		"longer than capture":           {jsonType, update(`{"id":"7","x":"` + strings.Repeat("x", 1<<20) + `"}`), "unresolved"},
		"text that is JSON":             {"text/plain", update(`{"id":"7"}`), "7?"},
		"a form that is JSON":           {formType, update(`{"id":"7"}`), "7?"},
		"a form that is JSON and both":  {formType, `{"method":"item.list","x":"&method=item.update&params[id]=7&"}`, "7?"},
		"XML that is JSON":              {xmlType, update(`{"id":"7"}`), "7?"},
		"text":                          {"text/plain", "item.update 7", "unresolved"},
		"a form":                        {formType, "method=item.update&params[id]=7", "7"},
		"a form with an id twice":       {formType, "method=item.update&params[id]=own&params[id]=victim", "own? victim?"},
		"a form with a method twice":    {formType, "method=item.list&method=item.update&params[id]=7", "7?"},
		"a form with a method in case":  {formType, "Method=item.update&params[id]=7", "7?"},
		"a form with a contradiction":   {formType, "method=item.update&params=1&params[id]=7", "unresolved"},
		"a form with semicolons":        {formType, "method=item.list;method=item.update&params[id]=7", "unresolved"},
		"a form with odd brackets":      {formType, "method=item.update&params[id=7", "unresolved"},
		"a form with a lone percent":    {formType, "method=item.update&params[id]=7&x=100%", "7"},
		"JSON that is a form":           {jsonType, "method=item.update&params[id]=7", "unresolved"},
		"multipart, one decoded":        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"method\"\r\nContent-Transfer-Encoding: base64\r\n\r\naXRlbS51cGRhdGU=\r\n--b--\r\n", "unresolved"},
		"multipart, one without a name": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\"; name=\"method\"\r\n\r\nitem.update\r\n--b--\r\n", "unresolved"},
		"multipart, cut":                {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\nitem.up", "unresolved"},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, rpc())
		r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(tc.body))
		if tc.kind != "" {
			r.Header.Set("Content-Type", tc.kind)
		}
		sendBody(t, watcher, r, http.StatusOK, "{}")
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if tc.want == "unmatched" {
			continue
		}
		// What the API refuses has changed nothing.
		q = new(recordingQueue)
		r.Body = io.NopCloser(strings.NewReader(tc.body))
		sendBody(t, watcherFor(t, q, rpc()), r, http.StatusBadRequest, "{}")
		if got := ended(t, q); got != "refused" || len(q.intents) != 1 {
			t.Errorf("%s, refused: %s, %d intents", name, got, len(q.intents))
		}
	}
}

// cutBody breaks off.
type cutBody struct{ io.Reader }

func (c cutBody) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A body that does not arrive whole, or that cannot be decoded, names nothing.
func TestBrokenBodies(t *testing.T) {
	const whole = `{"method":"item.update","params":{"id":"7"}}`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(w, whole)
	_ = w.Close()
	for name, tc := range map[string]struct {
		coding string
		body   io.Reader
		want   string
	}{
		"whole":         {"", strings.NewReader(whole), "7"},
		"gzip":          {"gzip", bytes.NewReader(zipped.Bytes()), "7"},
		"cut":           {"", cutBody{strings.NewReader(whole)}, "unresolved"},
		"cut at once":   {"", cutBody{strings.NewReader("")}, "unresolved"},
		"gzip, cut":     {"gzip", bytes.NewReader(zipped.Bytes()[:zipped.Len()-4]), "unresolved"},
		"no gzip":       {"gzip", strings.NewReader(whole), "unresolved"},
		"unknown":       {"aes128gcm", strings.NewReader(whole), "unresolved"},
		"two encodings": {"gzip,gzip", bytes.NewReader(zipped.Bytes()), "unresolved"},
	} {
		q := new(recordingQueue)
		r := httptest.NewRequest(http.MethodPost, "/rpc", tc.body)
		r.ContentLength = -1
		r.Header.Set("Content-Encoding", tc.coding)
		sendBody(t, watcherFor(t, q, rpc()), r, http.StatusOK, "{}")
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	q := new(recordingQueue)
	r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(whole))
	r.Header["Content-Type"] = []string{"application/json", "text/xml"}
	sendBody(t, watcherFor(t, q, rpc()), r, http.StatusOK, "{}")
	if got := ended(t, q); got != "unresolved" {
		t.Errorf("two Content-Types: %s", got)
	}
}

// Queries and headers are read as bodies are.
func TestUncertainFields(t *testing.T) {
	resource := func() *syntax.Resource {
		return &syntax.Resource{
			Name: "items", ID: []string{"query:item_id", "header:X-Item-Id"},
			Rules: []*syntax.Rule{{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/api", Where: []*syntax.Condition{{Value: "query:do", Is: []string{"set"}}}}},
		}
	}
	for target, want := range map[string]string{
		"/api?do=set&item_id=7":                    "7",
		"/api?do=get&item_id=7":                    "unmatched",
		"/api?do=set&item_id=own&item_id=victim":   "own? victim?",
		"/api?do=set&item_id=own&ITEM_ID=victim":   "own? victim?",
		"/api?do=set&item_id=own&item.id=victim":   "own? victim?",
		"/api?do=set&item_id=own&item_id[]=victim": "own? victim?",
		"/api?do=set&item_id=own;item_id=victim":   "own? victim?",
		"/api?do=get&do=set&item_id=7":             "7?",
		"/api?do=get&Do=set&item_id=7":             "7?",
		"/api?do=get;do=set&item_id=7":             "7?",
		"/api?do=set&item_id=%ff":                  "unresolved",
		"/api?do=set&item_id=7%2Fcard":             "unresolved",
	} {
		q := new(recordingQueue)
		sendBody(t, watcherFor(t, q, resource()), httptest.NewRequest(http.MethodPost, target, nil), http.StatusOK, "{}")
		if got := ended(t, q); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	for name, header := range map[string]http.Header{
		"own":           {"X-Item-Id": {"own"}},
		"own? victim?":  {"X-Item-Id": {"own", "victim"}},
		"own? victim? ": {"X-Item-Id": {"own"}, "X_item_id": {"victim"}},
	} {
		q := new(recordingQueue)
		r := httptest.NewRequest(http.MethodPost, "/api?do=set", nil)
		r.Header = header
		sendBody(t, watcherFor(t, q, resource()), r, http.StatusOK, "{}")
		if got := ended(t, q); got != strings.TrimSpace(name) {
			t.Errorf("%v: %s, want %s", header, got, name)
		}
	}
}

// Objects that a request touches are not lost where its body cannot be read, and a
// path without a rule about bodies is not affected by them.
func TestUncertainTouches(t *testing.T) {
	orders := &syntax.Resource{Name: "orders", Rules: []*syntax.Rule{{
		Kind: event.KindUpdate, Methods: []string{"PUT"}, Path: "/orders/:id",
		Touches: []*syntax.Touch{{Resource: "users", IDs: "request:user_id"}},
	}}}
	for _, tc := range []struct{ target, body, want string }{
		{"/orders/1", `{"user_id":"u1"}`, "1 u1"},
		{"/orders/1", `{"user_id":"u1","user_id":"u2"}`, "1? u1? u2?"},
		{"/orders/1", `{"user_id":"u1"`, "unresolved"},
		{"/users/u1", `{"user_id":"u1"`, "u1"},
	} {
		q := new(recordingQueue)
		r := httptest.NewRequest(http.MethodPut, tc.target, strings.NewReader(tc.body))
		sendBody(t, watcherFor(t, q, orders, &syntax.Resource{Name: "users"}), r, http.StatusOK, "{}")
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.target, tc.body, got, tc.want)
		}
	}
}

// A receiver is not taken from a request that readers understand in different ways.
func TestUncertainReceiver(t *testing.T) {
	notify := &syntax.Resource{Name: "items", Notify: &syntax.Notify{URL: "request:url"}}
	for body, want := range map[string]bool{
		`{"url":"https://a.example"}`:                           true,
		`{"url":"https://a.example","url":"https://b.example"}`: false,
		`{"url":"https://a.example","URL":"https://b.example"}`: false,
		`{"url":"https://a.example"`:                            false,
	} {
		q := new(recordingQueue)
		sendBody(t, watcherFor(t, q, notify), httptest.NewRequest(http.MethodPost, "/items", strings.NewReader(body)), http.StatusCreated, `{"id":"1"}`)
		named := func(mark queue.Mark) bool { return mark.Callback != nil }
		if got := slices.ContainsFunc(q.only(t).resolution.Marks, named); got != want {
			t.Errorf("%s names a receiver: %v", body, got)
		}
	}
}

// The method that a POST states counts if the API honours it, and its own if not.
func TestStatedMethods(t *testing.T) {
	resource := func() *syntax.Resource {
		return &syntax.Resource{Name: "items", Conventions: syntax.ConventionsEvents, Rules: []*syntax.Rule{
			{Kind: event.KindCreate, Methods: []string{"POST"}, Path: "/items"},
			{Kind: event.KindUpdate, Methods: []string{"POST", "PATCH"}, Path: "/items/:id"},
			{Kind: event.KindDelete, Methods: []string{"DELETE"}, Path: "/items/:id"},
			{Kind: event.KindDelete, Methods: []string{"DELETE"}, Path: "/items/:id/parts"},
			{Kind: event.KindUpdate, Methods: []string{"PUT"}, Path: "/bulk"},
			{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/bulk"},
		}, ID: []string{"query:id", "id"}}
	}
	overrides, err := rules.ParseValues([]string{"query:_method", "header:X-HTTP-Method-Override", "request:_method"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		method, target, header, body string
		status                       int
		want                         string
	}{
		{"POST", "/items/7?_method=DELETE", "", "", 200, "7"},
		{"POST", "/items/7?_method=patch", "", "", 200, "7"},
		{"POST", "/items/7/parts", "DELETE", "", 200, "7"},
		{"POST", "/items/7/parts", "", "", 200, "unmatched"},
		{"POST", "/items/7/parts", "GET", "", 200, "unmatched"},
		{"POST", "/items?_method=GET", "", "", 200, "1?"},
		{"POST", "/items?_method=GET", "", "", 201, "1"},
		{"POST", "/items", "HEAD", "", 200, "1?"},
		{"POST", "/items", "", `{"_method":"OPTIONS"}`, 200, "1?"},
		{"POST", "/items?_method=FOO", "", "", 200, "1"},
		{"POST", "/items?_method=DELETE", "", "", 200, "1?"},
		{"POST", "/items?_method=DELETE", "", "", 404, "refused"},
		{"POST", "/items?_method=", "", "", 200, "1"},
		{"POST", "/others?_method=GET", "", "", 200, "unmatched"},
		{"POST", "/others?_method=DELETE", "", "", 200, "unmatched"},
		{"POST", "/items/7?_method=DELETE&_method=GET", "", "", 200, "7?"},
		{"POST", "/items/7?_method=DELETE", "PATCH", "", 200, "7?"},
		{"POST", "/items/7", "", `{"_method":"DELETE"`, 200, "unresolved"},
		{"POST", "/items", "", `{"_method":"DELETE"`, 200, "1?"},
		{"POST", "/bulk?id=7&_method=PUT", "", "", 200, "unresolved"},
		{"PATCH", "/items/7?_method=GET", "", "", 200, "7"},
		{"GET", "/items/7?_method=DELETE", "", "", 200, "refused"},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, resource())
		r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
		if tc.header != "" {
			r.Header.Set("X-HTTP-Method-Override", tc.header)
		}
		recorder := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		request := rules.Request{HTTP: r, Method: r.Method, Limit: 1 << 20, Overrides: overrides}
		answer := `{"id":"1"}`
		if strings.HasPrefix(tc.target, "/items/7") {
			answer = `{"id":"7"}` // another id would be a new name
		}
		if err := watcher.Serve(recorder, request, answers(tc.status, nil, answer)); err != nil {
			t.Error(err)
		}
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s %s %s %s: %s, want %s", tc.method, tc.target, tc.header, tc.body, got, tc.want)
		}
	}
}

// The members of a batch are matched as if each had been sent alone, and judged each by
// its own answer.
func TestBatch(t *testing.T) {
	resource := func() *syntax.Resource {
		r := rpc()
		for _, rule := range r.Rules {
			rule.Refused = &syntax.Answer{Where: []*syntax.Condition{{Value: "error", Exists: true}}}
		}
		r.Rules = append(r.Rules, &syntax.Rule{
			Kind: event.KindCreate, Methods: []string{"POST"}, Path: "/rpc",
			Where: []*syntax.Condition{{Value: "request:method", Is: []string{"item.create"}}},
		})
		return r
	}
	const (
		update = `{"id":1,"method":"item.update","params":{"id":"7"}}`
		remove = `{"id":2,"method":"item.delete","params":{"id":"8"}}`
		create = `{"id":3,"method":"item.create"}`
		list   = `{"id":4,"method":"item.list"}`
	)
	for name, tc := range map[string]struct{ body, answer, want string }{
		"all done":         {"[" + update + "," + remove + "]", `[{"id":2,"result":1},{"id":1,"result":1}]`, "7 8"},
		"one is refused":   {"[" + update + "," + remove + "]", `[{"id":1,"error":{}},{"id":2,"result":1}]`, "8"},
		"no answers":       {"[" + update + "," + remove + "]", ``, "7? 8?"},
		"one answer":       {"[" + update + "," + remove + "]", `[{"id":1,"result":1}]`, "7 8?"},
		"an answer twice":  {"[" + update + "]", `[{"id":1,"result":1},{"id":1,"error":1}]`, "7?"},
		"an id twice":      {"[" + update + "," + strings.Replace(update, `"7"`, `"9"`, 1) + "]", `[{"id":1,"result":1}]`, "7? 9?"},
		"a create":         {"[" + create + "]", `[{"id":3,"result":{"id":"n"}}]`, "n"},
		"a create, no id":  {"[" + create + "]", `[{"id":3,"result":{}}]`, "unresolved"},
		"one matches":      {"[" + list + "," + update + "]", `[{"id":4,"result":[]},{"id":1,"result":1}]`, "7"},
		"none matches":     {"[" + list + "]", `[{"id":4}]`, "unmatched"},
		"nothing":          {"[]", `[]`, "unmatched"},
		"scalars":          {"[1,null,[]]", `[]`, "unmatched"},
		"an id is unsure":  {`[{"id":1,"method":"item.update","params":{"id":"own","id":"victim"}}]`, `[{"id":1}]`, "own? victim?"},
		"an id is unknown": {`[{"id":1,"method":"item.update","params":{"id":1e999}},` + remove + `]`, `[{"id":1},{"id":2}]`, "unresolved"},
		"too many":         {"[" + strings.Repeat(list+",", 1000) + list + "]", `[]`, "unresolved"},
	} {
		q := new(recordingQueue)
		sendBody(t, watcherFor(t, q, resource()), httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(tc.body)), http.StatusOK, tc.answer)
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	q := new(recordingQueue)
	sendBody(t, watcherFor(t, q, resource()), httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader("["+remove+"]")), http.StatusOK, `[{"id":2,"result":1}]`)
	if mark := q.only(t).resolution.Marks[0]; mark.Hints != queue.HintDeleted || q.intents[0].Key.ID != "8" {
		t.Errorf("a delete in a batch is marked with %v; its intent names %v", mark.Hints, q.intents[0].Key)
	}
}

// A client whose requests can never be read for sure does not fill the records, even
// if the API confirms them all.
func TestRecordsOfUnreadRequests(t *testing.T) {
	calls := &syntax.Resource{Name: "items", ID: []string{"request:id"}, Rules: []*syntax.Rule{{
		Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/rpc", Where: []*syntax.Condition{{Value: "request:method", Is: []string{"set"}}},
	}}}
	q := new(recordingQueue)
	watcher := watcherFor(t, q, calls)
	for range 300 {
		sendBody(t, watcher, httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(`{"method":"set","id":`)), http.StatusOK, "{}")
	}
	recorded := 0
	for _, r := range q.resolved {
		if r.resolution.Unresolved != "" {
			recorded++
		}
	}
	if len(q.resolved) != 300 || recorded < 50 || recorded > 110 {
		t.Errorf("%d of %d have a record", recorded, len(q.resolved))
	}
}
