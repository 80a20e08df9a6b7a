// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // receivers that were written for it can verify nothing else; HMAC does not need its hash to resist collisions
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// Style describes a signature header that an API has made up for itself: an
// HMAC of some content, written in some form. The zero values of its fields
// give the plainest one, X-Signature: HEX.
type Style struct {
	// Header is the header that holds the signature. Default: X-Signature.
	Header string
	// Algorithm is the HMAC's hash: sha256, sha512 or sha1. Default: sha256.
	Algorithm string
	// Encoding is how its bytes are written: hex or base64. Default: hex.
	Encoding string
	// Content is what is signed. {body} stands for the exact bytes that are
	// sent and must appear once; {timestamp} for the attempt's time in unix
	// seconds, {id} for the event's id. Default: {body}.
	Content string
	// Value is the header's value. {signature} stands for the signature and
	// must appear once; {timestamp} and {id} as in Content. In a list with
	// commas, the item with {signature} is repeated for each key. Default:
	// {signature}.
	Value string
	// TimestampHeader, if not empty, is a header that holds the time.
	TimestampHeader string
}

// presets are the styles that a configuration knows by name.
var presets = map[string]Style{
	"hex":         {},
	"base64":      {Encoding: "base64"},
	"sha256":      {Value: "sha256={signature}"},
	"timestamped": {Content: "{timestamp}.{body}", Value: "t={timestamp},v1={signature}"},
	"github":      {Header: "X-Hub-Signature-256", Value: "sha256={signature}"},
	"shopify":     {Header: "X-Shopify-Hmac-Sha256", Encoding: "base64"},
	"slack":       {Header: "X-Slack-Signature", TimestampHeader: "X-Slack-Request-Timestamp", Content: "v0:{timestamp}:{body}", Value: "v0={signature}"},
	"stripe":      {Header: "Stripe-Signature", Content: "{timestamp}.{body}", Value: "t={timestamp},v1={signature}"},
}

// Preset returns the style with a name, or [ErrBadScheme].
func Preset(name string) (Style, error) {
	style, ok := presets[name]
	if !ok {
		return Style{}, fmt.Errorf("%w: there is no style %q; there are %s", ErrBadScheme, name, strings.Join(Presets(), ", "))
	}
	return style, nil
}

// Presets returns the names of all presets, sorted.
func Presets() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// XSignature signs with an HMAC in a header of its own style, with keys of its
// own: receivers written for such a header have their own kind of keys too.
type XSignature struct {
	style   Style
	content []piece
	// before, item and after are the parts of the header's value; the item is
	// repeated for each key.
	before, item, after []piece
	// A function, so that nothing prints the keys.
	keys   func() []*styleKey
	equals []Secret
}

// styleKey is a key with its prepared HMACs.
type styleKey struct {
	secret Secret
	hashes sync.Pool
}

// piece is a part of a content or value: a literal or a placeholder.
type piece struct {
	text string
	name string // "body", "timestamp", "id", "signature", or "" for a literal
}

// NewXSignature returns a scheme of a style that signs with the given keys: the
// current one, and replaced ones that are still in use.
func NewXSignature(style Style, keys ...Secret) (*XSignature, error) {
	style = style.withDefaults()
	x := &XSignature{style: style, equals: keys}
	newHash, err := style.check()
	if err != nil {
		return nil, err
	}
	if x.content, err = parsePieces("content", style.Content, "body", "timestamp", "id"); err != nil {
		return nil, err
	}
	value, err := parsePieces("value", style.Value, "signature", "timestamp", "id")
	if err != nil {
		return nil, err
	}
	isList := x.split(value)
	switch {
	case len(keys) == 0 || slices.ContainsFunc(keys, Secret.IsZero):
		return nil, fmt.Errorf("%w: the style needs a key; add: key {env.NAME}", ErrBadScheme)
	case slices.ContainsFunc(keys, Secret.IsPrivate):
		return nil, fmt.Errorf("%w: the style needs a key that the receiver has too, not an ed25519 one", ErrBadScheme)
	case len(keys) > 1 && !isList:
		return nil, fmt.Errorf("%w: %s: %s holds one signature, so it can have one key; replace the key at both sides at once, "+
			"or send both in two headers for a while", ErrBadScheme, style.Header, style.Value)
	}
	made := make([]*styleKey, len(keys))
	for i, secret := range keys {
		key := secret.material().key
		made[i] = &styleKey{secret: secret}
		made[i].hashes.New = func() any { return hmac.New(newHash, key) }
	}
	x.keys = func() []*styleKey { return made }
	return x, nil
}

func (s Style) withDefaults() Style {
	for _, field := range []struct {
		value    *string
		standard string
	}{{&s.Header, "X-Signature"}, {&s.Algorithm, "sha256"}, {&s.Encoding, "hex"}, {&s.Content, "{body}"}, {&s.Value, "{signature}"}} {
		if *field.value == "" {
			*field.value = field.standard
		}
	}
	s.Header, s.TimestampHeader = http.CanonicalHeaderKey(s.Header), http.CanonicalHeaderKey(s.TimestampHeader)
	return s
}

