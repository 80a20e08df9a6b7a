// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// callback is a request as its receiver got it.
type callback struct {
	method, url string
	header      http.Header
	body        []byte
}

// capture is the way to a receiver that takes everything.
type capture chan callback

func (c capture) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	c <- callback{r.Method, r.URL.String(), r.Header.Clone(), body}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, err
}

// provisioned returns the app of a global block, with its endpoints checked.
func provisioned(t *testing.T, block string) *App {
	t.Helper()
	adapted, err := adapt(t, "{\n\twebhooks {\n"+block+"\n}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Apps struct {
			Webhooks *App `json:"webhooks"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := config.Apps.Webhooks.provisionEndpoints(); err != nil {
		t.Fatal(err)
	}
	return config.Apps.Webhooks
}

// call delivers an event to the first endpoint of a global block.
func call(t *testing.T, block string, e event.Event) (callback, endpoint.Endpoint) {
	t.Helper()
	app := provisioned(t, block)
	calls := make(capture, 1)
	target := emitter.Target{Transport: calls, Tokens: calls}
	for e := range app.endpoints.All() {
		target.Endpoint = e
		break
	}
	store := memory.New(time.Now)
	sender := emitter.New(store, emitter.Options{})
	if err := sender.Apply([]emitter.Target{target}); err != nil {
		t.Fatal(err)
	}
	if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: e.Key}}}, true); err != nil {
		t.Fatal(err)
	}
	lease, err := store.LeaseMark(t.Context(), e.Key.Resource, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	e.Sequence = 1
	err = store.CommitReconciled(t.Context(), lease, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: e.Key, Sequence: 1},
		Events: []queue.Routed{{Event: e, Endpoints: []string{target.Endpoint.Name}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := <-calls
	sender.Stop(t.Context())
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return got, target.Endpoint
}

func someShow(t *testing.T, eventType, show, resource string, key ...string) event.Event {
	t.Helper()
	k, err := event.NewKey(resource, key...)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{
		ID: "c088bc2884a2c3b4043991b04d96ceda7c65043778233dedb26bfd5853705dfd", Type: eventType, Key: k, Op: event.OpChange,
		Time: time.Date(2021, 4, 7, 15, 14, 26, 0, time.UTC), ContentType: "application/json", Payload: []byte(show),
	}
}

// TestSeeds sends what five systems promise in the documents that they give to
// those who receive their callbacks: it holds the requests against the words
// and examples of these.
func TestSeeds(t *testing.T) {
	const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	t.Setenv("SEED_SECRET", secret)
	t.Setenv("SEED_API_KEY", "sk_merchant_7qwnw4j2kmqvrb3")
	t.Setenv("SEED_USER", "merchant")
	t.Setenv("SEED_PASSWORD", "open sesame")
	t.Setenv("SEED_AUTHORIZATION", "Basic dXNlcjpzZWNyZXQ=")
	const item = `{"items":{"id":"7139651-1-2046","state":"completed",  "amount": 10000}}`
	const transaction = `{"merchant":{"merch_key":"7qwnw4j2kmqvrb3"},"object":{"type":"transaction","key":"1nftvzx7xtcggm3",` +
		`"amount_detail":{"amount":"5.00"},"authcode":"538228"}}`

	for _, test := range []struct {
		name  string
		block string
		event event.Event
		// url is where the callback goes; body its JSON, or its very bytes
		// where exact is set.
		url, body string
		exact     bool
		check     func(t *testing.T, c callback, e endpoint.Endpoint)
	}{
		{
			// "We will POST a JSON payload with the Item object attributes to
			// the URL provided"; "a callback for Items will return the
			// GET /items/:id response". From addresses that receivers know,
			// without a signature.
			name: "assembly",
			block: `endpoint items https://example.com/callbacks/items/1bb77e2f892ebab9b2 {
				events items.*
				signature none
			}
			egress {
				from 127.0.0.1
			}`,
			event: someShow(t, "items.updated", item, "items", "7139651-1-2046"),
			url:   "https://example.com/callbacks/items/1bb77e2f892ebab9b2", body: item, exact: true,
			check: func(t *testing.T, c callback, _ endpoint.Endpoint) {
				unsigned(t, c)
				header(t, c, "Authorization", "")
			},
		},
		{
			// "A notificationUrl and an authorizationHeader (if needed)"; three
			// fields; an answer within ten seconds; no automatic retries; only
			// receivers that are whitelisted.
			name: "assure",
			block: `endpoint process https://customer.example/notify {
				signature none
				auth header Authorization {env.SEED_AUTHORIZATION}
				payload fields dossierId=:1 processId=:2 status=status
				timeout 10s
				retry none
			}
			egress {
				only host customer.example
			}`,
			event: someShow(t, "processes.finished", `{"status":"accepted","provider":"x"}`, "processes",
				"54a1ad5f-74dd-47ba-b992-1cb2b4636341", "3065980b-f26b-4ec2-8987-7833b7781dae"),
			url: "https://customer.example/notify",
			body: `{
				"dossierId":"54a1ad5f-74dd-47ba-b992-1cb2b4636341",
				"processId":"3065980b-f26b-4ec2-8987-7833b7781dae",
				"status":"accepted"
			}`,
			check: func(t *testing.T, c callback, e endpoint.Endpoint) {
				unsigned(t, c)
				header(t, c, "Authorization", "Basic dXNlcjpzZWNyZXQ=")
				if e.Timeout != 10*time.Second || len(e.Schedule) != 0 {
					t.Errorf("it has %s, and %d retries", e.Timeout, len(e.Schedule))
				}
			},
		},
		{
			// "Authenticates transmissions by checking a unique string that is
			// issued to you when you set up the webhook event subscription":
			// a secret, with which the receiver verifies a signature.
			name: "bond",
			block: `endpoint kyc https://brand.example/bond {
				events kyc.verification.*
				secret {env.SEED_SECRET}
			}`,
			event: someShow(t, "kyc.verification.success", `{"customer_id":"c1","status":"verified"}`, "customers", "c1"),
			url:   "https://brand.example/bond", body: `{"customer_id":"c1","status":"verified"}`, exact: true,
			check: func(t *testing.T, c callback, _ endpoint.Endpoint) {
				header(t, c, "webhook-event", "kyc.verification.success")
				receiver, err := standardwebhooks.NewWebhook(secret)
				if err != nil {
					t.Fatal(err)
				}
				if err := receiver.Verify(c.body, c.header); err != nil {
					t.Error(err)
				}
			},
		},
		{
			// "Basic: sends a basic authentication header with the included
			// username and password"; "a signature using the X-Signature
			// header … with the shared secret (API Key or Signature Key)"; and
			// the document's example, field by field.
			name: "gateway",
			block: `endpoint sales https://second-application.example/hook {
				events transaction.sale.*
				signature x-signature hex {
					key {env.SEED_API_KEY}
				}
				auth basic {env.SEED_USER} {env.SEED_PASSWORD}
				payload gateway
			}`,
			event: someShow(t, "transaction.sale.success", transaction, "transactions", "1nftvzx7xtcggm3"),
			url:   "https://second-application.example/hook",
			body: `{
				"type": "event",
				"event_triggered": "2021-04-07 15:14:26",
				"event_type": "transaction.sale.success",
				"event_body": {
					"merchant": {"merch_key": "7qwnw4j2kmqvrb3"},
					"object": {
						"type": "transaction",
						"key": "1nftvzx7xtcggm3",
						"amount_detail": {"amount": "5.00"},
						"authcode": "538228"
					}
				},
				"event_id": "c088bc2884a2c3b4043991b04d96ceda7c65043778233dedb26bfd5853705dfd"
			}`,
			check: func(t *testing.T, c callback, _ endpoint.Endpoint) {
				h := hmac.New(sha256.New, []byte("sk_merchant_7qwnw4j2kmqvrb3"))
				h.Write(c.body)
				header(t, c, "X-Signature", hex.EncodeToString(h.Sum(nil)))
				header(t, c, "webhook-signature", "")
				r := http.Request{Header: c.header}
				if user, password, ok := r.BasicAuth(); !ok || user != "merchant" || password != "open sesame" {
					t.Errorf("the credentials are %q %q", user, password)
				}
			},
		},
		{
			// "The rawBody you provide will dictate the payload we send to your
			// webhook": the very bytes, to a URL that is "a publicly accessible
			// HTTPS URL … capable of receiving POST requests", with retries.
			name: "partner",
			block: `endpoint notification-5 https://partner.example/callbacks/5 {
				events processes.*
				secret {env.SEED_SECRET}
			}`,
			event: someShow(t, "processes.completed", `{ "processUniqueId" : "9f1c", "state": 5 }`, "processes", "9f1c"),
			url:   "https://partner.example/callbacks/5", body: `{ "processUniqueId" : "9f1c", "state": 5 }`, exact: true,
			check: func(t *testing.T, _ callback, e endpoint.Endpoint) {
				if len(e.Schedule) == 0 {
					t.Error("it is not retried")
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, e := call(t, test.block, test.event)
			if c.method != http.MethodPost || c.url != test.url {
				t.Errorf("got %s %s", c.method, c.url)
			}
			if !e.Events.Match(test.event.Type) {
				t.Errorf("it does not want %s", test.event.Type)
			}
			header(t, c, "Content-Type", "application/json")
			switch {
			case test.exact && string(c.body) != test.body, !test.exact && !bytes.Equal(event.Canonical(c.body), event.Canonical([]byte(test.body))):
				t.Errorf("got the body\n%s\nwant\n%s", c.body, test.body)
			}
			test.check(t, c, e)
		})
	}
}

func header(t *testing.T, c callback, name, want string) {
	t.Helper()
	if got := c.header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func unsigned(t *testing.T, c callback) {
	t.Helper()
	for name := range c.header {
		if strings.Contains(strings.ToLower(name), "signature") {
			t.Errorf("it has the header %s", name)
		}
	}
}

// TestReceiverWords provisions every word that says how a receiver is sent to,
// and looks at what became of it.
func TestReceiverWords(t *testing.T) {
	t.Setenv("NEW_SECRET", "whsk_n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=")
	t.Setenv("OLD_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	t.Setenv("TOKEN", "some token")
	t.Setenv("REPLACED", time.Now().Add(-23*time.Hour).Format(time.RFC3339))
	t.Setenv("LONG_REPLACED", time.Now().Add(-25*time.Hour).Format(time.RFC3339))
	send := func(lines string) callback {
		c, _ := call(t, "endpoint erp https://erp.example.com/hooks {\n"+lines+"\n}",
			someShow(t, "items.paid", `{"state":"paid"}`, "items", "42"))
		return c
	}

	c := send("secret {env.NEW_SECRET} {env.OLD_SECRET} {\nreplaced {env.REPLACED}\n}\nsignature standard\nsignature rfc9421 key-2026\nauth bearer {env.TOKEN}\npayload cloudevents binary")
	if got := c.header.Get("webhook-signature"); !strings.HasPrefix(got, "v1a,") || !strings.Contains(got, " v1,") {
		t.Errorf("within the overlap: %q", got)
	}
	if got := c.header.Get("Signature-Input"); !strings.Contains(got, `keyid="key-2026";alg="ed25519"`) || !strings.Contains(got, "sig2=") {
		t.Errorf("within the overlap: %q", got)
	}
	header(t, c, "Authorization", "Bearer some token")
	header(t, c, "ce-subject", "items/42")

	c = send("secret {env.NEW_SECRET} {env.OLD_SECRET} {\nreplaced {env.LONG_REPLACED}\n}")
	if got := c.header.Get("webhook-signature"); !strings.HasPrefix(got, "v1a,") || strings.Contains(got, "v1,") {
		t.Errorf("after the overlap: %q", got)
	}
	c = send("secret {env.NEW_SECRET} {env.OLD_SECRET} {\nreplaced {env.LONG_REPLACED}\noverlap 26h\n}\npayload thin https://api.example.com/{resource}/{id}")
	if got := c.header.Get("webhook-signature"); !strings.Contains(got, " v1,") {
		t.Errorf("within a longer overlap: %q", got)
	}
	if !strings.Contains(string(c.body), `"url":"https://api.example.com/items/42"`) {
		t.Errorf("thin: %s", c.body)
	}
	c = send("signature x-signature slack {\nkey {env.TOKEN}\nheader X-Ours\n}\npayload standard data kind=event:op item=.")
	if c.header.Get("X-Ours") == "" || c.header.Get("X-Slack-Request-Timestamp") == "" || !strings.HasPrefix(string(c.body), `{"type":"items.paid"`) || !strings.Contains(string(c.body), `"data":{"kind":"change","item":{`) {
		t.Errorf("got %v %s", c.header, c.body)
	}
}

// TestFormatsAreCommitted tells with each event in which form its endpoints
// want it.
func TestFormatsAreCommitted(t *testing.T) {
	t.Setenv("SEED_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	app := provisioned(t, `endpoint a https://a.example/ {
		secret {env.SEED_SECRET}
	}
	endpoint b https://b.example/ {
		secret {env.SEED_SECRET}
		payload gateway
	}`)
	formats := formatsOf(app.endpoints, []string{"a", "b", "nobody"})
	if len(formats) != 2 || formats["a"] != "show" || formats["b"] != `{"kind":"gateway"}` {
		t.Errorf("got %v", formats)
	}
}

// TestReloadChangesNoRetry gives an endpoint another payload while a delivery
// waits for its retry: that sends the same bytes, and the next event is sent in
// the new form.
func TestReloadChangesNoRetry(t *testing.T) {
	s := newStage(t)
	calls := make(chan string, 10)
	var count atomic.Int64
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if count.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		calls <- string(body)
	}))
	t.Cleanup(failing.Close)
	endpoint := func(payload string) string {
		return "endpoint other " + failing.URL + " {\n secret {env.TEST_SECRET}\n retry 2s 2s 2s\n payload " + payload + "\n}\n"
	}
	s.mustLoad(s.config(endpoint("gateway"), ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	sent := []string{<-calls}
	s.mustLoad(s.config(endpoint("thin"), ""))
	s.put("/items/2", `{"id":"2"}`)
	for range 2 {
		sent = append(sent, <-calls)
	}
	retried := slices.ContainsFunc(sent[1:], func(body string) bool { return body == sent[0] })
	if !retried || !strings.Contains(sent[0], `"event_body":{"id":"1"}`) {
		t.Errorf("sent\n%s", strings.Join(sent, "\n"))
	}
	if !slices.ContainsFunc(sent, func(body string) bool { return strings.Contains(body, `"object":"items/2"`) }) {
		t.Errorf("sent\n%s", strings.Join(sent, "\n"))
	}
}
