// SPDX-License-Identifier: Apache-2.0

package rules

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
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// List is a compiled [List].
type List struct {
	Query
	version, Next, NextQuery string
	Every                    time.Duration
	Backfill                 bool
}

// Listed is an object in a page of a list.
type Listed struct {
	// Key names the object.
	Key event.Key
	// Version is its version, "" where the list does not tell.
	Version string
}

func (r *Resource) compileList(d syntax.Resource) error {
	l := d.List
	if l == nil {
		return nil
	}
	made := &List{version: l.Version, Next: l.Next, NextQuery: l.NextQuery, Every: time.Duration(l.Every), Backfill: l.Backfill}
	var err error
	if made.Request, err = compileTemplate(l.Request); err != nil {
		return err
	}
	switch {
	case len(made.Request.Names) > 0:
		return fmt.Errorf("it lists all objects, so nothing can stand for {%s}", made.Request.Names[0])
	case l.IDs == "":
		return errors.New("after the request stands the path of the ids in its answer, as items.#.id")
	case len(r.Show.Names) != 1:
		return fmt.Errorf("the key has %d parts (%s), and a list tells only one", len(r.Show.Names), r.showText)
	case l.Every < 0:
		return errors.New("every must not be negative")
	}
	for _, path := range []string{l.IDs, l.Version, l.Next} {
		if err := checkFieldPath(path); err != nil {
			return err
		}
	}
	made.IDs, made.Resource = l.IDs, r
	r.List = made
	return nil
}

// Target returns the path of a page.
func (l *List) Target(path, page string) (string, error) {
	if l.NextQuery != "" {
		if page == "" {
			page = "1"
		}
		return withQuery(path, l.NextQuery, page)
	}
	return sameAPI(path, page)
}

var errBadList = errors.New("the answer is no JSON, XML or form, so nothing tells what it lists")

// Page reads a page of the list, and what leads to the next.
func (l *List) Page(page string, answer show.Show) (objects []Listed, next string, _ error) {
	document := answer.Document()
	if !document.IsJSON() {
		return nil, "", errBadList
	}
	json := document.JSON()
	ids := body.Scalars(json, l.IDs, MaxKeys)
	var versions []string
	if l.version != "" {
		versions = body.Scalars(json, l.version, MaxKeys)
		if len(versions) != len(ids) {
			return nil, "", fmt.Errorf("the list has %d ids and %d versions; both must stand in each of its objects", len(ids), len(versions))
		}
	}
	for i, id := range ids {
		key, err := event.NewKey(l.Resource.Name, id)
		if err != nil {
			continue // no request of ours can name such an object
		}
		object := Listed{Key: key}
		if versions != nil {
			object.Version = versions[i]
		}
		objects = append(objects, object)
	}
	switch {
	case l.Next != "":
		next = event.Text([]byte(gjson.GetBytes(json, l.Next).Raw))
		if next == "null" || next == "false" {
			next = ""
		}
	case l.NextQuery != "" && len(ids) > 0:
		number := 1
		if page != "" {
			number, _ = strconv.Atoi(page)
		}
		next = strconv.Itoa(number + 1)
	case l.NextQuery == "":
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
