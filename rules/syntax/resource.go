// SPDX-License-Identifier: Apache-2.0

// Package syntax is the language of resources as users write it, in JSON or in a
// Caddyfile: nothing in it is checked, and nothing runs. Package rules compiles
// it.
package syntax

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Resource declares one kind of object of the API: how its Show is read, which
// requests change it, and which events its changes make.
//
// A resource of which only the name is given follows the conventions of REST:
// Show is `GET /NAME/:id`; `POST /NAME` creates; `PUT` and `PATCH` of
// `/NAME/:id`, and any unsafe method on `/NAME/:id/*`, update; `DELETE
// /NAME/:id` deletes.
type Resource struct {
	// Name names the resource in objects' keys, events and logs, such as
	// `items`: letters, digits, `_` and `-`. Required.
	Name string `json:"name"`

	// Show is the request that reads an object. Every `:name` in its path, and
	// every `{name}` in its query, header or body, is part of the object's
	// key. Default: `GET /NAME/:id`.
	Show *Request `json:"show,omitempty"`

	// Gone says which answers to Show, besides 404 and 410, mean that there is
	// no such object: an RPC's "not found" with 200 or 500, or the mark of a
	// soft delete. Its statuses are 2xx by default.
	Gone *Answer `json:"gone,omitempty"`

	// Failed says which answers to Show mean that the API could not tell: an
	// RPC's error with 200 would be taken for the object otherwise. Show is
	// asked for again. Gone goes before. Its statuses are 2xx by default.
	Failed *Answer `json:"failed,omitempty"`

	// ShowFrom says whose Show is taken: the `operator`'s, read with the
	// credential in `upstream`; the `caller`'s, read with the credential of
	// the request that made the change, which is kept in memory and never
	// stored, so that what a crash interrupts waits for the next exchange; or
	// the `response` to the write itself, where it has the shape of Show and
	// no other write overlapped it. Default: `operator`.
	ShowFrom string `json:"show_from,omitempty"`

	// CallerHeaders are the headers in which callers prove who they are, for
	// the caller's Show. Default: `Authorization` and `Cookie`.
	CallerHeaders []string `json:"caller_headers,omitempty"`

	// Rules say which requests change an object. Default, when there is none:
	// the conventions of REST, with Show's path in place of `/NAME/:id`.
	Rules []*Rule `json:"rules,omitempty"`

	// ID lists where the object's id, the last part of its key, may stand: a
	// path in Show and in the responses to writes, `request:PATH` in the
	// request's body, `query:NAME`, `header:NAME` or `:NAME`. The first that
	// exists is taken; `:id` in a rule's path goes before them all. A path
	// that leads to several ids, as `items.#.id`, names several objects.
	// Default: `id`, `NAME.id`, `SINGULAR.id`, `data.id`, `NAME.#.id`,
	// `data.#.id`.
	ID []string `json:"id,omitempty"`

	// Keys lists for the other parts of the object's key, by their names in
	// Show's path, where they may stand besides the rule's path.
	Keys map[string][]string `json:"keys,omitempty"`

	// Aliases says that requests may name an object by something other than
	// its id, as `/users/me` does: the id that stands in its Show is the one
	// that counts.
	Aliases bool `json:"aliases,omitempty"`

	// Version is the path of a field that grows with every change: a number,
	// or an RFC 3339 time, with `T` or a space. With it, a Show that is older
	// than what is already known is not taken but asked for again, for five
	// minutes; what the API shows then is believed, and its event says that
	// its freshness is unproven. `etag` takes the ETag of Show instead, which
	// proves a Show fresh when the write's response had the same. Default:
	// none, and all events say so.
	Version string `json:"version,omitempty"`

	// Lag is how far the API's answers may lag behind its writes, as replicas
	// and caches do: an object is looked at once more after it. Default: none,
	// but an object that looks unchanged after a confirmed write is always
	// looked at a second time.
	Lag caddy.Duration `json:"lag,omitempty"`

	// Tenant is the path of the object's owner in Show. Endpoints of a tenant
	// get the events of its own objects only.
	Tenant string `json:"tenant,omitempty"`

	// Hide lists paths of Show that are never stored, logged or sent. A change
	// of one is seen all the same. `#` stands for every element of an array,
	// `*` for every member of an object.
	Hide []string `json:"hide,omitempty"`

	// Only lists the only paths of Show that are stored and sent; everything
	// else is hidden.
	Only []string `json:"only,omitempty"`

	// KeepShow keeps the whole last Show of each object, for `previous` in
	// payloads and for the payload of a delete. Default: a keyed hash and the
	// fields that events look at.
	KeepShow bool `json:"keep_show,omitempty"`

	// Events say which changes make an event, and of which type. Default:
	// `NAME.created` on create, `NAME.updated` on change and `NAME.deleted` on
	// delete.
	Events []*EventRule `json:"events,omitempty"`

	// Watch finds changes that do not pass here, by reading Shows again.
	Watch *Watch `json:"watch,omitempty"`

	// List is the request that lists all objects. With it, all objects are
	// known from the start, changes are found that do not pass here, and gaps
	// are repaired.
	List *List `json:"list,omitempty"`

	// Notify sends the events of an object to the receiver that the request
	// which created it named.
	Notify *Notify `json:"notify,omitempty"`
}

