// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"crypto/sha256"
	"encoding/base32"
	"io"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// receiverAccepts compares as receivers are told to in docs/signatures.md.
func receiverAccepts(header http.Header) bool {
	text, hash, _ := strings.Cut(strings.TrimPrefix(header.Get("webhook-id"), "evt_"), "_")
	text = "evt_" + text
	for _, name := range []string{"event", "object", "sequence", "op", "freshness", "changed"} {
		text += "\n" + header.Get("webhook-"+name)
	}
	sum := sha256.Sum256([]byte(text))
	return hash == base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").EncodeToString(sum[:])[:26]
}

// In every payload format, what the headers tell of an event is covered by the
// id that is signed, and the library of Standard Webhooks verifies.
func TestClaimsAreSigned(t *testing.T) {
	key, err := event.NewKey("items", "42/a é")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sign.NewMessageSignatures()
	if err != nil {
		t.Fatal(err)
	}
	ev := &event.Event{
		ID: "evt_1", Type: "items.updated", Key: key, Sequence: 3, Op: event.OpChange, Freshness: event.FreshnessUnproven,
		ContentType: "application/json", Payload: []byte(`{"state":"paid"}`), PreviousShow: []byte(`{"state":"new"}`),
		Changed: event.Pointers{"/state", "/a,é"}, Base: 2, State: 3,
	}
	for _, config := range []payload.Config{
		{},
		{Kind: payload.Standard},
		{Kind: payload.Gateway},
		{Kind: payload.CloudEvents},
		{Kind: payload.CloudEvents, Binary: true},
		{Kind: payload.Thin},
		{Kind: payload.Fields, Fields: []payload.Field{{Name: "state", Path: "state"}}},
	} {
		request := requestOf(t, func(target *Target) {
			target.Endpoint.Payload = formatOf(t, config)
			target.Endpoint.Signatures = []sign.Scheme{sign.Standard{}, messages}
		}, ev)
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Fatal(err)
		}
		receiver, err := standardwebhooks.NewWebhookRaw(signingKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.VerifyIgnoringTimestamp(body, request.Header); err != nil || !receiverAccepts(request.Header) {
			t.Errorf("%+v: %v, %v", config, request.Header, err)
		}
		if got := request.Header.Get("webhook-changed"); got != "/state, /a%2C%C3%A9" {
			t.Errorf("%+v: changed is %s", config, got)
		}
		for _, name := range []string{"webhook-event", "webhook-object", "webhook-sequence", "webhook-op", "webhook-freshness", "webhook-changed"} {
			meddled := request.Header.Clone()
			meddled.Set(name, "delete")
			if receiverAccepts(meddled) {
				t.Errorf("%+v: accepted with another %s", config, name)
			}
			if !strings.Contains(request.Header.Get("Signature-Input"), `"`+name+`"`) {
				t.Errorf("%+v: RFC 9421 covers %s", config, request.Header.Get("Signature-Input"))
			}
		}
		if covered := strings.Contains(request.Header.Get("Signature-Input"), `"ce-type"`); covered != config.Binary {
			t.Errorf("%+v: RFC 9421 covers %s", config, request.Header.Get("Signature-Input"))
		}
		// Whoever takes an id for another's is found out by the signature.
		other := *ev
		other.Type = "items.deleted"
		swapped := request.Header.Clone()
		swapped.Set("webhook-event", other.Type)
		swapped.Set("webhook-id", other.DeliveryID())
		if receiver.VerifyIgnoringTimestamp(body, swapped) == nil {
			t.Errorf("%+v: another id is accepted", config)
		}
	}
}

// A repeat of a delivery from before ids had hashes has the id of the first
// attempt.
func TestOldIDsStay(t *testing.T) {
	ev := &event.Event{ID: "evt_1", Type: "items.updated", Key: event.Key{Resource: "items", ID: "1"}, Uncommitted: true}
	if got := requestOf(t, func(*Target) {}, ev).Header.Get("webhook-id"); got != "evt_1" {
		t.Errorf("got %s", got)
	}
}
