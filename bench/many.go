// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// manyEvents is the number of events in the large queue of P9, which has an endpoint for
// each hundred.
var manyEvents = flag.Int("events", 1_000_000, "how many events the large queue of P9 has")

const (
	fewEvents = 1_000
	// p9Rounds is how often each request is made of each queue, in turns.
	p9Rounds = 300
	p9Page   = 50
)

// look is a request of a subscriber.
type look struct {
	name string
	// path returns the request's path, for an endpoint and an event that it was sent. What
	// it asks before is not measured.
	path func(c *crowd, of *subscribers.Endpoint, event int) (string, error)
}

// direct is a look that needs no other.
func direct(path func(c *crowd, of *subscribers.Endpoint, event int) string) func(*crowd, *subscribers.Endpoint, int) (string, error) {
	return func(c *crowd, of *subscribers.Endpoint, event int) (string, error) { return path(c, of, event), nil }
}

var looks = []look{
	{"P9.list.endpoints", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/endpoints" })},
	{"P9.list.endpoint", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string { return "/endpoints/" + of.ID })},
	{"P9.list.deliveries", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string { return "/endpoints/" + of.ID + "/deliveries" })},
	{"P9.list.all", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/deliveries" })},
	{"P9.list.dead", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string {
		return "/endpoints/" + of.ID + "/deliveries?status=dead"
	})},
	{"P9.list.filtered", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string { return "/endpoints/" + of.ID + "/filtered" })},
	{"P9.list.event", direct(func(c *crowd, _ *subscribers.Endpoint, event int) string { return "/events/" + c.eventID(event) })},
	{"P9.list.audit", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/audit" })},
	{"P9.feed.tenant", middle("/feed", crowdEndpoints*crowdEach)},
	{"P9.feed.tenant.end", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/feed?after=latest" })},
	{"P9.feed.endpoint", func(c *crowd, of *subscribers.Endpoint, event int) (string, error) {
		return middle("/endpoints/"+of.ID+"/feed", crowdEach)(c, of, event)
	}},
	{"P9.feed.endpoint.end", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string {
		return "/endpoints/" + of.ID + "/feed?after=latest"
	})},
	{"P9.feed.since", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/feed?after=1d&limit=" + strconv.Itoa(p9Page) })},
	{"P9.why", direct(func(c *crowd, of *subscribers.Endpoint, event int) string {
		return "/why?endpoint=" + of.ID + "&event=" + c.eventID(event)
	})},
}

// middle returns a look at a page in the middle of a feed of so many events.
func middle(feed string, events int) func(*crowd, *subscribers.Endpoint, int) (string, error) {
	return func(c *crowd, of *subscribers.Endpoint, _ int) (string, error) {
		body, _, err := c.get(of.Tenant, feed+"?limit="+strconv.Itoa(1+rand.IntN(events-p9Page)))
		if err != nil {
			return "", err
		}
		var page struct {
			Next string `json:"next"`
		}
		err = json.Unmarshal(body, &page)
		return feed + "?limit=" + strconv.Itoa(p9Page) + "&after=" + page.Next, err
	}
}

// crowds returns the large queue of P9 and the small one. They are filled once.
func (l *lab) crowds() (many, few *crowd, err error) {
	if l.many != nil {
		return l.many, l.few, nil
	}
	if l.few, err = newCrowd(filepath.Join(l.dir, "few"), fewEvents); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	if l.many, err = newCrowd(filepath.Join(l.dir, "many"), *manyEvents); err != nil {
		return nil, nil, err
	}
	fmt.Printf("P9 is measured with %d events and %d endpoints, filled in %.0f s, and with %d and %d\n",
		l.many.events, len(l.many.members), time.Since(began).Seconds(), l.few.events, len(l.few.members))
	return l.many, l.few, nil
}

// measureMany prints P9: how long subscribers' requests take where there are a million
// events and ten thousand endpoints, by how long they take where there are a thousand and
// ten. Who asks has as much in both.
func measureMany(l *lab) error {
	many, few, err := l.crowds()
	if err != nil {
		return err
	}
	for _, one := range looks {
		got, err := compareLooks(&one, (*crowd).get, many, few)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		fmt.Printf("%s %.2f (%.0f µs with many, %.0f µs with few; %.0f and %.0f µs the first time, %.2f; an answer of %d and %d bytes)\n",
			one.name, got.many/got.few, got.many, got.few, got.firstMany, got.firstFew, got.firstMany/got.firstFew, got.bytesMany, got.bytesFew)
	}
	return nil
}

// compared are the times of a look at the median, in µs, and the sizes of its answers.
type compared struct {
	many, few, firstMany, firstFew float64
	bytesMany, bytesFew            int
}

// compareLooks compares a request where what it reads is in memory on both sides, as it was
// asked for just before. Of a million events most are not, and of a thousand all are: how
// long the first of the two takes is told, too, and is that of reading a block for each event.
func compareLooks(one *look, open func(c *crowd, tenant, path string) ([]byte, time.Duration, error), many, few *crowd) (compared, error) {
	var times, first [2][]float64
	rows := [2]int{}
	for i := range p9Rounds + 10 {
		for at, c := range [2]*crowd{many, few} {
			n := rand.IntN(c.events)
			of := &c.members[n%len(c.members)]
			path, err := one.path(c, of, n)
			if err != nil {
				return compared{}, err
			}
			_, cold, err := open(c, of.Tenant, path)
			if err != nil {
				return compared{}, err
			}
			body, took, err := open(c, of.Tenant, path)
			if err != nil {
				return compared{}, err
			}
			if i < 10 {
				continue // warming up
			}
			times[at] = append(times[at], float64(took.Nanoseconds())/1000)
			first[at] = append(first[at], float64(cold.Nanoseconds())/1000)
			rows[at] = len(body)
		}
	}
	return compared{median(times[0]), median(times[1]), median(first[0]), median(first[1]), rows[0], rows[1]}, nil
}
