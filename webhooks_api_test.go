// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What an API for subscribers cannot do is refused when the file is read, with its line.
func TestRefusedSubscribers(t *testing.T) {
	global := func(lines string) string { return "{\n\twebhooks {\n\t\tsubscribers {\n" + lines + "\n\t\t}\n\t}\n}\n" }
	site := func(lines string) string { return ":80 {\n\twebhooks_api {\n" + lines + "\n\t}\n}\n" }
	for name, test := range map[string]struct{ text, want string }{
		"a limit of nothing":           {global("limit 0"), "above 0"},
		"a limit in words":             {global("limit many"), "above 0"},
		"a limit of two kinds":         {global("limit one per tenant"), "not `limit one per tenant`"},
		"twice the same":               {global("limit 1\nlimit 2"), "limit stands twice"},
		"verify on":                    {global("verify on"), "not `verify on`"},
		"require what there is not":    {global("require name"), "events, label, url"},
		"require twice":                {global("require label label"), "stands twice"},
		"a type of nothing":            {global("type"), "type takes a pattern"},
		"an endpoint with a name":      {global("endpoint erp {\n}"), "no name and no URL"},
		"two endpoints":                {global("endpoint {\n}\nendpoint {\n}"), "endpoint stands twice"},
		"an offer of nothing":          {global("endpoint {\nsignature none|md5\n}"), "signature offers standard, rfc9421"},
		"an offer of the same":         {global("endpoint {\nauth none|none\n}"), "twice"},
		"an offer in two words":        {global("endpoint {\nauth none basic\n}"), "auth takes one argument"},
		"a default that needs more":    {global("endpoint {\npayload fields|show\n}"), "fields cannot come first"},
		"another's secret":             {global("endpoint {\nsecret theirs\n}"), "secret takes `own`"},
		"data of two formats":          {global("endpoint {\npayload standard|gateway data object=.\n}"), "data is that of one format"},
		"data of a format without":     {global("endpoint {\npayload show data object=.\n}"), "data"},
		"data that names nothing":      {global("endpoint {\npayload gateway data object\n}"), "NAME=PATH"},
		"data without a member":        {global("endpoint {\npayload gateway data\n}"), "or one with its data"},
		"an order that there is not":   {global("endpoint {\norder random\n}"), "order offers object"},
		"what is each one's own":       {global("endpoint {\nevents items.*\n}"), "each subscriber's own"},
		"a tenant of endpoints":        {global("endpoint {\ntenant acme\n}"), "each subscriber's own"},
		"another word of an endpoint":  {global("endpoint {\ncolour red\n}"), "it takes auth, signature, payload, secret, timeout"},
		"the same word twice":          {global("endpoint {\ntimeout 1s\ntimeout 2s\n}"), "timeout stands twice"},
		"no retries and some":          {global("endpoint {\nretry none 5s\n}"), "retry takes durations"},
		"a wrong rate":                 {global("endpoint {\nrate often\n}"), "as 10/s"},
		"subscribers with a name":      {"{\n\twebhooks {\n\t\tsubscribers acme\n\t}\n}\n", "unexpected"},
		"subscribers twice":            {"{\n\twebhooks {\n\t\tsubscribers {\n\t\t}\n\t\tsubscribers {\n\t\t}\n\t}\n}\n", "subscribers stands twice"},
		"an argument":                  {":80 {\n\twebhooks_api keys now\n}\n", "unexpected"},
		"another word":                 {site("endpoints 3"), "upstream, authorize, shape"},
		"authorize nobody":             {site("authorize"), "takes key"},
		"authorize a word":             {site("authorize acme"), "takes key"},
		"authorize part of a text":     {site("authorize tenant-{http.auth.user.id}"), "takes key"},
		"authorize everybody":          {site("upstream localhost:9000\nauthorize shared"), "takes key"},
		"authorize all in two ways":    {site("upstream localhost:9000\nauthorize GET /me shared id"), "takes key"},
		"shared, with no upstream":     {site("authorize GET /me shared"), "upstream is missing"},
		"authorize by what acts":       {site("upstream localhost:9000\nauthorize POST /me tenant id"), "asks with GET"},
		"authorize a tenant's path":    {site("upstream localhost:9000\nauthorize GET /partners/:tenant tenant id"), "no path names a tenant"},
		"authorize no path":            {site("upstream localhost:9000\nauthorize GET me tenant id"), "write the path"},
		"authorize elsewhere":          {site("upstream localhost:9000\nauthorize GET //evil.example/ tenant id"), "write the path"},
		"authorize with a modifier":    {site("upstream localhost:9000\nauthorize GET /me tenant @this"), "where the tenant stands"},
		"asking without an upstream":   {site("authorize GET /me tenant id"), "upstream is missing"},
		"an upstream that nobody asks": {site("upstream localhost:9000\nauthorize key"), "of no use"},
		"a verb without a path":        {site("create POST"), "create takes methods and a path"},
		"a verb on another thing":      {site("pause delivery POST /callbacks/:delivery"), "pause takes `pause METHOD PATH`"},
		"a verb with a wrong status":   {site("create POST /callbacks ok"), "a number as 202"},
		"a status of failure":          {site("create POST /callbacks 404"), "no status of success"},
		"no method":                    {site("create post /callbacks"), "create takes methods and a path"},
		"a change by GET":              {site("delete GET /callbacks/:id"), "GET must change nothing"},
		"a path that names nothing":    {site("show GET /callbacks"), "must have :id or :type"},
		"a name that means nothing":    {site("create POST /callbacks/:name"), ":name means nothing here"},
		"routes that clash":            {site("show GET /callbacks/:id\nupdate PATCH|GET /callbacks/:type\n"), "GET must change nothing"},
		"routes that are the same":     {site("show GET /callbacks/:id\nlist deliveries GET /callbacks/:type\n"), "match the same requests"},
		"a shape of our own paths":     {site("shape endpoint id"), "add routes"},
		"a shape of nothing":           {site("create POST /callbacks\nshape partner id"), "no such thing"},
		"a shape without names":        {site("create POST /callbacks\nshape endpoint"), "say the names"},
		"a shape without a thing":      {site("create POST /callbacks\nshape"), "takes a thing and names"},
		"a shape that nobody uses":     {site("create POST /callbacks\nshape delivery id"), "is of no use"},
		"two shapes":                   {site("create POST /callbacks\nshape endpoint id\nshape endpoint url"), "stands twice"},
		"a member that there is not":   {site("create POST /callbacks\nshape endpoint link=href"), "endpoint has no href"},
		"a new secret without a name":  {site("rotate POST /callbacks/:id\nshape endpoint id"), "add `secret`"},
		"an object without a resource": {site("resend POST /x/:id {\nobject\n}"), "takes one resource"},
		"another option of a route":    {site("resend POST /x/:id {\nlimit 3\n}"), "it takes object and authorize"},
		"an object of another verb":    {site("show GET /x/:id {\nobject items\n}"), "show takes"},
		"a tenant of no path":          {site("upstream localhost:9000\nauthorize GET /partners/:tenant\nlist GET /callbacks"), "has no :tenant"},
		"who asks about nobody":        {site("upstream localhost:9000\nlist GET /callbacks {\nauthorize GET /me\n}"), "where the tenant stands"},
		"a tenant of all":              {site("upstream localhost:9000\nauthorize GET /me shared\nlist GET /:tenant/callbacks"), "callers share one tenant"},
		"asking where nobody is asked": {site("authorize key\nlist GET /callbacks {\nauthorize {http.auth.user.id}\n}"), "each route has its own"},
		"asking on a route":            {site("list GET /callbacks {\nauthorize GET /me shared\n}"), "upstream is missing"},
		"two upstreams":                {site("upstream localhost:9000\nupstream localhost:9001\nauthorize GET /me tenant id"), "upstream stands twice"},
	} {
		if _, err := adapt(t, test.text); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// What is wrong with a line is told with that line, also if only others show it.
func TestRefusedShapesHaveLines(t *testing.T) {
	for text, line := range map[string]int{
		"list GET /callbacks\nshow GET /callbacks/:id\nlist deliveries GET /callbacks/:type": 5,
		"authorize GET /partners/:tenant\nupstream localhost:9000\nlist GET /callbacks":      5,
		"shape delivery id\nlist GET /callbacks":                                             3,
		"list GET /callbacks\nshape endpoint href\nshow GET /callbacks/:id":                  4,
	} {
		want := fmt.Sprintf("Caddyfile:%d", line)
		if _, err := adapt(t, ":80 {\n\twebhooks_api {\n"+text+"\n\t}\n}\n"); err == nil || !strings.HasSuffix(strings.TrimSpace(err.Error()), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// client makes requests to a site.
type client struct {
	t      *testing.T
	base   string
	header http.Header
}

func (c client) do(method, path, body string) (int, map[string]any, http.Header) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = c.header.Clone()
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	for range 20 {
		// A server that is just closing after a reload may have taken the connection.
		if err == nil || method != http.MethodGet {
			break
		}
		response, err = http.DefaultClient.Do(r)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var answer map[string]any
	_ = json.Unmarshal(text, &answer)
	return response.StatusCode, answer, response.Header
}

// A subscriber makes an endpoint with a key that the operator has made: its receiver gets
// a test, and what is asked of us is no traffic of the API's.
func TestSubscribersAPI(t *testing.T) {
	s := newStage(t)
	log := filepath.Join(t.TempDir(), "log")
	text := s.config("subscribers {\nlimit 2\nrequire label\n}", "}\nhandle_path /webhooks/* {\nwebhooks_api")
	text = strings.Replace(text, "level ERROR", "level DEBUG\n\t\toutput file "+log, 1)
	s.mustLoad(text)
	s.change("/items/1", "items.updated items/1")

	created, err := http.Post("http://"+s.admin+"/webhooks/keys?tenant=acme&name=ci", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer created.Body.Close()
	var key struct{ Key string }
	if err := json.NewDecoder(created.Body).Decode(&key); err != nil {
		t.Fatal(err)
	}
	acme := client{t, "http://" + s.address, http.Header{"Authorization": {"Bearer " + key.Key}}}
	tests := make(chan http.Header, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tests <- r.Header.Clone() }))
	t.Cleanup(receiver.Close)

	status, made, header := acme.do(http.MethodPost, "/webhooks/endpoints", fmt.Sprintf(`{"label":"ERP","url":"%s/hooks","auth":{"scheme":"bearer","credential":"canary-token"}}`, receiver.URL))
	if status != 201 || header.Get("Location") != "/webhooks/endpoints/"+made["id"].(string) {
		t.Fatalf("got %d %v %v", status, made, header)
	}
	if got := <-tests; got.Get("Webhook-Op") != "test" || got.Get("Authorization") != "Bearer canary-token" || got.Get("Webhook-Signature") == "" {
		t.Errorf("the receiver got %v", got)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/webhooks/endpoints", "", 200},
		{http.MethodPost, "/webhooks/endpoints", `{"label":"blocked","url":"http://169.254.169.254/"}`, 422},
		{http.MethodPost, "/webhooks/endpoints", `{"label":"ourselves","url":"http://` + s.address + `/items/1"}`, 422},
		{http.MethodPost, "/webhooks/endpoints", `{"url":"https://erp.example/"}`, 422},
		{http.MethodPost, "/webhooks/endpoints", `{"label":"second"}`, 201},
		{http.MethodPost, "/webhooks/endpoints", `{"label":"third"}`, 422},
		{http.MethodPost, "/webhooks/nothing", "", 404},
		{http.MethodGet, "/webhooks/", "", 404},
		{http.MethodGet, "/endpoints", "", 404}, // the API's own path
	} {
		if status, answer, _ := acme.do(test.method, test.path, test.body); status != test.status {
			t.Errorf("%s %s: %d %v, want %d", test.method, test.path, status, answer, test.status)
		}
	}
	if status, _, _ := (client{t, acme.base, http.Header{}}).do(http.MethodGet, "/webhooks/endpoints", ""); status != 401 {
		t.Errorf("a stranger gets %d", status)
	}
	// What is asked of us is in no report of requests to the API; what is asked of the API is.
	acme.do(http.MethodPost, "/elsewhere", "{}")
	_, coverage := s.get("/webhooks/coverage")
	report := fmt.Sprint(coverage["unmatched"])
	if strings.Contains(report, "endpoints") || strings.Contains(report, "nothing") || !strings.Contains(report, "/elsewhere") {
		t.Errorf("unmatched: %s", report)
	}
	written, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"canary-token", made["secret"].(string), key.Key} {
		if strings.Contains(string(written), secret) {
			t.Errorf("the log tells %s", secret)
		}
	}
}

// Without a path of its own it answers what it has, and the API the rest.
func TestSubscribersAPIAtTheRoot(t *testing.T) {
	s := newStage(t)
	s.mustLoad(strings.Replace(s.config("", ""), "\twebhooks {\n\t\tupstream", "\twebhooks_api\n\twebhooks {\n\t\tupstream", 1))
	s.change("/items/1", "items.updated items/1")
	stranger := client{t, "http://" + s.address, http.Header{}}
	for path, want := range map[string]int{"/endpoints": 401, "/me": 401, "/items/1": 200, "/endpoints/x/y/z": 404} {
		if status, answer, _ := stranger.do(http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d %v, want %d", path, status, answer, want)
		}
	}
}

// A tenant is who Caddy has authenticated, or who the API says.
func TestWhoSubscribersAre(t *testing.T) {
	s := newStage(t)
	asked := make(chan *http.Request, 10)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Clone(r.Context())
		if r.Header.Get("Authorization") != "Bearer canary-caller" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"brand":{"id":"acme"}}`)
	}))
	t.Cleanup(api.Close)
	asking := "}\nhandle_path /asked/* {\nwebhooks_api {\nupstream " + api.Listener.Addr().String() + "\nauthorize GET /brand?x=1 tenant brand.id\n}\n}\n"
	// The password is "password".
	known := "handle_path /known/* {\nbasic_auth {\nacme $2a$04$ZvM6pZ0f1gq6yQyQ1Zz8TeYxJ1zv1yqjQe7m9uQ8mYQK9n8C6s0hW\n}\nwebhooks_api {\nauthorize {http.auth.user.id}\n}\n"
	placeholder := "handle_path /told/* {\nvars told umbrella\nwebhooks_api {\nauthorize {vars.told}\n}\n}\nhandle_path /untold/* {\nwebhooks_api {\nauthorize {vars.untold}\n}\n}\n"
	s.mustLoad(s.config("", asking+placeholder+known))
	s.change("/items/1", "items.updated items/1")
	caller := client{t, "http://" + s.address, http.Header{"Authorization": {"Bearer canary-caller"}, "X-Other": {"x"}}}
	for path, want := range map[string]string{"/asked/me": "200 acme", "/told/me": "200 umbrella", "/untold/me": "401 <nil>", "/known/me": "401 <nil>"} {
		status, answer, _ := caller.do(http.MethodGet, path, "")
		if got := fmt.Sprint(status, " ", answer["tenant"]); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	got := <-asked
	if got.URL.String() != "/brand?x=1" || got.Method != http.MethodGet || got.Header.Get("X-Other") != "" || got.Host != s.address {
		t.Errorf("the API was asked %s %s with %v at %s", got.Method, got.URL, got.Header, got.Host)
	}
	caller.header.Set("Authorization", "Bearer wrong")
	if status, _, _ := caller.do(http.MethodGet, "/asked/me", ""); status != 401 {
		t.Errorf("got %d", status)
	}
}

// Where Shows do not say whose they are, all whom the API lets in are one tenant and get
// the events of all objects. Where they do, that is refused.
func TestSharedCallers(t *testing.T) {
	s := newStage(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer platform" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(api.Close)
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("webhook-event") }))
	t.Cleanup(receiver.Close)
	shared := "}\nhandle_path /webhooks/* {\nwebhooks_api {\nupstream " + api.Listener.Addr().String() + "\nauthorize GET /marketplace shared\n}\n"
	s.mustLoad(s.config("", shared))
	s.change("/items/1", "items.updated items/1")
	caller := client{t, "http://" + s.address, http.Header{"Authorization": {"Bearer platform"}}}
	if status, answer, _ := caller.do(http.MethodPost, "/webhooks/endpoints", `{"url":"`+receiver.URL+`","events":["items.*"]}`); status != 201 {
		t.Fatalf("%d %v", status, answer)
	}
	if first := <-got; first != "webhooks.test" {
		t.Errorf("first came %s", first)
	}
	s.put("/items/2", `{"id":"2"}`)
	if next := <-got; next != "items.updated" {
		t.Errorf("then came %s", next)
	}
	caller.header.Set("Authorization", "Bearer other")
	if status, answer, _ := caller.do(http.MethodGet, "/webhooks/endpoints", ""); status != 404 {
		t.Errorf("whom the API refuses gets %d %v", status, answer)
	}
	owned := strings.Replace(s.config("", shared), "resource items", "resource owned {\ntenant owner\n}\nresource items", 1)
	if err := s.load(owned); err == nil || !strings.Contains(err.Error(), "have owners") {
		t.Errorf("beside a tenant: %v", err)
	}
}

// The examples of the reference are what a Caddy takes.
func TestSubscribersReference(t *testing.T) {
	page := pageText(t, "docs/configuration.md")
	_, section, found := strings.Cut(page, "\n## `subscribers`, `webhooks_api`")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := fences.FindAllStringSubmatch(section, -1)
	examples := 0
	for _, block := range blocks {
		if block[1] == "caddyfile" {
			examples++
			validate(t, block[2])
		}
	}
	if !found || examples < 3 {
		t.Errorf("%d examples", examples)
	}
}
