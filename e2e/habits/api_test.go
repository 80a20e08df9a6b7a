// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// apiName is the name under which the API is asked, credential what the operator has.
const (
	apiName    = "api.example.com"
	credential = "Bearer operator"
)

// object is an object of the API.
type object struct {
	id      int
	title   string
	version int
	deleted bool
}

// state is what an object was from some time on.
type state struct {
	at     time.Time
	object object
}

// fake is an API with habits, which keeps a journal of all that it does.
type fake struct {
	switches

	server *httptest.Server

	mu      sync.Mutex
	last    int
	journal map[int][]state
	// before are the objects that were there before Caddy.
	before map[int]bool
	// shown counts how often an object was shown, used what the switches did.
	shown map[int]int
	used  map[string]int
}

func newFake(t *testing.T, s switches) *fake {
	t.Helper()
	f := &fake{switches: s, journal: make(map[int][]state), before: make(map[int]bool), shown: make(map[int]int), used: make(map[string]int)}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	for i := range 5 {
		f.before[f.create(fmt.Sprintf("old %d", i)).id] = true
	}
	// Even a cache has them.
	for id := range f.journal {
		f.journal[id][0].at = time.Now().Add(-time.Hour)
	}
	return f
}

func (f *fake) create(title string) object {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	made := object{id: f.last, title: title, version: 1}
	f.journal[f.last] = []state{{time.Now(), made}}
	return made
}

// update changes an object, and returns it as it was and as it is. It reports false if
// there is none.
func (f *fake) update(id int, title string) (before, now object, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	history := f.journal[id]
	if len(history) == 0 || history[len(history)-1].object.deleted {
		return object{}, object{}, false
	}
	before = history[len(history)-1].object
	if title == "" || title == before.title {
		return before, before, true
	}
	now = object{id: id, title: title, version: before.version + 1}
	f.journal[id] = append(history, state{time.Now(), now})
	return before, now, true
}

func (f *fake) remove(id int) (now object, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	history := f.journal[id]
	if len(history) == 0 || history[len(history)-1].object.deleted {
		return object{}, false
	}
	now = history[len(history)-1].object
	now.deleted, now.version = true, now.version+1
	f.journal[id] = append(history, state{time.Now(), now})
	return now, true
}

// at returns an object as it was some time ago.
func (f *fake) at(id int, ago time.Duration) (o object, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown[id]++
	for _, s := range f.journal[id] {
		if time.Since(s.at) >= ago {
			o, ok = s.object, true
		}
	}
	return o, ok
}

// living returns the objects that are there, in their order.
func (f *fake) living() (all []object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.last {
		if history := f.journal[id+1]; !history[len(history)-1].object.deleted {
			all = append(all, history[len(history)-1].object)
		}
	}
	return all
}

// use notes that a switch did something.
func (f *fake) use(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used[what]++
}

// sent is what a request says in its body.
type sent struct {
	form url.Values
	json string
}

func (s sent) field(name string) string {
	if s.form != nil {
		return s.form.Get(name)
	}
	for _, path := range []string{name, "item." + name, "data.attributes." + name} {
		if found := gjson.Get(s.json, path); found.Exists() {
			return found.String()
		}
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	said := sent{json: string(text)}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if said.form, err = url.ParseQuery(string(text)); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	switch {
	case f.refusesNames != 0 && r.Host != apiName:
		f.use("refuses names")
		f.page(w, f.refusesNames, "<h1>Blocked host: "+r.Host+"</h1>")
		return
	case f.needsLogin && r.Header.Get("Authorization") != credential:
		f.use("needs a login")
		w.Header().Set("Location", "http://"+r.Host+"/login")
		f.page(w, http.StatusFound, "<h1>Log in</h1>")
		return
	}
	path, done := f.route(w, r)
	if done {
		return
	}
	method := f.overrides.stated(r, said.field)
	if method != r.Method {
		f.use("overrides the method")
	}
	rest, found := strings.CutPrefix(path, f.collection)
	id, err := strconv.Atoi(strings.TrimPrefix(rest, "/"))
	switch {
	case !found || rest != "" && err != nil:
		f.page(w, http.StatusNotFound, "<h1>Not found</h1>")
	case rest == "":
		f.onCollection(w, r, method, said)
	default:
		f.onObject(w, r, method, id, said)
	}
}

// route returns the path without what the API leaves out at its end. It reports true if
// that was answered already.
func (f *fake) route(w http.ResponseWriter, r *http.Request) (path string, done bool) {
	path = r.URL.Path
	if bare, session, has := strings.Cut(path, ";"); has && f.takesSessions && strings.HasPrefix(session, "jsessionid=") {
		f.use("takes sessions")
		path = bare
	}
	if bare, has := strings.CutSuffix(path, ".json"); has && f.takesSuffix {
		f.use("takes suffixes")
		path = bare
	} else if f.needsSuffix && r.Header.Get("Accept") != "application/json" && r.Method == http.MethodGet {
		f.page(w, http.StatusOK, "<h1>"+path+"</h1>")
		return path, true
	}
	slashed := strings.HasSuffix(path, "/")
	path = strings.TrimSuffix(path, "/")
	isItem := path != f.collection
	switch {
	case !slashed && f.addsSlash != 0 && (f.slashOnItems || !isItem):
		f.use("adds a slash")
		f.redirect(w, r, f.addsSlash, r.URL.Path+"/")
		return path, true
	case slashed && f.dropsSlash:
		f.use("drops a slash")
		f.redirect(w, r, http.StatusMovedPermanently, strings.TrimSuffix(r.URL.Path, "/"))
		return path, true
	case slashed && f.refusesSlash && (isItem || f.addsSlash == 0):
		f.use("refuses a slash")
		f.page(w, http.StatusNotFound, "<h1>Not found</h1>")
		return path, true
	}
	return path, false
}

func (f *fake) redirect(w http.ResponseWriter, r *http.Request, status int, path string) {
	target := "http://" + r.Host + path
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	f.page(w, status, "<a href="+target+">Moved</a>")
}

// page answers with a page for people.
func (f *fake) page(w http.ResponseWriter, status int, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, html) //nolint:gosec // its reader is this test
}

