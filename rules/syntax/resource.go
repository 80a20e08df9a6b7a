// SPDX-License-Identifier: Apache-2.0

// Package syntax is the language of resources as users write it, in JSON or in a
// Caddyfile: nothing in it is checked, and nothing runs. Package rules compiles
// it.
package syntax

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Resource declares one kind of object of the API: how its Show is read, which
// requests change it, and which events its changes make.
//
// A resource follows the conventions of REST as far as nothing else is said:
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

	// Failed says which answers to Show mean that the API does not know: an
	// RPC's error with 200 would be taken for the object otherwise. Show is
	// asked for again. Gone takes precedence. Its statuses are 2xx by default.
	Failed *Answer `json:"failed,omitempty"`

	// HTML says that the API shows its objects as pages of HTML. Otherwise such an
	// answer to Show is taken for a page to log in, or of a proxy, and Show is asked
	// for again. JSON that is sent as `text/html` is JSON. Default: false.
	HTML bool `json:"html,omitempty"`

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

	// Rules say which requests change an object, besides the conventions of REST,
	// which have Show's path in place of `/NAME/:id` and count for requests whose
	// method and path no declared rule is about. A Show that is not read by `GET`, or
	// whose path does not end with the object's id, has no conventional rules.
	Rules []*Rule `json:"rules,omitempty"`

	// Conventions says which conventions hold besides what is declared: `rules`,
	// `events`, or `none`. Default: both.
	Conventions string `json:"conventions,omitempty"`

	// ID lists where the object's id, the last part of its key, may stand: a
	// path in Show and in the responses to writes, `request:PATH` in the
	// request's body, `query:NAME`, `header:NAME` or `:NAME`. The first that
	// exists is taken; `:id` in a rule's path takes precedence over all. A path
	// that leads to several ids, as `items.#.id`, names several objects; so do
	// `split:VALUE`, each text between commas, and `segment:VALUE`, the last
	// segment of a URL.
	// Default: `id`, `NAME.id`, `SINGULAR.id`, `data.id`, `NAME.#.id`,
	// `data.#.id`.
	ID []string `json:"id,omitempty"`

	// Keys lists where the other parts of the object's key may stand besides the
	// rule's path, by their names in Show's path.
	Keys map[string][]string `json:"keys,omitempty"`

	// Aliases says that requests may name an object by something other than
	// its id, such as a slug: the id that stands in its Show is the one that
	// counts.
	Aliases bool `json:"aliases,omitempty"`

	// CallerIDs are the ids that stand for whoever sends the request, as in
	// `/users/me`. Such an id names another object for each caller, and to the
	// operator's credential the operator's own account. So it is never used to
	// read a Show: the object is the one whose id stands in the answer to a
	// write of its own path, or, with `show as caller` and `aliases`, in the Show
	// that the caller's credential reads; otherwise the exchange is recorded as
	// unresolved. Case does not count. `none` stands for no such id. Default:
	// `me`, `self`, `myself`, `current`, `@me`, `~me` and `~`.
	CallerIDs []string `json:"caller_ids,omitempty"`

	// Slashes says that the API splits a path before it decodes it, so that an
	// id may hold anything: `/files/a%2Fb` is about the file `a/b`. Many APIs
	// decode a path first, and take that for a path below `/files/a`; therefore
	// an id without this word has no slash, backslash, semicolon, `?` or `#`,
	// nothing that is an escape once more, and no dot or space at its end. An
	// exchange whose path holds such an id is recorded as unresolved. Default:
	// false.
	Slashes bool `json:"slashes,omitempty"`

	// Endings are what the API leaves out at the end of a path: extensions, as
	// `.json`, and what follows a semicolon, as `;jsessionid=*`, where `*` stands
	// for anything. `/items/5.json` is then about the object `5`. A client's
	// request of Show with an ending is not looked at: its answer may be another
	// form. Default: none, and what ends a path is part of the id.
	Endings []string `json:"endings,omitempty"`

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
	// `*` for every member of an object. A path that is never found is told, and turns
	// `/webhooks/health` red; one with a `?` at its end may be absent from all Shows.
	Hide []string `json:"hide,omitempty"`

	// Only lists the only paths of Show that are stored and sent; everything
	// else is hidden. A path that is never found is told, unless a `?` ends it.
	Only []string `json:"only,omitempty"`

	// Volatile lists paths of Show that do not count when it is compared with
	// the last one: fields that differ each time it is read, such as a nonce, a
	// link that expires, or who viewed the object last. They are stored and sent
	// as all others. A path that is never found is told, unless a `?` ends it.
	// Default: all fields count.
	Volatile []string `json:"volatile,omitempty"`

	// KeepShow keeps the whole last Show of each object, for `previous` in
	// payloads and for the payload of a delete. Default: a keyed hash and the
	// fields that events look at.
	KeepShow bool `json:"keep_show,omitempty"`

	// Events say which changes make an event, and of which type, besides the
	// conventional ones: `NAME.created` on create, `NAME.updated` on change and
	// `NAME.deleted` on delete. An event on every create, change or delete takes the
	// place of the conventional one.
	Events []*EventRule `json:"events,omitempty"`

	// Parent says which object of another resource an object belongs to. When the
	// parent is deleted, its children are looked at, as the API may have deleted
	// them with it; and when a child is created, changed or deleted, its parent is.
	Parent *Parent `json:"parent,omitempty"`

	// Watch finds changes that do not pass here, by reading Shows again.
	Watch *Watch `json:"watch,omitempty"`

	// List is the request that lists all objects. With it, all objects are
	// known from the start, changes are found that do not pass here, and gaps
	// are repaired.
	List *List `json:"list,omitempty"`

	// Notify sends the events of an object to the receiver that the request
	// which created it named.
	Notify *Notify `json:"notify,omitempty"`

	// Lines says on which line of which file the words of this resource were written,
	// by their names in JSON (`hide/0`, `rules/1`, `tenant`; `resource` for all of it).
	// The adapter of Caddyfiles sets it, for what is told of a word while Caddy runs; it
	// changes nothing else. Default: such a word is told by its place in the JSON.
	Lines map[string]string `json:"lines,omitempty"`
}

// Whose Show is taken.
const (
	ShowFromOperator = "operator"
	ShowFromCaller   = "caller"
	ShowFromResponse = "response"
)

// Which conventions hold; "" for both.
const (
	ConventionsRules  = "rules"
	ConventionsEvents = "events"
	ConventionsNone   = "none"
)

// NoCallerIDs is the word of CallerIDs for no id.
const NoCallerIDs = "none"

// VersionETag is the Version that stands for the ETag, and not for a field.
const VersionETag = "etag"

// IsName reports whether a text can be the name of a resource: letters, digits,
// '_' and '-'.
func IsName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !IsNameRune(r) })
}

// IsNameRune reports whether a name can have a character.
func IsNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}
