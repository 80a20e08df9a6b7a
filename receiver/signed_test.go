// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// someEvent returns the sender's event with a number.
func someEvent(object string, sequence uint64) *event.Event {
	return &event.Event{
		ID: eventID(object, sequence), Type: "items.updated", Key: event.Key{Resource: "items", ID: object},
		Sequence: sequence, Op: event.OpChange, Freshness: event.FreshnessUnproven,
	}
}

// eventID returns an id as senders make them: 32 characters after evt_.
func eventID(object string, sequence uint64) string {
	digits := strconv.FormatUint(sequence, 10) + "x" + object
	return "evt_" + ("00000000000000000000000000000000" + digits)[len(digits):]
}

// failer is a testing.T or a rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// headersOf returns the headers of a delivery, as the sender and the library of Standard
// Webhooks make them.
func headersOf(t failer, e *event.Event, secret string, at time.Time, body string) http.Header {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(e.DeliveryID(), at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	said := e.Claims()
	header := make(http.Header)
	for name, value := range map[string]string{
		"webhook-id": e.DeliveryID(), "webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": signature,
		"webhook-event": said.Type, "webhook-object": said.Object, "webhook-sequence": said.Sequence, "webhook-op": said.Op,
		"webhook-freshness": said.Freshness, "webhook-changed": said.Changed,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	return header
}
