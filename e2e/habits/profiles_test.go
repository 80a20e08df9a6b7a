// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// profile is a framework: its habits, how clients ask it, and the lines that its owner
// writes.
type profile struct {
	switches

	// address is that of the site. Upstream and proxy are options of `upstream` and
	// of the site's `reverse_proxy`, rules what stands in `webhooks`.
	address, upstream, proxy, rules string
	// every is how often the list is repeated; nothing for once.
	every string
	// public is the name that clients use, if it is not the API's.
	public                            string
	creates, updates, deletes, others []func(id int, title string) ask
	// shows are the habits that must have shown themselves.
	shows []string
}

// key returns an object's name in events.
func (p *profile) key(id int) string { return fmt.Sprint(p.resource, "/", id) }

const named, anyName = "http://api.example.com:PORT", "http://:PORT"

// asking returns a request with a JSON body at a path, in which %d is the id, and %q the
// title in the body.
func asking(method, path, body string, header ...string) func(int, string) ask {
	return func(id int, title string) ask {
		a := ask{method: method, target: withID(path, id), header: make(map[string]string)}
		if body != "" {
			a.body = fmt.Sprintf(body, title)
		}
		for i := 0; i+1 < len(header); i += 2 {
			a.header[header[i]] = header[i+1]
		}
		return a
	}
}