func (f *fake) onCollection(w http.ResponseWriter, r *http.Request, method string, said sent) {
	switch {
	case method == http.MethodGet, method == http.MethodHead:
		f.answerList(w, r)
	case method != http.MethodPost:
		f.answer(w, r, http.StatusMethodNotAllowed, nil)
	case said.field("title") == "":
		f.refuse(w, r)
	default:
		made := f.create(said.field("title"))
		if f.locates != "" {
			w.Header().Set("Location", f.place(r, made.id))
		}
		f.etag(w, made)
		switch {
		case f.forms && said.form != nil:
			f.page(w, http.StatusFound, "")
		case f.bare:
			w.WriteHeader(f.created)
		default:
			f.answer(w, r, f.created, f.show(f, &made, r.Host))
		}
	}
}

// place returns the Location of an object.
func (f *fake) place(r *http.Request, id int) string {
	path := fmt.Sprint(f.collection, "/", id)
	if f.takesSessions {
		path += ";jsessionid=0F3A"
	}
	if f.locates == "absolute" {
		return "http://" + r.Host + path
	}
	return path
}

func (f *fake) onObject(w http.ResponseWriter, r *http.Request, method string, id int, said sent) {
	switch method {
	case http.MethodGet, http.MethodHead:
		o, ok := f.at(id, f.stale)
		if !ok || o.deleted && f.softDeletes == "" {
			f.answer(w, r, http.StatusNotFound, map[string]any{"message": "Not found"})
			return
		}
		f.etag(w, o)
		if f.etags && slices.Contains([]string{"*", w.Header().Get("Etag")}, r.Header.Get("If-None-Match")) {
			f.use("answers 304")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		f.answer(w, r, http.StatusOK, f.show(f, &o, r.Host))
	case http.MethodPut, http.MethodPatch, http.MethodPost:
		f.change(w, r, id, said)
	case http.MethodDelete:
		gone, ok := f.remove(id)
		switch {
		case !ok:
			f.answer(w, r, http.StatusNotFound, map[string]any{"message": "Not found"})
		case f.forms && said.form != nil:
			w.Header().Set("Location", "http://"+r.Host+f.collection)
			f.page(w, http.StatusSeeOther, "")
		case f.deleted == http.StatusNoContent:
			w.WriteHeader(http.StatusNoContent)
		default:
			f.answer(w, r, f.deleted, f.show(f, &gone, r.Host))
		}
	default:
		f.answer(w, r, http.StatusMethodNotAllowed, nil)
	}
}

func (f *fake) change(w http.ResponseWriter, r *http.Request, id int, said sent) {
	title := said.field("title")
	if title == "!" {
		f.refuse(w, r)
		return
	}
	if f.async > 0 && r.Header.Get("Prefer") == "respond-async" {
		f.use("answers 202")
		time.AfterFunc(f.async, func() { f.update(id, title) })
		f.answer(w, r, http.StatusAccepted, map[string]any{"queued": true})
		return
	}
	before, now, ok := f.update(id, title)
	if !ok {
		f.answer(w, r, http.StatusNotFound, map[string]any{"message": "Not found"})
		return
	}
	f.etag(w, now)
	if f.oldAnswers {
		now = before
	}
	switch {
	case f.forms && said.form != nil:
		w.Header().Set("Location", f.place(r, id))
		f.page(w, http.StatusFound, "")
	case f.updated == http.StatusNoContent:
		w.WriteHeader(http.StatusNoContent)
	default:
		f.answer(w, r, f.updated, f.show(f, &now, r.Host))
	}
}

// refuse answers what is not valid.
func (f *fake) refuse(w http.ResponseWriter, r *http.Request) {
	f.use("refuses")
	f.answer(w, r, f.invalid, map[string]any{"error": "the title is not valid"})
}
