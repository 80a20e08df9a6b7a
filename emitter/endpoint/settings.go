// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// Settings returns a checksum of all of the endpoint that its requests show, in a payload
// format, but for keys and credentials: where it is the same, a request that was sent can be
// made again.
//
// It stands on disk, and a URL may hold a secret, so it is a small part of a hash: 1 of
// 65,536 changes stays unseen, and who guesses at URLs finds as many that fit.
func (e *Endpoint) Settings(format payload.Format) uint16 {
	hash := sha256.New()
	note := func(text string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write([]byte(text))
	}
	for _, text := range []string{e.Name, e.URL, e.Tenant, format.String()} {
		note(text)
	}
	if e.Trace {
		note("trace")
	}
	for _, scheme := range e.Signatures {
		note("signature")
		note(scheme.Form())
	}
	if e.Auth != nil {
		for _, name := range e.Auth.Headers() {
			note("header")
			note(name)
		}
	}
	return binary.BigEndian.Uint16(hash.Sum(nil))
}
