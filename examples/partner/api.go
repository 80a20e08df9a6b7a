// SPDX-License-Identifier: Apache-2.0

// Package partner is an example of a lender's API for the partners that sell its loans.
// A partner asks for a simulation (what would it cost?) or begins a process (the loan
// itself), and hears what comes of it only by asking again: offers are worked out and
// lapse, and customers take their time to sign. It keeps everything in memory and knows
// nothing of webhooks.
//
//	GET  /partners/{partner}                        to whoever has its key
//	POST /partners/{partner}/simulations            GET …/{simulation}
//	POST /partners/{partner}/processes              GET …/{process}
//	POST /partners/{partner}/processes/{process}/signature
package partner

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Some partners, by their unique ids.
const (
	Acme   = "6a1d3c5e-8f20-4b7a-9c41-d2e3f4a5b6c7"
	Globex = "0e9f8d7c-6b5a-4c3d-8e2f-1a0b9c8d7e6f"
)

// PlatformKey is the key that sees what all partners have.
const PlatformKey = "platform-key"

// Keys are the keys of the partners.
var Keys = map[string]string{"acme-key": Acme, "globex-key": Globex}

// MaxAmount is the most that is lent.
const MaxAmount = 50_000

// Options say how the API behaves. The zero value is a running one.
type Options struct {
	// Later runs what happens inside, some time after a request. Default: after that
	// time.
	Later func(after time.Duration, what func())
}

// How long things take.
const (
	decideAfter = 3 * time.Second
	lapseAfter  = 10 * time.Minute
)

// The states of simulations and processes. An approved process waits for the customer.
const (
	pending   = "pending"
	approved  = "approved"
	completed = "completed"
	rejected  = "rejected"
	expired   = "expired"
)

// API is the service.
type API struct {
	later    func(time.Duration, func())
	partners map[string]bool

	mu      sync.Mutex
	objects map[string]map[string]any // by path
}

// New returns an API with partners, of whom none has begun anything.
func New(o Options) *API {
	if o.Later == nil {
		o.Later = func(after time.Duration, what func()) { time.AfterFunc(after, what) }
	}
	a := &API{later: o.Later, partners: make(map[string]bool), objects: make(map[string]map[string]any)}
	for _, partner := range Keys {
		a.partners[partner] = true
	}
	return a
}

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /partners/{partner}", a.partner)
	mux.HandleFunc("POST /partners/{partner}/simulations", a.create("simulations", "simulationUniqueId", completed))
	mux.HandleFunc("GET /partners/{partner}/simulations/{id}", a.show("simulations"))
	mux.HandleFunc("POST /partners/{partner}/processes", a.create("processes", "processUniqueId", approved))
	mux.HandleFunc("GET /partners/{partner}/processes/{id}", a.show("processes"))
	mux.HandleFunc("POST /partners/{partner}/processes/{id}/signature", a.sign)
	return mux
}

// sees answers requests that are not the partner's in the path, nor the platform's.
func (a *API) sees(w http.ResponseWriter, r *http.Request) bool {
	const scheme = "Bearer "
	key := r.Header.Get("Authorization")
	key = key[min(len(scheme), len(key)):]
	who, known := Keys[key]
	exists := a.partners[r.PathValue("partner")]
	switch {
	case !known && key != PlatformKey:
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, "no partner has this key")
		return false
	case !exists, known && who != r.PathValue("partner"):
		refuse(w, http.StatusNotFound, "there is no such partner")
		return false
	}
	return true
}

func (a *API) partner(w http.ResponseWriter, r *http.Request) {
	if a.sees(w, r) {
		answer(w, http.StatusOK, map[string]any{"partnerUniqueId": r.PathValue("partner")})
	}
}

// create returns a handler that begins something of a kind, which becomes as decided
// unless it is about too much.
func (a *API) create(kind, id, decided string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.sees(w, r) {
			return
		}
		var asked struct {
			Amount float64 `json:"amount"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asked); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		made := map[string]any{id: newGUID(), "partnerUniqueId": r.PathValue("partner"), "amount": asked.Amount, "status": pending}
		path := fmt.Sprintf("/partners/%s/%s/%s", r.PathValue("partner"), kind, made[id])
		a.mu.Lock()
		a.objects[path] = made
		shown := maps.Clone(made)
		a.mu.Unlock()
		a.later(decideAfter, func() { a.decide(path, decided) })
		answer(w, http.StatusCreated, shown)
	}
}

// decide works out what comes of a request for money. What is offered lapses.
func (a *API) decide(path, decided string) {
	if a.offer(path, decided) {
		a.later(lapseAfter, func() { a.lapse(path, decided) })
	}
}

// offer offers what is asked for, and reports whether that was possible.
func (a *API) offer(path, decided string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.objects[path]
	if amount, _ := o["amount"].(float64); amount > MaxAmount {
		o["status"], o["reason"] = rejected, "amount"
		return false
	}
	o["status"], o["monthlyRate"] = decided, 0.019
	return true
}

// lapse ends what nobody has taken up.
func (a *API) lapse(path, decided string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o := a.objects[path]; o["status"] == decided {
		o["status"] = expired
	}
}

// sign completes a process.
func (a *API) sign(w http.ResponseWriter, r *http.Request) {
	if !a.sees(w, r) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.objects[fmt.Sprintf("/partners/%s/processes/%s", r.PathValue("partner"), r.PathValue("id"))]
	switch {
	case o == nil:
		refuse(w, http.StatusNotFound, "there is no such process")
	case o["status"] != approved:
		refuse(w, http.StatusConflict, fmt.Sprintf("it is %s", o["status"]))
	default:
		o["status"] = completed
		answer(w, http.StatusOK, o)
	}
}

func (a *API) show(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.sees(w, r) {
			return
		}
		a.mu.Lock()
		found := maps.Clone(a.objects[fmt.Sprintf("/partners/%s/%s/%s", r.PathValue("partner"), kind, r.PathValue("id"))])
		a.mu.Unlock()
		if found == nil {
			refuse(w, http.StatusNotFound, "there is no such object")
			return
		}
		answer(w, http.StatusOK, found)
	}
}

// newGUID returns a random GUID.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]any{"error": why})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
