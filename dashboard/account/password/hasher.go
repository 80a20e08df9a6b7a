// SPDX-License-Identifier: Apache-2.0

// Package password hashes passwords with Argon2id, within a limit of memory, and says
// which passwords may be chosen.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// Params are what a hash costs.
type Params struct {
	// Memory is in KiB.
	Memory uint32
	// Time is how often the memory is passed over, and Threads by how many at once.
	Time    uint32
	Threads uint8
}

// Recommended are the parameters that OWASP's Password Storage Cheat Sheet recommends:
// 19 MiB, two passes, one thread.
var Recommended = Params{Memory: 19 << 10, Time: 2, Threads: 1}

const (
	saltLength = 16
	keyLength  = 32

	// mostMemory and mostTime limit what a stored hash may ask for.
	mostMemory = 256 << 10
	mostTime   = 16
	// maxAtOnce limits the hashes at once, and so their memory; maxWaiting those that
	// wait for their turn, some seconds of work.
	maxAtOnce  = 4
	maxWaiting = 64
)

var (
	// ErrBusy is returned while too many hashes wait for their turn.
	ErrBusy = errors.New("too many passwords are being checked; try again in a moment")
	// ErrMalformed is returned for what is not the hash of a password.
	ErrMalformed = errors.New("it is not the hash of a password")
)

// Hasher hashes passwords, few at once. Use [NewHasher].
type Hasher struct {
	params Params
	turns  chan struct{}
	places chan struct{} // of those that wait or have a turn
	// dummy is what passwords of nobody are compared with: the hash of no password that
	// anybody knows.
	dummy string
}

// NewHasher returns a hasher. It belongs to the process: two of them take twice the
// memory.
func NewHasher(params Params) *Hasher {
	atOnce := min(runtime.GOMAXPROCS(0), maxAtOnce)
	h := &Hasher{params: params, turns: make(chan struct{}, atOnce), places: make(chan struct{}, atOnce+maxWaiting)}
	salt, key := make([]byte, saltLength), make([]byte, keyLength)
	_, _ = rand.Read(salt)
	_, _ = rand.Read(key)
	h.dummy = encode(params, salt, key)
	return h
}

// Hash returns the hash of a password, with its parameters and its salt, as the PHC
// string format has it.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt)
	key, err := h.derive(ctx, h.params, salt, password, keyLength)
	if err != nil {
		return "", err
	}
	return encode(h.params, salt, key), nil
}

// Matches reports whether a password has a hash, and whether the hash is stale: made
// with other parameters than those of today. Without a hash it never matches, and takes
// as long as if there was one, so that nobody learns whether there is.
func (h *Hasher) Matches(ctx context.Context, hash, password string) (ok, stale bool, err error) {
	if hash == "" {
		hash = h.dummy
	}
	params, salt, want, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, params, salt, password, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, params != h.params, nil
}

// derive hashes a password when it is its turn.
func (h *Hasher) derive(ctx context.Context, params Params, salt []byte, password string, length uint32) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, params.Time, params.Memory, params.Threads, length), nil
}

func encode(params Params, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, params.Memory, params.Time, params.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func decode(hash string) (params Params, salt, key []byte, err error) {
	var version int
	var rest string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &params.Memory, &params.Time, &params.Threads, &rest); err != nil {
		return params, nil, nil, ErrMalformed
	}
	if version != argon2.Version || params.Memory > mostMemory || params.Time < 1 || params.Time > mostTime || params.Threads < 1 {
		return params, nil, nil, fmt.Errorf("%w: its parameters are not possible", ErrMalformed)
	}
	for i := range rest {
		if rest[i] != '$' {
			continue
		}
		if salt, err = base64.RawStdEncoding.Strict().DecodeString(rest[:i]); err == nil {
			key, err = base64.RawStdEncoding.Strict().DecodeString(rest[i+1:])
		}
		break
	}
	if err != nil || len(salt) == 0 || len(key) != keyLength {
		return params, nil, nil, ErrMalformed
	}
	return params, salt, key, nil
}
