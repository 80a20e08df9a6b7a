// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// Each receiver gets every event of a real Caddy once, and those of an object in order;
// also where the sender does not keep the order.
func TestProduct(t *testing.T) {
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(subject)
			start(t, s, t.TempDir(), "")
			api := lab.NewAPI(t)
			caddy := lab.New(t, binary, api, nil, t.TempDir())
			caddy.Config = fmt.Sprintf(config, s.url, secret, api.Address(), api.Address())
			caddy.Start(t)
			const objects, changes = 6, 8
			var clients sync.WaitGroup
			for object := range objects {
				clients.Go(func() {
					for n := range changes {
						name := "o" + strconv.Itoa(object)
						if status, err := caddy.Do(t.Context(), http.MethodPut, "/items/"+name, strconv.Itoa(n)); err != nil || status > 299 {
							t.Error(status, err)
						}
						before := len(s.of("items/" + name))
						eventually(t, func() error {
							if len(s.of("items/"+name)) <= before && before <= n {
								return fmt.Errorf("%s: change %d is not told", name, n)
							}
							return nil
						})
					}
				})
			}
			clients.Wait()
			for object := range objects {
				events := s.of("items/o" + strconv.Itoa(object))
				for i, h := range events {
					if h.Sequence != uint64(i+1) {
						t.Errorf("event %d of object %d has number %d", i+1, object, h.Sequence)
					}
				}
				if last := events[len(events)-1]; !strings.Contains(last.Body, `"body":`+strconv.Itoa(changes-1)) {
					t.Errorf("the last event of object %d is %+v", object, last)
				}
			}
		})
	}
}

const config = `{
	admin $ADMIN
	auto_https off
	persist_config off
	webhooks {
		queue badger $QUEUE
		durability process
		endpoint receiver %s {
			secret %s
			order none
			retry 100ms 200ms 400ms 1s 2s 5s 5s 5s 5s
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
http://$SITE {
	bind 127.0.0.1
	webhooks {
		upstream %s
		resource items {
			version version
		}
	}
	reverse_proxy %s
}
`

// What is forged is refused, a repeat is not handled again, also after a restart, and what
// comes too early waits for what is missing.
func TestDeliveries(t *testing.T) {
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := new(subject)
			t.Run("first", func(t *testing.T) {
				start(t, s, dir, "")
				for what, change := range map[string]func(map[string]string){
					"the body":      func(h map[string]string) { h["webhook-signature"] = "v1,AAAA" },
					"the object":    func(h map[string]string) { h["webhook-object"] = "items/b" },
					"the number":    func(h map[string]string) { h["webhook-sequence"] = "2" },
					"a header less": func(h map[string]string) { delete(h, "webhook-op") },
					"the time":      func(h map[string]string) { h["webhook-timestamp"] = "1" },
					"everything":    func(h map[string]string) { clear(h) },
				} {
					if status := send(t, s.url, number("a", 1), change); status != http.StatusUnauthorized {
						t.Errorf("with %s changed: status %d, want 401", what, status)
					}
				}
				var work sync.WaitGroup
				for _, n := range []uint64{3, 2, 2, 3} {
					work.Go(func() { expect(t, s, number("a", n)) })
				}
				expect(t, s, number("a", 1))
				work.Wait()
				want(t, s, "items/a", 1, 2, 3)
			})
			t.Run("restarted", func(t *testing.T) {
				start(t, s, dir, "")
				expect(t, s, number("a", 2))
				expect(t, s, number("a", 3))
				expect(t, s, number("a", 4))
				want(t, s, "items/a", 1, 2, 3, 4)
				// What never comes is not waited for without end.
				expect(t, s, number("a", 6))
				want(t, s, "items/a", 1, 2, 3, 4, 6)
			})
		})
	}
}

// A snapshot is the state at the number of the object's last event: nothing is missing
// before it, it is handled unless something newer was, and what follows has the next number.
func TestSnapshot(t *testing.T) {
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(subject)
			start(t, s, t.TempDir(), "")
			snapshot := func(object string, n uint64, run int) *event.Event {
				e := number(object, n)
				e.ID += fmt.Sprintf("s%d", run)
				e.Op, e.Type = event.OpSnapshot, "items.snapshot"
				return e
			}
			expect(t, s, snapshot("a", 7, 1))
			want(t, s, "items/a", 7) // and not after a while
			expect(t, s, snapshot("a", 7, 1))
			expect(t, s, number("a", 8))
			expect(t, s, snapshot("a", 7, 2))
			expect(t, s, snapshot("a", 8, 2))
			expect(t, s, number("a", 9))
			want(t, s, "items/a", 7, 8, 8, 9)
			// Of an object that has had no event.
			expect(t, s, snapshot("b", 0, 1))
			expect(t, s, number("b", 1))
			expect(t, s, snapshot("b", 0, 1))
			want(t, s, "items/b", 0, 1)
		})
	}
}

// What is missing is fetched from the feed.
func TestFeed(t *testing.T) {
	for name, start := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var feed []*event.Event
			for n := range uint64(5) {
				feed = append(feed, number("a", n+1), number("b", n+1))
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				after, _ := strconv.Atoi(r.URL.Query().Get("after")) // "oldest" is 0
				end := min(after+3, len(feed))
				data := []map[string]any{}
				for i := after; i < end; i++ {
					data = append(data, map[string]any{"cursor": strconv.Itoa(i + 1), "headers": headersOf(t, feed[i], "ü"), "body": "ü"})
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "next": strconv.Itoa(end), "more": end < len(feed)})
			}))
			defer server.Close()
			s := new(subject)
			start(t, s, t.TempDir(), server.URL)
			expect(t, s, number("a", 1))
			expect(t, s, number("a", 4))
			expect(t, s, number("a", 5))
			expect(t, s, number("b", 5))
			want(t, s, "items/a", 1, 2, 3, 4, 5)
			want(t, s, "items/b", 1, 2, 3, 4, 5)
		})
	}
}

func expect(t *testing.T, s *subject, e *event.Event) {
	t.Helper()
	if status := send(t, s.url, e, nil); status != http.StatusNoContent {
		t.Errorf("number %d: status %d", e.Sequence, status)
	}
}

// want compares the numbers that were handled of an object; what was printed may take a
// moment.
func want(t *testing.T, s *subject, object string, numbers ...uint64) {
	t.Helper()
	eventually(t, func() error {
		var got []uint64
		for _, h := range s.of(object) {
			got = append(got, h.Sequence)
		}
		if fmt.Sprint(got) != fmt.Sprint(numbers) {
			return fmt.Errorf("%s: handled %d, want %d", object, got, numbers)
		}
		return nil
	})
}
