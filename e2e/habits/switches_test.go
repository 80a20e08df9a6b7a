// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"net/http"
	"time"
)

// switches are the habits of an API. Zero values are the plain ones.
type switches struct {
	// collection is the path of the list and of creates; an object's is collection/id.
	// Resource is the name that events have for it.
	collection, resource string

	// refusesNames is the status for a Host that is not the API's own: 400 of Django
	// and Flask, 403 of Rails. 0 answers any.
	refusesNames int
	// needsLogin redirects (302) to /login whoever has no credential.
	needsLogin bool

	// addsSlash is the status of a redirect to the path with a slash at its end: 308
	// of Flask for the collection, 301 of Django for all, whatever the method. 0: none.
	addsSlash     int
	slashOnItems  bool
	dropsSlash    bool // 301 to the path without it, as Laravel's .htaccess does
	refusesSlash  bool // 404, as Spring and Flask's items
	takesSuffix   bool // .json at the end of any path, as Rails
	needsSuffix   bool // without it, or an Accept, the answer is a page for people
	takesSessions bool // ;jsessionid= at the end of any path, and in Locations
	overrides     overrides

	// created, updated and deleted are the statuses of answers. Those of 204, and
	// of a bare create, have no body.
	created, updated, deleted int
	bare                      bool
	// locates names the new object in a Location: "path", or "absolute", with the
	// host that the API sees, and http.
	locates string
	// forms answers forms with redirects: to the object, or to the list.
	forms bool
	// async takes an update with `Prefer: respond-async` with 202, and does it later.
	async time.Duration
	// oldAnswers answers an update with the object as it was before.
	oldAnswers bool
	// invalid is the status of a validation error; 200 has an `error` in its body.
	invalid int
	// softDeletes keeps the Show of what was deleted: "deleted_at" or "trash".
	softDeletes string

	// size is the size of a page, 0 for one page. First is its first number.
	size, first int
	// pastEnd is the answer to a page behind the last: 404, 400, 200 for an empty
	// list. Clamps answers the last page again.
	pastEnd int
	clamps  bool

	// charset is that of the answers: "", "iso-8859-1" or "utf-16".
	charset string
	// coding is a Content-Encoding that is stated: gzip, or one that is none.
	coding string
	// etags has an ETag with each Show and write, and answers If-None-Match with 304.
	etags bool
	// stale is how old a state a cache gives to who reads.
	stale time.Duration

	// show makes an object's representation, list that of a page of them.
	show func(f *fake, o *object, host string) any
	list func(f *fake, shows []any, p page) any
}

// overrides are the ways to state the method of a POST.
type overrides struct{ header, form, query bool }

// page is a page of the list.
type page struct {
	number, last, total int
	host                string
	// next is the URL of the next page, "" for none.
	next string
}

// stated returns the method that a request stands for.
func (o overrides) stated(r *http.Request, form func(name string) string) string {
	if r.Method != http.MethodPost {
		return r.Method
	}
	for _, way := range []struct {
		on   bool
		text string
	}{
		{o.header, r.Header.Get("X-HTTP-Method-Override")}, {o.form, form("_method")}, {o.query, r.URL.Query().Get("_method")},
	} {
		if way.on && way.text != "" {
			return upper(way.text)
		}
	}
	return r.Method
}
