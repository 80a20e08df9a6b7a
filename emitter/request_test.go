// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// requestOf builds the request of an endpoint's attempt.
func requestOf(t *testing.T, change func(*Target), ev *event.Event) *http.Request {
	t.Helper()
	target := newTarget(t, "erp", &receivers{})
	change(&target)
	target, u, err := target.check()
	if err != nil {
		t.Fatal(err)
	}
	d := newDispatcher(New(memory.New(time.Now), Options{}), target, u, newStanding("erp"))
	to := destination{url: u, template: d.template, format: d.format("")}
	request, err := d.request(t.Context(), ev, to, "", time.Unix(1614265330, 0))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func formatOf(t *testing.T, config payload.Config) payload.Format {
	t.Helper()
	format, err := payload.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return format
}

// TestFormatIsSigned sends what a format renders, with its headers, and signs
// these bytes.
func TestFormatIsSigned(t *testing.T) {
	key, err := event.NewKey("items", "42")
	if err != nil {
		t.Fatal(err)
	}
	ev := &event.Event{
		ID: "evt_1", Type: "items.paid", Key: key, Sequence: 3, Time: time.Unix(1614265330, 0),
		ContentType: "application/json; charset=utf-8", Payload: []byte(`{"state":"paid"}`),
	}
	for _, test := range []struct {
		config      payload.Config
		contentType string
		body        string
	}{
		{payload.Config{}, ev.ContentType, `{"state":"paid"}`},
		{payload.Config{Kind: payload.Standard}, "application/json", `{"type":"items.paid","timestamp":"2021-02-25T15:02:10Z","data":{"state":"paid"}}`},
		{payload.Config{Kind: payload.CloudEvents, Binary: true}, ev.ContentType, `{"state":"paid"}`},
	} {
		request := requestOf(t, func(target *Target) { target.Endpoint.Payload = formatOf(t, test.config) }, ev)
		for range 2 {
			body, err := request.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			sent := make([]byte, request.ContentLength+1)
			n, _ := body.Read(sent)
			if string(sent[:n]) != test.body || request.Header.Get("Content-Type") != test.contentType {
				t.Errorf("%s: sends %s %q", test.config.Kind, request.Header.Get("Content-Type"), sent[:n])
			}
		}
		receiver, err := standardwebhooks.NewWebhookRaw(signingKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.VerifyIgnoringTimestamp([]byte(test.body), request.Header); err != nil {
			t.Errorf("%s: %v", test.config.Kind, err)
		}
		if binary := request.Header.Get("ce-type") == "items.paid"; binary != test.config.Binary {
			t.Errorf("%s: headers %v", test.config.Kind, request.Header)
		}
	}
}

// TestTokenBeforeDelivery covers the whole of OAuth 2.0: a token is requested
// once, sent with each delivery, and replaced when it is rejected. A token
// endpoint that fails makes the attempt fail, with a description.
func TestTokenBeforeDelivery(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		done := make(chan struct{})
		tokens, failing := 0, true
		there := &receivers{}
		there.answer = func(context.Context, got) (int, error) {
			if len(there.of("erp")) == 2 {
				return http.StatusUnauthorized, nil
			}
			done <- struct{}{}
			return http.StatusNoContent, nil
		}
		login := roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.URL.Path != "/token" || request.Method != http.MethodPost {
				return nil, errors.New("not a request for a token")
			}
			if failing {
				failing = false
				return answerOf(http.StatusServiceUnavailable, "canary"), nil
			}
			tokens++
			return answerOf(http.StatusOK, `{"access_token":"token`+strings.Repeat("+", tokens)+`","token_type":"Bearer"}`), nil
		})
		client, err := auth.ClientCredentials(auth.Client{ID: "a", Secret: "canary", TokenURL: (&url.URL{Scheme: "https", Host: "login.example", Path: "/token"}).String()})
		if err != nil {
			t.Fatal(err)
		}
		target := newTarget(t, "erp", there)
		target.Endpoint.Auth, target.Tokens = client, login
		target.Endpoint.Schedule = []time.Duration{time.Minute}
		store := memory.New(time.Now)
		emitter := New(store, Options{})
		if err := emitter.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		events := newPublisher(store)
		events.publish(t, "1", []string{"erp"}, nil)
		<-done
		time.Sleep(time.Minute)
		events.publish(t, "2", []string{"erp"}, nil)
		<-done
		emitter.Stop(t.Context())

		var sent []string
		for _, g := range there.of("erp") {
			sent = append(sent, g.header.Get("Authorization"))
		}
		if strings.Join(sent, " ") != "Bearer token+ Bearer token+ Bearer token++" {
			t.Errorf("sent %q", sent)
		}
		made := attempts(t, store, queue.Filter{EventID: "evt_1_1"})
		if len(made) != 2 || made[0].Error != "OAuth 2.0: the token endpoint answered 503 Service Unavailable" || made[0].Code != 0 {
			t.Errorf("recorded %+v", made)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func answerOf(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}
