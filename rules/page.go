// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/weblink"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// nextName is the placeholder of a list's request for what leads to a page.
const nextName = "next"

// pager says what leads from one page of a list to the next.
type pager struct {
	// path and header say where an answer has it: a path in the body, or a field of
	// the header. Both are "" if pages or objects are counted, or a Link leads on.
	path, header string
	// counts says what is counted, "" for nothing; from is what the first page has.
	counts string
	from   int
	// parameter, if not "", is the query parameter that takes it; with placed, the
	// request has a place for it.
	parameter string
	placed    bool
}

// compilePager compiles how a list is paged.
func compilePager(l *syntax.List, request Template) (p pager, err error) {
	p = pager{counts: l.Counts, parameter: l.NextQuery, placed: slices.Contains(request.Names, nextName)}
	if name, found := strings.CutPrefix(l.Next, "header:"); found {
		p.header = http.CanonicalHeaderKey(name)
	} else {
		p.path = l.Next
	}
	led := l.Next != ""
	if p.counts == "" && !led && (p.parameter != "" || l.From != nil) {
		p.counts = syntax.CountPages
	}
	if p.counts == syntax.CountPages {
		p.from = 1
	}
	if l.From != nil {
		p.from = *l.From
	}
	switch {
	case p.counts != "" && p.counts != syntax.CountPages && p.counts != syntax.CountObjects:
		return p, fmt.Errorf("what is counted is %s or %s, not %q", syntax.CountPages, syntax.CountObjects, p.counts)
	case led && p.counts != "":
		return p, errors.New("the next page is either named by the answer (`next`) or counted (`page`, `offset`); keep one of them")
	case led && l.From != nil:
		return p, errors.New("`from` is where counting begins, and this list does not count")
	case p.from < 0:
		return p, errors.New("`from` must not be negative")
	case p.placed && p.parameter != "":
		return p, fmt.Errorf("what leads to a page goes either to the parameter %s or to {%s}; keep one of them", p.parameter, nextName)
	case p.placed && !led && p.counts == "":
		return p, fmt.Errorf("nothing stands for {%s}; say what leads to a page, as `next PATH`, `page` or `offset`", nextName)
	case p.counts != "" && !p.placed && p.parameter == "":
		return p, fmt.Errorf("nothing takes what is counted; name a parameter, as `page page`, or put {%s} into the request", nextName)
	case p.header != "" && !p.placed && p.parameter == "":
		return p, fmt.Errorf("nothing takes what stands in the header; name a parameter, as `next %s as cursor`, or put {%s} into the request", l.Next, nextName)
	case strings.Contains(l.Next, ":") && p.header == "" && !strings.Contains(l.Next, `\:`):
		return p, fmt.Errorf("next takes a path in the answer or header:NAME, not %s", l.Next)
	}
	return p, checkFieldPath(p.path)
}

// first returns what leads to the first page, "" if the first request has nothing of
// it.
func (p *pager) first() string {
	if p.counts == "" {
		return ""
	}
	return strconv.Itoa(p.from)
}

// after returns what leads to the page after one that has a number of objects, "" if it
// was the last.
func (p *pager) after(page string, answer show.Show, json []byte, objects int) (string, error) {
	switch {
	case p.header != "":
		return strings.TrimSpace(answer.Header.Get(p.header)), nil
	case p.path != "":
		next := event.Text([]byte(gjson.GetBytes(json, p.path).Raw))
		if next == "null" || next == "false" {
			next = ""
		}
		return next, nil
	case p.counts == "":
		return weblink.Next(answer.Header), nil
	case objects == 0:
		return "", nil
	}
	at := p.from
	if page != "" {
		var err error
		if at, err = strconv.Atoi(page); err != nil {
			return "", err
		}
	}
	// What an answer has is counted, not what was asked for: an API may cap the size
	// of its pages.
	step := 1
	if p.counts == syntax.CountObjects {
		step = objects
	}
	if at > math.MaxInt32-step {
		return "", errors.New("the list has more pages than can be counted")
	}
	return strconv.Itoa(at + step), nil
}

// withoutNext returns the request for a first page that nothing leads to: what would
// take it is left out, and is null in a body of JSON.
func withoutNext(r syntax.Request) syntax.Request {
	place := "{" + nextName + "}"
	if path, query, found := strings.Cut(r.Path, "?"); found {
		if r.Path = path; withoutPair(query, place) != "" {
			r.Path += "?" + withoutPair(query, place)
		}
	}
	header := make(map[string]string, len(r.Header))
	for field, text := range r.Header {
		if text != place {
			header[field] = text
		}
	}
	r.Header = header
	switch trimmed := strings.TrimSpace(r.Body); {
	case strings.HasPrefix(trimmed, "{"), strings.HasPrefix(trimmed, "["):
		r.Body = strings.ReplaceAll(strings.ReplaceAll(r.Body, `"`+place+`"`, "null"), place, "null")
	case !strings.HasPrefix(trimmed, "<"):
		r.Body = withoutPair(r.Body, place)
	}
	return r
}

// withoutPair returns a query or form without the pairs that have a value.
func withoutPair(form, value string) string {
	pairs := slices.DeleteFunc(strings.Split(form, "&"), func(pair string) bool { return strings.HasSuffix(pair, "="+value) })
	return strings.Join(pairs, "&")
}

// withQuery returns a path whose query has a parameter set.
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
