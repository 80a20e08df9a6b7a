// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

// secret signs the deliveries of the tests.
const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// receiver records every delivery whose signature is right, including those
// that it fails afterwards: they may be sent again, under the same id.
type receiver struct {
	server *httptest.Server
	rough  bool
	verify *standardwebhooks.Webhook

	mu       sync.Mutex
	random   *rand.Rand
	got      []promises.Delivery
	problems []string
}

func newReceiver(t *testing.T, stream uint64, rough bool) *receiver {
	t.Helper()
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{rough: rough, verify: verify, random: rand.New(rand.NewPCG(*seed, stream))}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	payload, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed
	}
	switch r.record(request.Header, payload) {
	case 0:
		http.Error(w, "failed", http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case 2:
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// record records a delivery, and draws the answer.
func (r *receiver) record(header http.Header, payload []byte) (answer int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.verify.Verify(payload, header); err != nil {
		r.problems = append(r.problems, "delivery "+header.Get("Webhook-Id")+": "+err.Error())
		return -1
	}
	sequence, err := strconv.ParseUint(header.Get("Webhook-Sequence"), 10, 64)
	if err != nil {
		r.problems = append(r.problems, "delivery "+header.Get("Webhook-Id")+": "+err.Error())
		return -1
	}
	r.got = append(r.got, promises.Delivery{
		ID: event.IDOf(header.Get("Webhook-Id")), Object: header.Get("Webhook-Object"), Sequence: sequence,
		Kind: header.Get("Webhook-Event"), Payload: payload,
	})
	if !r.rough {
		return -1
	}
	return r.random.IntN(30)
}

// deliveries returns the deliveries so far, and the problems with them.
func (r *receiver) deliveries() (got []promises.Delivery, problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), slices.Clone(r.problems)
}