// Whose Show is taken.
const (
	ShowFromOperator = "operator"
	ShowFromCaller   = "caller"
	ShowFromResponse = "response"
)

// VersionETag is the version that is no field but the ETag.
const VersionETag = "etag"

// Request is a request to the API.
type Request struct {
	// Method is the HTTP method. Default: `GET`.
	Method string `json:"method,omitempty"`

	// Path is the path, in which `:name` stands for one segment. It may be
	// followed by a query, in which `{name}` stands for a value.
	Path string `json:"path"`

	// Header is sent besides; `{name}` stands for a value.
	Header map[string]string `json:"header,omitempty"`

	// Body is sent with the request; `{name}` stands for a value, written as
	// JSON, XML or form text needs it. A brace that is none of these is
	// written as `\{`. Default: none.
	Body string `json:"body,omitempty"`
}

// LocationPath is the path of a request whose target is the Location of the
// response.
const LocationPath = "{location}"

// String returns the method and the path, as "GET /items/:id".
func (r Request) String() string {
	if r.Method == "" {
		return http.MethodGet + " " + r.Path
	}
	return r.Method + " " + r.Path
}

// Watch says how an object is watched.
type Watch struct {
	// Every is how often an object is looked at. The more of them there are,
	// the less often those are that have not changed for long: `look_rate` is
	// never exceeded. Required.
	Every caddy.Duration `json:"every"`

	// Until is the state in which an object does not change any more. It takes
	// a path in Show. Required: without an end, every object would be looked
	// at for ever.
	Until *Condition `json:"until"`
}

// List says how all objects are listed.
type List struct {
	Query

	// Version is the path of the objects' versions in the answer, beside the
	// ids, such as `items.#.updated_at`. Objects whose version is known
	// already are not read again.
	Version string `json:"version,omitempty"`

	// Next is the path of what leads to the next page, in the answer: its URL
	// or path, or with NextQuery a cursor. A `Link` with rel="next" (RFC 8288)
	// is followed without it.
	Next string `json:"next,omitempty"`

	// NextQuery is the query parameter that takes what Next leads to. With it
	// and without Next, it takes the number of the page, from 1.
	NextQuery string `json:"next_query,omitempty"`

	// Every is how often all objects are listed. Default: once, and again to
	// repair a gap.
	Every caddy.Duration `json:"every,omitempty"`

	// Backfill announces the objects of the first complete list as created.
	// Default: they are taken as known.
	Backfill bool `json:"backfill,omitempty"`
}

// Notify says where the request names a receiver.
type Notify struct {
	// URL is the value that holds the receiver's URL, such as
	// `request:notificationUrl`. Required.
	URL string `json:"url"`

	// Authorization is the value that is sent to the receiver as its
	// `Authorization` header. Default: none is sent.
	Authorization string `json:"authorization,omitempty"`

	// Events are the types of the events that are sent. Default: all.
	Events []string `json:"events,omitempty"`

	// Until is the last state that the receiver is told. It takes a path in
	// Show. Default: the receiver is told all changes, until the delete.
	Until *Condition `json:"until,omitempty"`
}

// WithDefaults returns the resource with everything filled in that was left
// out. It does not change its receiver, which is the user's configuration.
func (r Resource) WithDefaults() Resource {
	show := Request{Path: "/" + r.Name + "/:id"}
	if r.Show != nil {
		show = *r.Show
	}
	if show.Method == "" {
		show.Method = http.MethodGet
	}
	r.Show = &show
	if r.ShowFrom == "" {
		r.ShowFrom = ShowFromOperator
	}
	if r.ShowFrom == ShowFromCaller && len(r.CallerHeaders) == 0 {
		r.CallerHeaders = []string{"Authorization", "Cookie"}
	}
	if len(r.Rules) == 0 {
		r.Rules = conventionalRules(show.Path)
	}
	if len(r.ID) == 0 {
		r.ID = []string{"id", r.Name + ".id", inflection.Singular(r.Name) + ".id", "data.id", r.Name + ".#.id", "data.#.id"}
		r.ID = slices.Compact(r.ID)
	}
	if len(r.Events) == 0 {
		r.Events = []*EventRule{
			{Type: r.Name + ".created", On: event.OpCreate},
			{Type: r.Name + ".updated", On: event.OpChange},
			{Type: r.Name + ".deleted", On: event.OpDelete},
		}
	}
	return r
}

// conventionalRules returns the rules of REST around a Show's path.
func conventionalRules(path string) []*Rule {
	path, _, _ = strings.Cut(path, "?")
	collection := path
	if i := strings.LastIndexByte(collection, '/'); i > 0 {
		collection = collection[:i]
	}
	return []*Rule{
		{Kind: event.KindCreate, Methods: []string{http.MethodPost}, Path: collection},
		{Kind: event.KindUpdate, Methods: []string{http.MethodPut, http.MethodPatch}, Path: path},
		{Kind: event.KindUpdate, Path: strings.TrimSuffix(path, "/") + "/*"},
		{Kind: event.KindDelete, Methods: []string{http.MethodDelete}, Path: path},
	}
}

// NotNameRune reports whether a character cannot be part of a name: of a
// resource, or of a placeholder.
func NotNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}
