// SPDX-License-Identifier: Apache-2.0

// Package hop distinguishes deliveries that come back to the API from requests
// of clients. If an endpoint's URL leads, by whatever way, to the API that the
// events are about, each delivery may change an object, and make the next
// event, for ever.
//
// Each delivery therefore carries a header with the endpoints through which its
// change has come, signed so that nobody else can write one. An exchange with
// this header passes to the API like any other, and its changes are found and
// recorded like any other: nothing is lost. Its events inherit the chain, and
// after [MaxHops] they are no longer sent to an endpoint that the chain has
// been through already. Other endpoints still get them: so a receiver that
// copies the header into requests of its own can hide their changes from nobody
// but itself. That holds for receivers that requests name as well, each of which
// is in the chain by itself: anybody may name as many as he likes, so a chain
// holds the last [maxNamed] of them, and they displace no endpoint.
package hop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// Header is the header of a delivery.
	Header = "Webhook-Hop"
	// MaxHops is how many deliveries a chain may have before it is broken.
	MaxHops = 8
	// maxEndpoints limits how many endpoints one chain can name, and maxLength
	// its text. A longer chain is broken for every endpoint: it takes that many
	// endpoints that all lead back.
	maxEndpoints = 32
	maxLength    = (maxEndpoints + maxNamed) * (idLength + len(":8,") + 1)
	idLength     = 12
	// namedMark begins the id of a receiver that a request has named, in place of
	// a hexadecimal digit.
	namedMark = 'n'
	maxNamed  = 8
	// maxAge is how long a header is accepted. A loop comes back at once, and a
	// header that was seen once must not work for ever.
	maxAge = 24 * time.Hour
	// maxSkew is how far the clocks of two Caddys may differ.
	maxSkew = 5 * time.Minute
)

// Key signs and verifies hops.
type Key struct {
	secret []byte
}

// NewKey derives a key from the secret of a queue.
func NewKey(secret []byte) Key {
	return Key{mac(secret, "webhook-hop")}
}

// Sign returns the header of a delivery to an endpoint, for an event that came
// by a chain. Receiver tells the receivers apart that requests have named; "" is
// the endpoint's one receiver.
func (k Key) Sign(chain, endpoint, receiver string, at time.Time) string {
	counts := parse(chain)
	counts.add(k.id(endpoint, receiver))
	signed := counts.String() + ";" + strconv.FormatInt(at.Unix(), 10)
	return signed + ";" + base64.RawURLEncoding.EncodeToString(mac(k.secret, signed)[:16])
}

// Verify returns the chain of a header, or false if the header is not ours or
// too old.
func (k Key) Verify(header string, now time.Time) (string, bool) {
	if len(header) > maxLength+64 {
		return "", false
	}
	i := strings.LastIndexByte(header, ';')
	if i < 0 {
		return "", false
	}
	signed := header[:i]
	signature, err := base64.RawURLEncoding.DecodeString(header[i+1:])
	if err != nil || !hmac.Equal(signature, mac(k.secret, signed)[:16]) {
		return "", false
	}
	chain, stamp, _ := strings.Cut(signed, ";")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	if err != nil || age > maxAge || age < -maxSkew {
		return "", false
	}
	return chain, true
}

// Broken reports whether an event that came by a chain must not be sent to an
// endpoint.
func (k Key) Broken(chain, endpoint, receiver string) bool {
	if chain == "" {
		return false
	}
	counts := parse(chain)
	if len(counts)-counts.named() >= maxEndpoints {
		return true
	}
	return counts.total() >= MaxHops && counts.has(k.id(endpoint, receiver))
}

// id returns the id of an endpoint, or of one of its receivers, in a chain. Others
// must not read its name.
func (k Key) id(endpoint, receiver string) string {
	if receiver != "" {
		return string(namedMark) + hex.EncodeToString(mac(k.secret, "receiver "+endpoint+"\x00"+receiver)[:idLength/2])[1:]
	}
	return hex.EncodeToString(mac(k.secret, "endpoint "+endpoint)[:idLength/2])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// count is how often a chain has been through an endpoint.
type count struct {
	id string
	n  int
}

type counts []count

// parse reads a chain. It skips malformed parts, which a damaged queue may
// have.
func parse(chain string) counts {
	var all counts
	if len(chain) > maxLength {
		return all
	}
	for part := range strings.SplitSeq(chain, ",") {
		id, text, _ := strings.Cut(part, ":")
		if n, err := strconv.Atoi(text); err == nil && len(id) == idLength && n > 0 && len(all) < maxEndpoints+maxNamed {
			all = append(all, count{id, min(n, MaxHops)})
		}
	}
	return all
}

func (c *counts) add(id string) {
	for i := range *c {
		if (*c)[i].id == id {
			(*c)[i].n = min((*c)[i].n+1, MaxHops)
			return
		}
	}
	switch named := c.named(); {
	case id[0] != namedMark && len(*c)-named >= maxEndpoints:
		return
	case id[0] == namedMark && named >= maxNamed:
		oldest := slices.IndexFunc(*c, count.named)
		*c = slices.Delete(*c, oldest, oldest+1)
	}
	*c = append(*c, count{id, 1})
}

// named reports whether the id is that of a receiver that a request has named.
func (c count) named() bool { return c.id[0] == namedMark }

// named counts the receivers that requests have named.
func (c counts) named() (n int) {
	for _, one := range c {
		if one.named() {
			n++
		}
	}
	return n
}

func (c counts) has(id string) bool {
	for _, one := range c {
		if one.id == id {
			return true
		}
	}
	return false
}

func (c counts) total() (total int) {
	for _, one := range c {
		total += one.n
	}
	return total
}

// String returns the chain.
func (c counts) String() string {
	var text strings.Builder
	for i, one := range c {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(one.id + ":" + strconv.Itoa(one.n))
	}
	return text.String()
}
