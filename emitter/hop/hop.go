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
// but itself.
package hop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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
	maxLength    = maxEndpoints * (idLength + len(":8,") + 1)
	idLength     = 12
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
// by a chain.
func (k Key) Sign(chain, endpoint string, at time.Time) string {
	counts := parse(chain)
	counts.add(k.id(endpoint))
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
func (k Key) Broken(chain, endpoint string) bool {
	if chain == "" {
		return false
	}
	counts := parse(chain)
	if len(counts) >= maxEndpoints {
		return true
	}
	return counts.total() >= MaxHops && counts.has(k.id(endpoint))
}

// id returns the id of an endpoint in a chain. Others must not read its name.
func (k Key) id(endpoint string) string {
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
		if n, err := strconv.Atoi(text); err == nil && len(id) == idLength && n > 0 && len(all) < maxEndpoints {
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
	if len(*c) < maxEndpoints {
		*c = append(*c, count{id, 1})
	}
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
