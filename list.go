// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/weblink"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// scanList is a compiled [List].
type scanList struct {
	listing
	version, next, nextQuery string
	every                    time.Duration
	backfill                 bool
}

// listed is an object in a page of a list.
type listed struct {
	// Key names the object.
	Key event.Key
	// Version is its version, "" where the list does not tell.
	Version string
}

func (r *resource) compileList(d Resource) error {
	l := d.List
	if l == nil {
		return nil
	}
	made := &scanList{version: l.Version, next: l.Next, nextQuery: l.NextQuery, every: time.Duration(l.Every), backfill: l.Backfill}
	var err error
	if made.request, err = compileTemplate(l.Request); err != nil {
		return err
	}
	switch {
	case len(made.request.names) > 0:
		return fmt.Errorf("it lists all objects, so nothing can stand for {%s}", made.request.names[0])
	case l.IDs == "":
		return errors.New("after the request stands the path of the ids in its answer, as items.#.id")
	case len(r.show.names) != 1:
		return fmt.Errorf("the key has %d parts (%s), and a list tells only one", len(r.show.names), r.showText)
	case l.Every < 0:
		return errors.New("every must not be negative")
	}
	for _, path := range []string{l.IDs, l.Version, l.Next} {
		if err := checkFieldPath(path); err != nil {
			return err
		}
	}
	made.ids, made.of = l.IDs, r
	r.list = made
	return nil
}

// target returns the path of a page.
func (l *scanList) target(path, page string) (string, error) {
	if l.nextQuery != "" {
		if page == "" {
			page = "1"
		}
		return withQuery(path, l.nextQuery, page)
	}
	return sameAPI(path, page)
}

var errBadList = errors.New("the answer is no JSON, XML or form, so nothing tells what it lists")

// page reads a page of the list, and what leads to the next.
func (l *scanList) page(page string, answer show.Show) (objects []listed, next string, _ error) {
	document := answer.Document()
	if !document.IsJSON() {
		return nil, "", errBadList
	}
	json := document.JSON()
	ids := body.Scalars(json, l.ids, maxKeys)
	var versions []string
	if l.version != "" {
		versions = body.Scalars(json, l.version, maxKeys)
		if len(versions) != len(ids) {
			return nil, "", fmt.Errorf("the list has %d ids and %d versions; both must stand in each of its objects", len(ids), len(versions))
		}
	}
	for i, id := range ids {
		key, err := event.NewKey(l.of.name, id)
		if err != nil {
			continue // no request of ours can name such an object
		}
		object := listed{Key: key}
		if versions != nil {
			object.Version = versions[i]
		}
		objects = append(objects, object)
	}
	switch {
	case l.next != "":
		next = event.Text([]byte(gjson.GetBytes(json, l.next).Raw))
		if next == "null" || next == "false" {
			next = ""
		}
	case l.nextQuery != "" && len(ids) > 0:
		number := 1
		if page != "" {
			number, _ = strconv.Atoi(page)
		}
		next = strconv.Itoa(number + 1)
	case l.nextQuery == "":
		next = weblink.Next(answer.Header)
	}
	return objects, next, nil
}

var errOtherHost = errors.New("the next page of the list is on another host")

// withQuery returns a path with one more query parameter.
func withQuery(path, name, text string) (string, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("path of the list: %w", err)
	}
	query := u.Query()
	query.Set(name, text)
	u.RawQuery = query.Encode()
	return u.RequestURI(), nil
}

// sameAPI returns the path and query that a page's link leads to from a path.
// What the link says of the host is left out: it is the name that clients use,
// and the API is asked where `upstream` says. A link that leads out of HTTP is
// refused.
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
		return "", errOtherHost
	}
	return target.RequestURI(), nil
}
