// SPDX-License-Identifier: Apache-2.0

package radicale

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// client is a user who does anything that Radicale knows, at random, through Caddy. What
// comes of it is Radicale's business: many requests are refused, or change nothing.
type client struct {
	site   *witness.Site
	user   string
	random *rand.Rand
	// items and collections are the names to choose from.
	items, collections []string
	// there returns the paths of the items that exist.
	there func() []string
	// answers counts the answers by method and status.
	answers map[string]int
}

func newClient(site *witness.Site, user string, seed uint64, there func() []string) *client {
	return &client{
		site: site, user: user, there: there, random: rand.New(rand.NewPCG(seed, 5232)), answers: make(map[string]int),
		items:       []string{"a.ics", "b c.ics", "50% off.ics", "ü-ñ-日本.ics", "x+y&z=1.ics", "no-ending", strings.Repeat("long-", 40) + ".ics"},
		collections: []string{"work", "play", "at home", "50%"},
	}
}

func (c *client) pick(from []string) string { return from[c.random.IntN(len(from))] }

// collection returns the path of a collection, which may not exist.
func (c *client) collection() string {
	return "/" + c.user + "/" + url.PathEscape(c.pick(c.collections)) + c.pick([]string{"/", "/", ""})
}

// item returns the path of an item, which may not exist.
func (c *client) item() string {
	return strings.TrimSuffix(c.collection(), "/") + "/" + url.PathEscape(c.pick(c.items))
}

// plain returns the path of an item that needs no escaping: Radicale takes a Destination
// as it is written.
func (c *client) plain() string {
	return "/" + c.user + "/" + c.pick([]string{"work", "play"}) + "/" + c.pick([]string{"a.ics", "no-ending", "b.ics"})
}

// existing returns the path of an item, which mostly exists.
func (c *client) existing() string {
	if there := c.there(); len(there) > 0 && c.random.IntN(4) > 0 {
		return c.pick(there)
	}
	return c.item()
}

// vevent is an event in a calendar. There are few different ones, so that some
// requests change nothing.
func (c *client) vevent(uid string) string {
	return fmt.Sprintf("BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T%02d0000Z\r\nSUMMARY:<%s> & \"ü\"\r\nEND:VEVENT\r\n",
		uid, c.random.IntN(3), c.pick([]string{"chair", "table"}))
}

func calendar(events ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n" + strings.Join(events, "") + "END:VCALENDAR\r\n"
}

// act sends one request.
func (c *client) act(ctx context.Context) error {
	switch dice := c.random.IntN(100); {
	case dice < 34:
		return c.put(ctx)
	case dice < 50:
		return c.send(ctx, http.MethodDelete, c.existing(), "", c.condition()...)
	case dice < 70:
		to := c.plain()
		return c.send(ctx, "MOVE", c.existing(), "", "Destination", c.site.URL+to, "Overwrite", c.pick([]string{"T", "F"}))
	case dice < 80:
		return c.properties(ctx)
	case dice < 88:
		return c.replace(ctx)
	case dice < 91:
		return c.send(ctx, http.MethodDelete, c.collection(), "")
	case dice < 93:
		return c.send(ctx, "MOVE", c.collection(), "", "Destination", c.site.URL+c.collection())
	case dice < 97:
		return c.send(ctx, "MKCALENDAR", c.collection(), "")
	}
	return c.send(ctx, "MKCOL", c.collection(), `<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>`+
		`<resourcetype><collection/><C:calendar/></resourcetype><displayname>made</displayname></prop></set></mkcol>`)
}

// condition returns the header of a condition, which mostly does not hold.
func (c *client) condition() []string {
	return [][]string{nil, nil, nil, {"If-Match", `"another"`}}[c.random.IntN(4)]
}

func (c *client) put(ctx context.Context) error {
	path := c.item()
	// Mostly an item keeps its UID.
	uid := path[strings.LastIndexByte(path, '/'):]
	if c.random.IntN(8) == 0 {
		uid = "of another"
	}
	body := calendar(c.vevent(uid))
	if c.random.IntN(10) == 0 {
		body = "BEGIN:VCALENDAR\r\n"
	}
	header := c.condition()
	if c.random.IntN(5) == 0 {
		header = []string{"If-None-Match", "*"}
	}
	return c.send(ctx, http.MethodPut, path, body, append(header, "Content-Type", "text/calendar")...)
}

// replace puts a whole collection, in the place of what was in it.
func (c *client) replace(ctx context.Context) error {
	var events []string
	for n := range c.random.IntN(5) {
		events = append(events, c.vevent(fmt.Sprintf("%s-%d", c.pick([]string{"bulk", "many of"}), n)))
	}
	return c.send(ctx, http.MethodPut, c.collection(), calendar(events...), "Content-Type", "text/calendar")
}

func (c *client) properties(ctx context.Context) error {
	body := `<propertyupdate xmlns="DAV:" xmlns:I="http://apple.com/ns/ical/"><set><prop>` +
		`<displayname>` + c.pick([]string{"mine", "of &lt;us&gt;"}) + `</displayname>` +
		`<I:calendar-color>` + c.pick([]string{"#ff0000", "#00ff00"}) + `</I:calendar-color></prop></set></propertyupdate>`
	path := c.collection()
	if c.random.IntN(6) == 0 {
		path = c.item() // has no properties of its own
	}
	return c.send(ctx, "PROPPATCH", path, body)
}

func (c *client) send(ctx context.Context, method, path, body string, header ...string) error {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.user))
	a, err := c.site.Do(ctx, method, c.site.URL+path, body, append(header, "Authorization", basic)...)
	if err == nil && a.Status >= 500 {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	c.answers[fmt.Sprint(method, " ", a.Status)]++
	return err
}
