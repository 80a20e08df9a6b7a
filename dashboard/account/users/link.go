// SPDX-License-Identifier: Apache-2.0

package users

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"
)

// LinkFor is how long the link to set a password works, if nothing else is said, and
// MaxLinkFor at most.
const (
	LinkFor    = 72 * time.Hour
	MaxLinkFor = 30 * 24 * time.Hour
)

// Link is a one-time link to set a password. Only the hash of its code is kept.
type Link struct {
	Hash string    `json:"hash"`
	Ends time.Time `json:"ends"`
}

// newLink returns a link of a user's, and its code.
func newLink(id string, ends time.Time) (link *Link, code string) {
	code = strings.TrimPrefix(id, idPrefix) + "-" + strings.ToLower(rand.Text())
	return &Link{Hash: codeHash(code), Ends: ends.UTC()}, code
}

// linkUser returns the id of the user that a code is for, "" if it is none.
func linkUser(code string) string {
	id, _, ok := strings.Cut(code, "-")
	if !ok || len(code) > 100 {
		return ""
	}
	return idPrefix + id
}

// Opens reports whether a code is that of the link, while it works.
func (l *Link) Opens(code string, now time.Time) bool {
	return l != nil && subtle.ConstantTimeCompare([]byte(l.Hash), []byte(codeHash(code))) == 1 && now.Before(l.Ends)
}

func codeHash(code string) string {
	sum := sha256.Sum256([]byte("link\x00" + code))
	return hex.EncodeToString(sum[:])
}
