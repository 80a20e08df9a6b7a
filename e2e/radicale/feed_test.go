// SPDX-License-Identifier: Apache-2.0

package radicale

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// shown are the properties of a collection that its Show has, too.
const shown = `<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><prop>` +
	`<resourcetype/><displayname/><C:calendar-description/><I:calendar-color/></prop></propfind>`

// feed reads a user's changes as clients of calendars do: which collections there are,
// and from their sync tokens what became of the items (RFC 6578). It asks Radicale
// itself, not through Caddy.
type feed struct {
	api, user string
	do        func(ctx context.Context, method, url, body string, header ...string) (witness.Answer, error)

	tokens map[string]string            // by the collection's path
	items  map[string]map[string]string // states by the collection's path and the item's
	shows  map[string]string            // collections' states by path
	told   []witness.Change
}

// multistatus is an answer of WebDAV.
type multistatus struct {
	Token     string `xml:"sync-token"`
	Responses []struct {
		Href   string `xml:"href"`
		Status string `xml:"status"`
	} `xml:"response"`
}

// ask sends a request with the operator's password.
func (f *feed) ask(ctx context.Context, method, path, body string, header ...string) (witness.Answer, error) {
	return f.do(ctx, method, f.api+path, body, append(header, "Authorization", "Basic b3BlcmF0b3I6b3BlcmF0b3I=")...)
}

func (f *feed) list(ctx context.Context, status int, method, path, body string, header ...string) (multistatus, error) {
	a, err := f.ask(ctx, method, path, body, header...)
	if err != nil || a.Status != status {
		return multistatus{}, fmt.Errorf("%s %s: %d %s (%w)", method, path, a.Status, a.Body, err)
	}
	var listed multistatus
	err = xml.Unmarshal(a.Body, &listed)
	return listed, err
}

// sync reads what changed since the last time.
func (f *feed) sync(ctx context.Context) error {
	home := "/" + f.user + "/"
	listed, err := f.list(ctx, http.StatusMultiStatus, "PROPFIND", home, shown, "Depth", "1")
	if err != nil {
		return err
	}
	there := make(map[string]bool)
	for _, r := range listed.Responses {
		if r.Href != home {
			there[r.Href] = true
		}
	}
	for path := range f.shows {
		if !there[path] {
			f.forget(path)
		}
	}
	for path := range there {
		if err := f.syncCollection(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// forget notes that a collection and all that was in it are gone.
func (f *feed) forget(path string) {
	f.tell("collections", path, "delete", witness.Gone)
	for item := range f.items[path] {
		f.tell("items", item, "delete", witness.Gone)
	}
	delete(f.shows, path)
	delete(f.items, path)
	delete(f.tokens, path)
}

func (f *feed) syncCollection(ctx context.Context, path string) error {
	show, err := f.ask(ctx, "PROPFIND", path, shown, "Depth", "0")
	if err != nil || show.Status != http.StatusMultiStatus {
		return fmt.Errorf("PROPFIND %s: %d (%w)", path, show.Status, err)
	}
	switch state, known := f.shows[path]; {
	case !known:
		f.tell("collections", path, "create", string(show.Body))
		f.items[path] = make(map[string]string)
	case state != string(show.Body):
		f.tell("collections", path, "change", string(show.Body))
	}
	f.shows[path] = string(show.Body)

	changed, complete, err := f.report(ctx, path)
	if err != nil {
		return err
	}
	f.tokens[path] = changed.Token
	there := make(map[string]bool)
	for _, r := range changed.Responses {
		there[r.Href] = !strings.Contains(r.Status, "404")
		if err := f.syncItem(ctx, f.items[path], r.Href, there[r.Href]); err != nil {
			return err
		}
	}
	for item := range f.items[path] {
		if complete && !there[item] {
			delete(f.items[path], item)
			f.tell("items", item, "delete", witness.Gone)
		}
	}
	return nil
}

// report asks for the items that changed since the last token; if that is no longer
// known, as after the collection was replaced, for all.
func (f *feed) report(ctx context.Context, path string) (changed multistatus, complete bool, _ error) {
	const body = `<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><prop><getetag/></prop></sync-collection>`
	if token := f.tokens[path]; token != "" {
		changed, err := f.list(ctx, http.StatusMultiStatus, "REPORT", path, fmt.Sprintf(body, token))
		if err == nil {
			return changed, false, nil
		}
	}
	changed, err := f.list(ctx, http.StatusMultiStatus, "REPORT", path, fmt.Sprintf(body, ""))
	return changed, true, err
}

func (f *feed) syncItem(ctx context.Context, known map[string]string, path string, there bool) error {
	state, was := known[path]
	if !there {
		delete(known, path)
		if was {
			f.tell("items", path, "delete", witness.Gone)
		}
		return nil
	}
	a, err := f.ask(ctx, http.MethodGet, path, "")
	if err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("GET %s: %d (%w)", path, a.Status, err)
	}
	switch {
	case !was:
		f.tell("items", path, "create", string(a.Body))
	case state != string(a.Body):
		f.tell("items", path, "change", string(a.Body))
	}
	known[path] = string(a.Body)
	return nil
}

// there returns the paths of all items, in order.
func (f *feed) there() []string {
	var paths []string
	for _, items := range f.items {
		paths = slices.AppendSeq(paths, maps.Keys(items))
	}
	slices.Sort(paths)
	return paths
}

// tell notes a change of what stands at a path.
func (f *feed) tell(resource, path, op, state string) {
	f.told = append(f.told, witness.Change{Object: object(resource, path), Op: op, State: state})
}

// object is the name of what stands at a path, as events have it.
func object(resource, path string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			plain = part
		}
		parts = append(parts, plain)
	}
	key, err := event.NewKey(resource, parts...)
	if err != nil {
		return resource + path // no event can have that name
	}
	return key.String()
}
