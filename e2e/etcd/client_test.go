// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// odd are ends of keys that are odd, and legal: a key of etcd is any bytes.
var odd = []string{
	"a", "b", "dir/a", "dir/b", "dir/", "with space", "100%", "%2F", "../up", "é", "日本", "\x00zero", "\xff\xfe", "???>>>", "a=b&c",
	strings.Repeat("long", 80),
}

// client sends requests about keys that begin with its prefix.
type client struct {
	site         *witness.Site
	api          string // etcd's own URL
	name, prefix string
	random       *rand.Rand
	// step numbers its requests.
	step int
	// leases are those that it has, lock is the key of its lock, and leader what it got
	// when it was elected; "" for none.
	leases       []string
	lock, leader string
	// sent counts its requests by their names.
	sent map[string]int
}

func (c *client) key() string { return c.prefix + odd[c.random.IntN(len(odd))] }

// spelled writes the base64 of a key as clients may: etcd takes all four.
func (c *client) spelled(key string) string {
	encodings := []*base64.Encoding{base64.StdEncoding, base64.StdEncoding, base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding}
	return encodings[c.random.IntN(len(encodings))].EncodeToString([]byte(key))
}

func (c *client) value() string { return encoded(fmt.Sprintf("%s %d", c.prefix, c.step)) }

// deed is a kind of request.
type deed struct {
	name   string
	weight int
	do     func(ctx context.Context, c *client) error
}

// send sends a request through Caddy.
func (c *client) send(ctx context.Context, path, format string, args ...any) (witness.Answer, error) {
	return c.site.Do(ctx, http.MethodPost, c.site.URL+"/v3/"+path, fmt.Sprintf(format, args...))
}

// want is send with the expected status.
func (c *client) want(ctx context.Context, status int, path, format string, args ...any) (witness.Answer, error) {
	a, err := c.send(ctx, path, format, args...)
	if err == nil && a.Status != status {
		err = fmt.Errorf("%s %s: %d %s, want %d", path, fmt.Sprintf(format, args...), a.Status, a.Body, status)
	}
	return a, err
}

// done is want with 200, for who does not need the answer.
func (c *client) done(ctx context.Context, path, format string, args ...any) error {
	_, err := c.want(ctx, http.StatusOK, path, format, args...)
	return err
}

// refused is want with 400 or 404.
func (c *client) refused(ctx context.Context, path, format string, args ...any) error {
	a, err := c.send(ctx, path, format, args...)
	if err == nil && a.Status != http.StatusBadRequest && a.Status != http.StatusNotFound {
		err = fmt.Errorf("%s %s: %d %s, want a refusal", path, fmt.Sprintf(format, args...), a.Status, a.Body)
	}
	return err
}

// runsOut is the name of the pair whose leases run out.
const runsOut = "runs out"