// check checks everything but the templates, and returns the hash.
func (s Style) check() (func() hash.Hash, error) {
	for _, name := range []string{s.Header, s.TimestampHeader} {
		if name == "" {
			continue
		}
		if err := CheckHeader(name); err != nil {
			return nil, err
		}
	}
	if !httpguts.ValidHeaderFieldValue(s.Value) {
		return nil, fmt.Errorf("%w: the value has characters that no header can hold", ErrBadScheme)
	}
	if s.Encoding != "hex" && s.Encoding != "base64" {
		return nil, fmt.Errorf("%w: there is no encoding %q; write hex or base64", ErrBadScheme, s.Encoding)
	}
	switch s.Algorithm {
	case "sha256":
		return sha256.New, nil
	case "sha512":
		return sha512.New, nil
	case "sha1":
		return sha1.New, nil
	}
	return nil, fmt.Errorf("%w: there is no algorithm %q; write sha256, sha512 or sha1", ErrBadScheme, s.Algorithm)
}

// split finds the item with the signature between the commas around it, and
// reports whether there are any: a value that is not a list cannot hold a
// second signature.
func (x *XSignature) split(value []piece) bool {
	at := slices.IndexFunc(value, func(p piece) bool { return p.name == "signature" })
	from, to := 0, len(value)
	before, after := "", ""
	for i := at - 1; i >= 0 && from == 0; i-- {
		if head, tail, ok := cutLast(value[i].text, ","); ok {
			x.before = append(slices.Clone(value[:i]), piece{text: head + ","})
			before, from = tail, i+1
		}
	}
	for i := at + 1; i < len(value) && to == len(value); i++ {
		if head, tail, ok := strings.Cut(value[i].text, ","); ok {
			x.after = append([]piece{{text: "," + tail}}, value[i+1:]...)
			after, to = head, i
		}
	}
	x.item = slices.Concat([]piece{{text: before}}, value[from:to], []piece{{text: after}})
	return x.before != nil || x.after != nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// Sign implements [Scheme]. It uses its own keys.
func (x *XSignature) Sign(m Message, _ []Secret, header http.Header) {
	var digits [20]byte
	timestamp := strconv.AppendInt(digits[:0], m.At.Unix(), 10)
	value := make([]byte, 0, 128)
	value = appendPieces(value, x.before, m.ID, timestamp, "")
	signed := false
	for _, key := range x.keys() {
		if !key.secret.signs(m.At) {
			continue
		}
		if signed {
			value = append(value, ',')
		}
		signed = true
		value = appendPieces(value, x.item, m.ID, timestamp, x.sum(key, m, timestamp))
	}
	if !signed {
		return
	}
	header[x.style.Header] = []string{string(appendPieces(value, x.after, m.ID, timestamp, ""))}
	if x.style.TimestampHeader != "" {
		header[x.style.TimestampHeader] = []string{string(timestamp)}
	}
}

func (x *XSignature) sum(key *styleKey, m Message, timestamp []byte) string {
	h := key.hashes.Get().(hash.Hash)
	defer key.hashes.Put(h)
	h.Reset()
	for _, p := range x.content {
		// A hash's Write never fails.
		switch p.name {
		case "body":
			_, _ = h.Write(m.Body)
		case "timestamp":
			_, _ = h.Write(timestamp)
		case "id":
			_, _ = h.Write([]byte(m.ID))
		default:
			_, _ = h.Write([]byte(p.text))
		}
	}
	var space [sha512.Size]byte
	sum := h.Sum(space[:0])
	if x.style.Encoding == "base64" {
		return base64.StdEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}

// Check implements [Scheme]: it needs none of the endpoint's secrets.
func (x *XSignature) Check([]Secret) error { return nil }

// Equal implements [Scheme].
func (x *XSignature) Equal(other Scheme) bool {
	o, ok := other.(*XSignature)
	return ok && x.style == o.style && slices.EqualFunc(x.equals, o.equals, Secret.Equal)
}

// Form implements [Scheme].
func (x *XSignature) Form() string { return fmt.Sprintf("x-signature %q", x.style) }

// Keys implements [Scheme]: they are its own.
func (x *XSignature) Keys([]Secret) []Secret { return x.equals }

// Headers implements [Scheme].
func (x *XSignature) Headers() []string {
	if x.style.TimestampHeader == "" {
		return []string{x.style.Header}
	}
	return []string{x.style.Header, x.style.TimestampHeader}
}

// parsePieces splits a template. The first name must appear once.
func parsePieces(what, text string, names ...string) ([]piece, error) {
	var pieces []piece
	needed := 0
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			pieces = append(pieces, piece{text: literal})
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if !closed || !slices.Contains(names, name) {
			return nil, fmt.Errorf("%w: %s %q: braces take one of %s", ErrBadScheme, what, text, strings.Join(names, ", "))
		}
		if name == names[0] {
			needed++
		}
		pieces = append(pieces, piece{name: name})
		rest = next
	}
	if needed != 1 {
		return nil, fmt.Errorf("%w: %s %q: {%s} must stand there once", ErrBadScheme, what, text, names[0])
	}
	return pieces, nil
}

func appendPieces(to []byte, pieces []piece, id string, timestamp []byte, signature string) []byte {
	for _, p := range pieces {
		switch p.name {
		case "timestamp":
			to = append(to, timestamp...)
		case "id":
			to = append(to, id...)
		case "signature":
			to = append(to, signature...)
		default:
			to = append(to, p.text...)
		}
	}
	return to
}
