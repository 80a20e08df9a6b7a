// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// List is the request of `list`, whose pages name all objects of a resource, or, with a
// parent, those that belong to one object of another.
type List struct {
	// Resource is the resource of the objects.
	Resource *Resource
	// Every is how often all objects are listed; 0 for once.
	Every time.Duration
	// Backfill announces the objects of the first complete list as created.
	Backfill bool

	// ID tells this list from another that a changed configuration has.
	ID string
	// Parent, if not nil, lists the objects for each of which this list is asked for.
	Parent *List

	// request is the request for a page, and first that for one to which nothing
	// leads.
	request, first Template
	pager          pager
	// places are the placeholders of the parent's key in the request, and ofParent
	// where in that key each stands.
	places   []string
	ofParent []int
	// answered says where the objects' keys stand in a page.
	answered answered
	// version is the path in a page of the objects' versions, or "".
	version string
	word    *effect.Word // nil for nobody to be told
}

// Listed is an object in a page of a list.
type Listed struct {
	// Key names the object.
	Key event.Key
	// Version is its version, or "" if the list does not have it.
	Version string
}

// compileList compiles the option `list`.
func (r *Resource) compileList(d syntax.Resource) error {
	l := d.List
	if l == nil {
		return nil
	}
	if err := r.readableAlone("list"); err != nil {
		return err
	}
	made := &List{
		Resource: r, Every: time.Duration(l.Every), Backfill: l.Backfill,
		version: l.Version, ID: l.Digest(),
	}
	var err error
	if made.request, err = compileTemplate(l.Request); err != nil {
		return err
	}
	if made.places, err = r.listPlaces(made.request); err != nil {
		return err
	}
	if made.pager, err = compilePager(l, made.request); err != nil {
		return err
	}
	if made.first, err = compileTemplate(withoutNext(l.Request)); err != nil {
		return err
	}
	switch {
	case made.pager.counts == "" && slices.Contains(made.first.path.names, nextName):
		return fmt.Errorf("nothing leads to the first page, so :%s cannot stand in the path", nextName)
	case l.IDs == "":
		return errors.New("after the request stands the path of the ids in its answer, as items.#.id")
	case l.Every < 0:
		return errors.New("every must not be negative")
	}
	if made.answered, err = compileAnswered(r, l.Keys, l.IDs, made.places); err != nil {
		return err
	}
	if err := checkFieldPath(l.Version); err != nil {
		return err
	}
	r.List = made
	return nil
}

// Counted reports whether pages are counted, so that the API may not say which is the
// last.
func (l *List) Counted() bool { return l.pager.counts != "" }

// Request returns the request for a page of what belongs to a parent: "" for the first
// page, or what [List.Page] returned as the next. The parent is the zero Key for a list
// without one.
func (l *List) Request(parent event.Key, page string) (show.Request, error) {
	p := &l.pager
	if page = cmp.Or(page, p.first()); page == "" {
		return l.first.Build(l.values(l.first.Names, parent, ""))
	}
	request, err := l.request.Build(l.values(l.request.Names, parent, page))
	switch {
	case err != nil || p.placed:
	case p.parameter != "":
		request.Path, err = withQuery(request.Path, p.parameter, page)
	default:
		request.Path, err = sameAPI(request.Path, page)
	}
	return request, err
}

// values returns the values of a request's placeholders.
func (l *List) values(names []string, parent event.Key, page string) []string {
	values := make([]string, len(names))
	for i, name := range names {
		if name == nextName {
			values[i] = page
		} else {
			values[i] = l.part(name, parent)
		}
	}
	return values
}

// Page returns the objects in an answer to the request for a page, and the next
// page, "" after the last.
func (l *List) Page(parent event.Key, page string, answer show.Show) (objects []Listed, next string, _ error) {
	document := answer.Document()
	if !document.IsJSON() {
		return nil, "", errNoIDs
	}
	json := document.JSON()
	rows, versions, err := l.rows(json, l.values(l.places, parent, ""))
	if err != nil {
		return nil, "", err
	}
	if len(rows) > 0 || hasElements(json) {
		l.answered.note(l.word, json, len(rows) > 0)
	}
	for i, row := range rows {
		key, err := l.Resource.NewKey(row...)
		if err != nil {
			continue // no request of ours can name such an object
		}
		object := Listed{Key: key}
		if versions != nil {
			object.Version = versions[i]
		}
		objects = append(objects, object)
	}
	next, err = l.pager.after(page, answer, json, len(rows))
	return objects, next, err
}

// rows returns the parts of the keys in a page, and the versions of their objects, nil
// without `version`. Values are those of the places. A page may be as long as it will: its
// size is limited.
func (l *List) rows(json []byte, values []string) (rows [][]string, versions []string, err error) {
	if l.version == "" || len(l.answered.paths) == 1 {
		rows, err = l.answered.rows(json, values, math.MaxInt)
		if err != nil || l.version == "" {
			return rows, nil, err
		}
		if versions = body.Scalars(json, l.version, math.MaxInt); len(versions) != len(rows) {
			return nil, nil, fmt.Errorf("the list has %d ids and %d versions; both must stand in each of its objects", len(rows), len(versions))
		}
		return rows, versions, nil
	}
	if rows, err = l.answered.rows(json, values, math.MaxInt, l.version); err != nil {
		return nil, nil, err
	}
	versions = make([]string, 0, len(rows))
	for i, row := range rows {
		last := len(row) - 1
		versions = append(versions, row[last])
		rows[i] = row[:last]
	}
	return rows, versions, nil
}

var errOtherScheme = errors.New("the next page of the list is not reached by HTTP")

// sameAPI returns the path and query to which a link leads from a path. It leaves
// out the link's host: that is the name that clients use, and `upstream` says
// where the API is. A link with another scheme than HTTP's is refused.
func sameAPI(path, link string) (string, error) {
	base, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("path of the list: %w", err)
	}
	target, err := base.Parse(link)
	if err != nil {
		return "", fmt.Errorf("next page of the list: %w", err)
	}
	if target.Scheme != "" && target.Scheme != "http" && target.Scheme != "https" {
		return "", errOtherScheme
	}
	return target.RequestURI(), nil
}