var deeds = []deed{
	{"put", 30, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/put", `{"key":%q,"value":%q}`, c.spelled(c.key()), c.value())
	}},
	{"put, with the pair before", 6, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/put", `{"key":%q,"value":%q,"prev_kv":true}`, c.spelled(c.key()), c.value())
	}},
	{"put of the same value", 6, func(ctx context.Context, c *client) error {
		// It refuses that where there is no pair. Where there is, it counts a change.
		_, err := c.send(ctx, "kv/put", `{"key":%q,"ignore_value":true}`, c.spelled(c.key()))
		return err
	}},
	{"delete", 14, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q}`, c.spelled(c.key()))
	}},
	{"delete of nothing", 4, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q}`, c.spelled(c.prefix+"never"))
	}},
	{"delete of a range", 4, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q,"range_end":%q,"prev_kv":true}`, encoded(c.prefix+"dir/"), encoded(c.prefix+"dir0"))
	}},
	{"delete of a range in other words", 2, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q,"rangeEnd":%q,"prevKv":true}`, encoded(c.prefix+"a"), encoded(c.prefix+"c"))
	}},
	{"delete of a range of nothing", 2, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q,"range_end":%q}`, encoded(c.prefix+"never"), encoded(c.prefix+"never9"))
	}},
	{"delete of a range that names nothing", 2, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/deleterange", `{"key":%q,"range_end":%q}`, encoded(c.prefix), encoded(end(c.prefix)))
	}},
	{"transaction that puts", 6, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/txn", `{"success":[{"request_put":{"key":%q,"value":%q}},{"request_range":{"key":%q}},{"request_put":{"key":%q,"value":%q}}]}`,
			c.spelled(c.prefix+"a"), c.value(), encoded(c.prefix+"b"), c.spelled(c.prefix+"dir/a"), c.value())
	}},
	{"transaction that puts and deletes", 6, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/txn", `{"success":[{"requestPut":{"key":%q,"value":%q}},{"requestDeleteRange":{"key":%q}}]}`,
			c.spelled(c.prefix+"a"), c.value(), c.spelled(c.prefix+"b"))
	}},
	{"transaction that compares", 8, func(ctx context.Context, c *client) error {
		// It creates a pair, or else deletes or changes it.
		key := c.spelled(c.key())
		other := []string{`{"request_put":{"key":%[1]q,"value":%[2]q}}`, `{"request_delete_range":{"key":%[1]q}}`, `{"request_range":{"key":%[1]q}}`}[c.random.IntN(3)]
		return c.done(ctx, "kv/txn", `{"compare":[{"key":%[1]q,"target":"VERSION","result":"EQUAL","version":"0"}],"success":[{"request_put":{"key":%[1]q,"value":%[2]q}}],"failure":[`+other+`]}`,
			key, c.value())
	}},
	{"transaction within a transaction", 2, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/txn", `{"success":[{"request_txn":{"success":[{"request_put":{"key":%q,"value":%q}}]}}]}`, c.spelled(c.key()), c.value())
	}},
	{"transaction that deletes a range", 2, func(ctx context.Context, c *client) error {
		return c.done(ctx, "kv/txn", `{"success":[{"request_delete_range":{"key":%q,"range_end":%q}},{"request_put":{"key":%q,"value":%q}}]}`,
			encoded(c.prefix+"dir"), encoded(c.prefix+"dir0"), c.spelled(c.prefix+"a"), c.value())
	}},
	{"lease", 4, func(ctx context.Context, c *client) error {
		a, err := c.want(ctx, http.StatusOK, "lease/grant", `{"TTL":600}`)
		c.leases = append(c.leases, gjson.GetBytes(a.Body, "ID").String())
		return err
	}},
	{"put with a lease", 8, func(ctx context.Context, c *client) error {
		if len(c.leases) == 0 {
			return nil
		}
		return c.done(ctx, "kv/put", `{"key":%q,"value":%q,"lease":%q}`, c.spelled(c.key()), c.value(), c.leases[0])
	}},
	{"end of a lease", 3, func(ctx context.Context, c *client) error {
		if len(c.leases) == 0 {
			return nil
		}
		lease := c.leases[0]
		c.leases = c.leases[1:]
		return c.done(ctx, []string{"lease/revoke", "kv/lease/revoke"}[c.random.IntN(2)], `{"ID":%q}`, lease)
	}},
	{"lease that runs out", 1, func(ctx context.Context, c *client) error {
		key := c.prefix + runsOut
		for put := http.StatusNotFound; put != http.StatusOK; {
			a, err := c.want(ctx, http.StatusOK, "lease/grant", `{"TTL":"1"}`)
			if err != nil {
				return err
			}
			a, err = c.send(ctx, "kv/put", `{"key":%q,"lease":%q}`, encoded(key), gjson.GetBytes(a.Body, "ID").String())
			// On a slow machine, it may have run out by then.
			if put = a.Status; err != nil || put != http.StatusOK && put != http.StatusNotFound {
				return fmt.Errorf("putting a pair with a lease: %d %s (%w)", put, a.Body, err)
			}
		}
		return witness.Eventually(ctx, func() error {
			there, err := stored(ctx, c.site, c.api, key)
			if err == nil && len(there) > 0 {
				err = fmt.Errorf("the lease has not run out")
			}
			return err
		})
	}},
	{"lock", 4, func(ctx context.Context, c *client) error {
		if c.lock != "" {
			lock := c.lock
			c.lock = ""
			return c.done(ctx, "lock/unlock", `{"key":%q}`, lock)
		}
		a, err := c.send(ctx, "lock/lock", `{"name":%q}`, encoded(c.prefix+"lock of "+c.name))
		c.lock = gjson.GetBytes(a.Body, "key").String()
		return err
	}},
	{"election", 6, func(ctx context.Context, c *client) error {
		if c.leader == "" {
			a, err := c.send(ctx, "election/campaign", `{"name":%q,"value":%q}`, encoded(c.prefix+"election of "+c.name), c.value())
			c.leader = gjson.GetBytes(a.Body, "leader").Raw
			return err
		}
		leader := c.leader
		if c.random.IntN(2) == 0 {
			// It is refused if somebody has deleted the leader's key.
			_, err := c.send(ctx, "election/proclaim", `{"leader":%s,"value":%q}`, leader, c.value())
			return err
		}
		c.leader = ""
		return c.done(ctx, "election/resign", `{"leader":%s}`, leader)
	}},
	{"change past Caddy", 3, func(ctx context.Context, c *client) error {
		path, body := "kv/put", fmt.Sprintf(`{"key":%q,"value":%q}`, encoded(c.prefix+"past"), c.value())
		if c.random.IntN(3) == 0 {
			path, body = "kv/deleterange", fmt.Sprintf(`{"key":%q}`, encoded(c.prefix+"past"))
		}
		_, err := c.site.Do(ctx, http.MethodPost, c.api+"/v3/"+path, body)
		return err
	}},
	{"what is refused", 8, func(ctx context.Context, c *client) error {
		key := c.spelled(c.key())
		return []func() error{
			func() error { return c.refused(ctx, "kv/put", `{"key":%q,"value":"YQ==","lease":"77"}`, key) },
			func() error { return c.refused(ctx, "kv/put", `{"key":%q,"value":"!"}`, key) },
			func() error { return c.refused(ctx, "kv/put", `{"value":"YQ=="}`) },
			func() error { return c.refused(ctx, "kv/put", `{"key":%q,"value":"YQ=="`, key) },
			func() error { return c.refused(ctx, "lease/revoke", `{"ID":"77"}`) },
			func() error {
				return c.refused(ctx, "kv/txn", `{"success":[{"request_put":{"key":%[1]q}},{"request_put":{"key":%[1]q}}]}`, encoded(c.key()))
			},
			func() error { return c.refused(ctx, "kv/compaction", `{"revision":"999999999"}`) },
		}[c.random.IntN(7)]()
	}},
	{"what changes nothing", 4, func(ctx context.Context, c *client) error {
		if err := c.done(ctx, "kv/range", `{"key":%q}`, c.spelled(c.key())); err != nil {
			return err
		}
		return c.done(ctx, "kv/txn", `{"success":[{"request_range":{"key":%q}}]}`, c.spelled(c.key()))
	}},
}

// act sends one request at random.
func (c *client) act(ctx context.Context) error {
	c.step++
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	at := c.random.IntN(total)
	for _, d := range deeds {
		if at -= d.weight; at >= 0 {
			continue
		}
		c.sent[d.name]++
		if err := d.do(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		break
	}
	return nil
}