// filling returns a form. Fields are names and values; the title stands under its name.
func filling(path, title string, fields ...string) func(int, string) ask {
	return func(id int, text string) ask {
		form := make(url.Values)
		if title != "" {
			form.Set(title, text)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		return ask{
			method: http.MethodPost, target: withID(path, id), body: form.Encode(),
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		}
	}
}

func withID(path string, id int) string {
	return strings.ReplaceAll(path, "%d", strconv.Itoa(id))
}

type asks = []func(int, string) ask

const title, invalid = `{"title":%q}`, `{"title":"!","was":%q}`

// flat is an object as most APIs write it.
func flat(_ *fake, o *object, _ string) any {
	return map[string]any{"id": o.id, "title": o.title, "version": o.version}
}

// profiles are the frameworks.
var profiles = map[string]profile{
	"flask": {
		switches: switches{
			collection: "/items", resource: "items", refusesNames: 400, addsSlash: 308, refusesSlash: true,
			created: 200, updated: 200, deleted: 204, locates: "", invalid: 400, async: 300 * time.Millisecond, show: flat,
			list: func(_ *fake, shows []any, _ page) any { return map[string]any{"items": shows} },
		},
		address: named,
		rules: `resource items {
			list GET /items/ items.#.id {
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/items/", title)},
		updates: asks{
			asking("PUT", "/items/%d", title), asking("PATCH", "/items/%d", title),
			asking("PATCH", "/items/%d", title, "Prefer", "respond-async"),
		},
		deletes: asks{asking("DELETE", "/items/%d", "")},
		others: asks{
			asking("POST", "/items", title), asking("PATCH", "/items/%d/", title), asking("PATCH", "/items/%d", invalid),
			asking("GET", "/items/%d", ""), asking("GET", "/items", ""), asking("HEAD", "/items/%d", ""),
		},
		shows: []string{"adds a slash", "refuses a slash", "answers 202", "refuses"},
	},
	"django": {
		switches: switches{
			collection: "/api/items", resource: "items", refusesNames: 400, addsSlash: 301, slashOnItems: true,
			created: 201, updated: 200, deleted: 204, invalid: 400, size: 3, first: 1, pastEnd: 404, show: flat,
			list: func(_ *fake, shows []any, p page) any {
				next := map[bool]any{true: nil, false: p.next}[p.next == ""]
				return map[string]any{"count": p.total, "next": next, "previous": nil, "results": shows}
			},
		},
		address: anyName, upstream: "header_up Host api.example.com",
		rules: `resource items {
			show GET /api/items/:id/
			list GET /api/items/ results.#.id {
				next next
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/api/items/", title)},
		updates: asks{asking("PUT", "/api/items/%d/", title), asking("PATCH", "/api/items/%d/", title)},
		deletes: asks{asking("DELETE", "/api/items/%d/", "")},
		others: asks{
			asking("POST", "/api/items", title), asking("PATCH", "/api/items/%d", title), asking("DELETE", "/api/items/%d", ""),
			asking("PUT", "/api/items/%d/", invalid), asking("GET", "/api/items/%d/", ""), asking("GET", "/api/items/%d", ""),
		},
		shows: []string{"adds a slash", "refuses"},
	},
	"rails": {
		switches: switches{
			collection: "/items", resource: "items", refusesNames: 403, takesSuffix: true, needsSuffix: true,
			overrides: overrides{header: true, form: true}, created: 201, updated: 200, deleted: 204, locates: "absolute", forms: true,
			invalid: 422, size: 3, first: 1, pastEnd: 200, etags: true,
			show: func(_ *fake, o *object, host string) any {
				return map[string]any{"id": o.id, "title": o.title, "lock_version": o.version, "url": fmt.Sprintf("http://%s/items/%d.json", host, o.id)}
			},
			list: func(_ *fake, shows []any, _ page) any { return shows },
		},
		address: "http://www.example.com:PORT", public: "www.example.com", upstream: "header_up Host api.example.com\nheader_up Accept application/json", proxy: "header_up Host api.example.com",
		rules: `method_override header:X-HTTP-Method-Override request:_method
		resource items {
			endings .json
			list GET /items.json *.id {
				page page
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/items.json", `{"item":{"title":%q}}`), asking("POST", "/items", title), filling("/items", "title")},
		updates: asks{
			asking("PATCH", "/items/%d.json", title), asking("PUT", "/items/%d", title), filling("/items/%d", "title", "_method", "patch"),
			asking("POST", "/items/%d", title, "X-HTTP-Method-Override", "PATCH"),
		},
		deletes: asks{
			asking("DELETE", "/items/%d.json", ""), filling("/items/%d", "", "_method", "delete"),
			asking("POST", "/items/%d", "", "X-HTTP-Method-Override", "DELETE"),
		},
		others: asks{
			asking("PATCH", "/items/%d.json", invalid), asking("GET", "/items/%d.json", ""), asking("GET", "/items/%d", "", "Accept", "text/html"),
			asking("GET", "/items/%d", "", "If-None-Match", "*"), asking("HEAD", "/items/%d", ""),
		},
		shows: []string{"takes suffixes", "overrides the method", "pages past the end", "answers 304", "refuses"},
	},
	"laravel": {
		switches: switches{
			collection: "/api/items", resource: "items", needsLogin: true, dropsSlash: true,
			overrides: overrides{header: true, form: true, query: true}, created: 201, updated: 200, deleted: 200, invalid: 422,
			softDeletes: "deleted_at", size: 3, first: 1, pastEnd: 200,
			show: func(_ *fake, o *object, _ string) any {
				at := map[bool]any{true: "2026-01-01T00:00:00Z", false: nil}[o.deleted]
				return map[string]any{"data": map[string]any{"id": o.id, "title": o.title, "deleted_at": at, "v": o.version}}
			},
			list: func(_ *fake, shows []any, p page) any {
				for i := range shows {
					shows[i] = shows[i].(map[string]any)["data"]
				}
				next := map[bool]any{true: nil, false: p.next}[p.next == ""]
				return map[string]any{
					"data": shows, "links": map[string]any{"next": next},
					"meta": map[string]any{"current_page": p.number, "last_page": p.last, "per_page": 3, "total": p.total},
				}
			},
		},
		address: named, upstream: `header_up Authorization "Bearer operator"`,
		rules: `method_override header:X-HTTP-Method-Override request:_method query:_method
		resource items {
			show GET /api/items/:id {
				gone where "response.data.deleted_at != null"
			}
			list GET /api/items data.#.id {
				next links.next
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/api/items", title), filling("/api/items", "title")},
		updates: asks{
			asking("PUT", "/api/items/%d", title), filling("/api/items/%d", "title", "_method", "PUT"),
			asking("POST", "/api/items/%d?_method=PATCH", title), asking("POST", "/api/items/%d", title, "X-HTTP-Method-Override", "PUT"),
		},
		deletes: asks{
			asking("DELETE", "/api/items/%d", ""), asking("POST", "/api/items/%d?_method=delete", ""),
			asking("POST", "/api/items/%d", `{"_method":"DELETE","why":%q}`),
		},
		others: asks{
			asking("PATCH", "/api/items/%d", title, "Authorization", ""), asking("DELETE", "/api/items/%d", "", "Authorization", ""),
			asking("PUT", "/api/items/%d/", title), asking("PATCH", "/api/items/%d", invalid), asking("GET", "/api/items/%d", ""),
			asking("GET", "/api/items/%d", "", "Authorization", ""),
		},
		shows: []string{"needs a login", "drops a slash", "overrides the method", "refuses"},
	},
	"spring": {
		switches: switches{
			collection: "/items", resource: "items", refusesSlash: true, takesSessions: true, created: 201, bare: true, updated: 204, deleted: 204,
			locates: "absolute", invalid: 400, size: 3, first: 0, pastEnd: 200, etags: true,
			show: func(_ *fake, o *object, host string) any {
				self := fmt.Sprintf("http://%s/items/%d", host, o.id)
				return map[string]any{"title": o.title, "v": o.version, "_links": map[string]any{"self": map[string]any{"href": self}}}
			},
			list: func(_ *fake, shows []any, p page) any {
				links := map[string]any{"self": map[string]any{"href": "http://" + p.host + "/items"}}
				if p.next != "" {
					links["next"] = map[string]any{"href": p.next}
				}
				return map[string]any{"_embedded": map[string]any{"items": shows}, "_links": links, "page": map[string]any{"number": p.number, "totalPages": p.last + 1}}
			},
		},
		address: named,
		rules: `resource items {
			id segment:_links.self.href
			endings ;jsessionid=*
			list GET /items segment:_embedded.items.#._links.self.href {
				next _links.next.href
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/items", title), asking("POST", "/items;jsessionid=0F3A", title)},
		updates: asks{asking("PUT", "/items/%d", title), asking("PATCH", "/items/%d;jsessionid=0F3A", title)},
		deletes: asks{asking("DELETE", "/items/%d", ""), asking("DELETE", "/items/%d;jsessionid=0F3A", "")},
		others: asks{
			asking("PATCH", "/items/%d", invalid), asking("PATCH", "/items/%d/", title), asking("GET", "/items/%d;jsessionid=0F3A", ""),
			asking("GET", "/items/%d", "", "If-None-Match", "*"), asking("GET", "/items?page=99", ""), asking("HEAD", "/items/%d", ""),
		},
		shows: []string{"takes sessions", "refuses a slash", "pages past the end", "answers 304", "refuses"},
	},
	"wordpress": {
		switches: switches{
			collection: "/wp-json/wp/v2/posts", resource: "posts", overrides: overrides{header: true, query: true}, created: 201, updated: 200,
			deleted: 200, locates: "absolute", invalid: 400, softDeletes: "trash", size: 3, first: 1, pastEnd: 400, stale: 2500 * time.Millisecond,
			show: func(_ *fake, o *object, host string) any {
				status := map[bool]string{true: "trash", false: "publish"}[o.deleted]
				return map[string]any{
					"id": o.id, "status": status, "title": map[string]any{"rendered": o.title}, "v": o.version,
					"link": fmt.Sprintf("http://%s/?p=%d", host, o.id),
				}
			},
			list: func(_ *fake, shows []any, _ page) any { return shows },
		},
		address: named,
		rules: `method_override header:X-HTTP-Method-Override query:_method
		resource posts {
			show GET /wp-json/wp/v2/posts/:id {
				gone where status is trash
			}
			create POST /wp-json/wp/v2/posts
			update POST|PUT|PATCH /wp-json/wp/v2/posts/:id
			delete DELETE /wp-json/wp/v2/posts/:id
			lag 4s
			list GET /wp-json/wp/v2/posts *.id {
				page page
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/wp-json/wp/v2/posts", title), filling("/wp-json/wp/v2/posts", "title")},
		updates: asks{
			asking("POST", "/wp-json/wp/v2/posts/%d", title), asking("PATCH", "/wp-json/wp/v2/posts/%d", title),
			asking("POST", "/wp-json/wp/v2/posts/%d?_method=PUT", title),
		},
		deletes: asks{
			asking("DELETE", "/wp-json/wp/v2/posts/%d", ""), asking("POST", "/wp-json/wp/v2/posts/%d?_method=DELETE", ""),
			asking("POST", "/wp-json/wp/v2/posts/%d", "", "X-HTTP-Method-Override", "DELETE"),
		},
		others: asks{
			asking("POST", "/wp-json/wp/v2/posts/%d", invalid), asking("GET", "/wp-json/wp/v2/posts/%d", ""),
			asking("GET", "/wp-json/wp/v2/posts?page=99", ""), asking("HEAD", "/wp-json/wp/v2/posts", ""),
		},
		shows: []string{"overrides the method", "pages past the end", "refuses"},
	},
	"old": {
		switches: switches{
			collection: "/v1/items", resource: "items", created: 200, updated: 200, deleted: 200, invalid: 200, oldAnswers: true,
			size: 3, first: 1, clamps: true, charset: "iso-8859-1", coding: "utf-8",
			show: func(_ *fake, o *object, _ string) any {
				return map[string]any{"data": map[string]any{
					"type": "items", "id": fmt.Sprint(o.id), "attributes": map[string]any{"title": o.title, "v": o.version},
				}}
			},
			list: func(_ *fake, shows []any, _ page) any {
				for i := range shows {
					shows[i] = shows[i].(map[string]any)["data"]
				}
				return map[string]any{"data": shows}
			},
		},
		address: named,
		rules: `resource items {
			show GET /v1/items/:id
			create POST /v1/items {
				refused where error exists
			}
			update PUT|PATCH /v1/items/:id {
				refused where error exists
			}
			delete DELETE /v1/items/:id
			list GET /v1/items data.#.id {
				page page
				EVERY
			}
		}`,
		creates: asks{asking("POST", "/v1/items", `{"data":{"attributes":{"title":%q}}}`)},
		updates: asks{asking("PUT", "/v1/items/%d", title), asking("PATCH", "/v1/items/%d", title)},
		deletes: asks{asking("DELETE", "/v1/items/%d", "")},
		others: asks{
			asking("POST", "/v1/items", `{"was":%q}`), asking("PATCH", "/v1/items/%d", invalid), asking("GET", "/v1/items/%d", ""),
			asking("GET", "/v1/items?page=99", ""), asking("HEAD", "/v1/items/%d", ""),
		},
		shows: []string{"writes latin1", "pages past the end", "refuses"},
	},
}
