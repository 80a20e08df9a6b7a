// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// maxPage is the largest page of a feed that is read, in bytes. If one is larger, fewer
// events are asked for.
const maxPage = 64 << 20

// defaultPage is how many events a page has.
const defaultPage = 100

// Feed is where a sender lists an endpoint's events.
type Feed struct {
	// URL is the feed's, such as "https://api.example.com/webhooks/endpoints/ep_5k2/feed".
	// Required.
	URL string
	// Begin is where to begin if the store has no cursor: the cursor that was told when the
	// endpoint was made, a time (RFC 3339), "oldest" or "latest". Required, since "latest"
	// misses what came before, and "oldest" may be a month ago.
	Begin string
	// Header is sent along, such as Authorization.
	Header http.Header
	// Unsigned accepts events without a signature, as the feed of a whole tenant has them:
	// there, TLS alone proves the sender. What is signed must be signed right.
	Unsigned bool
	// Client asks. Default: one that follows no redirects.
	Client *http.Client
}

// reader reads a feed.
type reader struct {
	feed Feed
	url  *url.URL

	// free has one token, for who handles a page. The cursor is that of the store.
	free chan struct{}
	// begun and ended count the times that the feed was read to its end.
	mu           sync.Mutex
	begun, ended uint64
}

func newReader(feed Feed) (*reader, error) {
	at, err := url.Parse(feed.URL)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" {
		return nil, errors.New("Feed.URL must be an https:// URL")
	}
	if feed.Unsigned && at.Scheme != "https" && !isLoopback(at.Hostname()) {
		return nil, errors.New("Feed.Unsigned needs an https:// URL: nothing else would prove the sender")
	}
	if feed.Begin == "" {
		return nil, errors.New(`set Feed.Begin: the cursor told when the endpoint was made, a time, "oldest" or "latest"`)
	}
	if feed.Client == nil {
		feed.Client = &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	r := &reader{feed: feed, url: at, free: make(chan struct{}, 1)}
	r.unlock()
	return r, nil
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// page is an answer of a feed.
type page struct {
	Data []item `json:"data"`
	Next string `json:"next"`
	More bool   `json:"more"`
}

// item is an event in a feed.
type item struct {
	Cursor     string            `json:"cursor"`
	Headers    map[string]string `json:"headers"`
	Body       *string           `json:"body"`
	BodyBase64 *string           `json:"body_base64"`
	// Delivery is "filtered" if the endpoint's filter left the event out.
	Delivery string `json:"delivery"`
}

// filtered is an event that the endpoint does not want; it only takes its number.
const filtered = "filtered"

// expired is returned if the feed no longer has what came after a cursor.
type expiredError struct {
	oldest string
}

func (e *expiredError) Error() string { return "the feed no longer has what came after the cursor" }

// refusedError is an answer other than 200 and 410.
type refusedError struct {
	status string
	wait   time.Duration
}

func (e *refusedError) Error() string { return "the feed answered " + e.status }

var errLargePage = errors.New("the page of the feed is too large")

// read reads the page after a cursor. It waits so long for an event if there is none.
func (f *reader) read(ctx context.Context, after string, wait time.Duration) (page, error) {
	for limit := defaultPage; ; limit /= 4 {
		p, err := f.readPage(ctx, after, limit, wait)
		if !errors.Is(err, errLargePage) || limit < 4 {
			return p, err
		}
	}
}

func (f *reader) readPage(ctx context.Context, after string, limit int, wait time.Duration) (page, error) {
	at := *f.url
	query := at.Query()
	query.Set("after", after)
	query.Set("limit", strconv.Itoa(limit))
	if wait > 0 {
		query.Set("wait", strconv.Itoa(int(wait/time.Second))+"s")
	}
	at.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, wait+time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return page{}, err
	}
	for name, values := range f.feed.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("Accept", "application/json")
	response, err := f.feed.Client.Do(request)
	if err != nil {
		return page{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	switch {
	case err != nil:
		return page{}, err
	case len(body) > maxPage:
		return page{}, errLargePage
	}
	return parsePage(response, body)
}

// parsePage reads an answer.
func parsePage(response *http.Response, body []byte) (page, error) {
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusGone:
		var gone struct {
			Oldest string `json:"oldest"`
		}
		if err := json.Unmarshal(body, &gone); err == nil && gone.Oldest != "" {
			return page{}, &expiredError{gone.Oldest}
		}
		return page{}, &refusedError{status: response.Status + " without the oldest cursor"}
	default:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // a date is not waited for
		return page{}, &refusedError{response.Status, time.Duration(min(max(seconds, 0), 3600)) * time.Second}
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return page{}, fmt.Errorf("the answer of the feed: %w", err)
	}
	if p.Next == "" {
		return page{}, errors.New("the answer of the feed lacks next: is it a feed?")
	}
	for i, it := range p.Data {
		if it.Cursor == "" {
			return page{}, fmt.Errorf("event %d of the feed lacks its cursor", i)
		}
	}
	return p, nil
}

// delivery returns the headers and the payload of an event.
func (it item) delivery() (http.Header, []byte, error) {
	header := make(http.Header, len(it.Headers))
	for name, value := range it.Headers {
		header.Set(name, value)
	}
	switch {
	case it.Body != nil:
		return header, []byte(*it.Body), nil
	case it.BodyBase64 != nil:
		body, err := base64.StdEncoding.DecodeString(*it.BodyBase64)
		return header, body, err
	default:
		return header, nil, nil
	}
}
