// SPDX-License-Identifier: Apache-2.0

// Package passkeytest is an authenticator for tests: it answers as a browser does that has
// asked one.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Flags of an authenticator's data.
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
	attested     = 1 << 6
)

// Authenticator holds one key. Its fields may be changed, as thieves would.
type Authenticator struct {
	// ID is the key's, and User the handle of its user, nil before it is registered.
	ID, User []byte
	// Origin is that of the page that asks.
	Origin string
	// Verifies is true if it knows its user by a finger or a PIN.
	Verifies bool
	// Count is how many signatures it has made; a negative one stays as it is.
	Count int

	key *ecdsa.PrivateKey
}

// New returns an authenticator that asks its user.
func New(origin string) *Authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &Authenticator{ID: id, Origin: origin, Verifies: true, key: key}
}

// options are those parts of the options of a browser that an authenticator needs.
type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
}

// Register answers options to register.
func (a *Authenticator) Register(given []byte) ([]byte, error) {
	var o options
	if err := json.Unmarshal(given, &o); err != nil {
		return nil, err
	}
	var err error
	if a.User, err = base64.RawURLEncoding.DecodeString(o.User.ID); err != nil {
		return nil, fmt.Errorf("the user: %w", err)
	}
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	public, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:65]})
	if err != nil {
		return nil, err
	}
	data := a.data(o.RP.ID, attested)
	data = append(data, make([]byte, 16)...) // the model, which is nobody's business
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
	data = append(append(data, a.ID...), public...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, err
	}
	return a.answer("webauthn.create", o.Challenge, func([]byte) (map[string]any, error) {
		return map[string]any{"attestationObject": encoded(object)}, nil
	})
}

// Show answers options to show the key.
func (a *Authenticator) Show(given []byte) ([]byte, error) {
	var o options
	if err := json.Unmarshal(given, &o); err != nil {
		return nil, err
	}
	if a.Count >= 0 {
		a.Count++
	}
	data := a.data(o.RPID, 0)
	return a.answer("webauthn.get", o.Challenge, func(client []byte) (map[string]any, error) {
		hash := sha256.Sum256(client)
		digest := sha256.Sum256(append(append([]byte(nil), data...), hash[:]...))
		signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
		return map[string]any{"authenticatorData": encoded(data), "signature": encoded(signature), "userHandle": encoded(a.User)}, err
	})
}

func (a *Authenticator) answer(kind, challenge string, respond func(client []byte) (map[string]any, error)) ([]byte, error) {
	client, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		return nil, err
	}
	response, err := respond(client)
	if err != nil {
		return nil, err
	}
	response["clientDataJSON"] = encoded(client)
	return json.Marshal(map[string]any{"id": encoded(a.ID), "rawId": encoded(a.ID), "type": "public-key", "response": response})
}

func (a *Authenticator) data(site string, flags byte) []byte {
	hash := sha256.Sum256([]byte(site))
	flags |= userPresent
	if a.Verifies {
		flags |= userVerified
	}
	return binary.BigEndian.AppendUint32(append(hash[:], flags), uint32(max(a.Count, 0)))
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
