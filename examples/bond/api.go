// SPDX-License-Identifier: Apache-2.0

// Package bond is an example of a banking API: brands have customers, whose identity is
// checked, and payments and charges of theirs. Much happens inside of it, minutes after
// a request: a check ends, a bank confirms. It keeps everything in memory and knows
// nothing of webhooks; its callers would poll.
//
//	GET  /brand                          whose key it is
//	POST /customers                      GET /customers/{id}
//	POST /customers/{id}/verification    begins a check
//	POST /payments                       GET /payments/{id}
//	POST /charges                        GET /charges/{id}
//	POST /charges/{id}/dispute
package bond

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// PlatformKey is the key that sees what all brands have, and Keys are those of the
// brands.
const PlatformKey = "platform-key"

// Keys are the keys of the brands.
var Keys = map[string]string{"acme-key": "acme", "globex-key": "globex"}

// Options say how the API behaves. The zero value is a running one.
type Options struct {
	// Later runs what happens inside, some time after a request. Default: after three
	// seconds.
	Later func(what func())
}

// API is the service.
type API struct {
	later func(func())

	mu      sync.Mutex
	objects map[string]map[string]any // by path
	last    int
}

// New returns an API without customers.
func New(o Options) *API {
	if o.Later == nil {
		o.Later = func(what func()) { time.AfterFunc(3*time.Second, what) }
	}
	return &API{later: o.Later, objects: make(map[string]map[string]any)}
}

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /brand", a.brand)
	mux.HandleFunc("POST /customers", a.create("customers", "customer_id", func(o map[string]any) {
		o["kyc"] = map[string]any{"status": "none"}
	}))
	mux.HandleFunc("POST /payments", a.create("payments", "payment_id", func(o map[string]any) {
		o["status"] = "pending"
	}))
	mux.HandleFunc("POST /charges", a.create("charges", "charge_id", func(o map[string]any) {
		o["disputed"] = false
	}))
	mux.HandleFunc("POST /customers/{id}/verification", a.change("customers", http.StatusAccepted, func(o map[string]any) {
		o["kyc"] = map[string]any{"status": "pending"}
	}))
	mux.HandleFunc("POST /charges/{id}/dispute", a.change("charges", http.StatusOK, func(o map[string]any) { o["disputed"] = true }))
	for _, kind := range []string{"customers", "payments", "charges"} {
		mux.HandleFunc("GET /"+kind+"/{id}", a.change(kind, http.StatusOK, nil))
	}
	return mux
}

// brandOf returns whose a request is: a brand's, or with "" the platform's.
func brandOf(r *http.Request) (brand string, known bool) {
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	brand, known = Keys[key]
	return brand, known || key == PlatformKey
}

func (a *API) brand(w http.ResponseWriter, r *http.Request) {
	brand, known := brandOf(r)
	if !known || brand == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized, map[string]any{"error": "no brand has this key"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"brand_id": brand})
}

// create returns a handler that makes objects of a kind.
func (a *API) create(kind, id string, begin func(map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		brand, known := brandOf(r)
		if !known || brand == "" {
			answer(w, http.StatusUnauthorized, map[string]any{"error": "send the key of a brand"})
			return
		}
		made := make(map[string]any)
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&made); err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.last++
		name := fmt.Sprintf("%s_%d", strings.TrimSuffix(id, "_id"), a.last)
		made[id], made["brand_id"] = name, brand
		begin(made)
		path := "/" + kind + "/" + name
		a.objects[path] = made
		a.later(func() { a.happen(path) })
		answer(w, http.StatusCreated, made)
	}
}

// change returns a handler that changes an object of a kind, and shows it.
func (a *API) change(kind string, status int, apply func(map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		brand, known := brandOf(r)
		a.mu.Lock()
		defer a.mu.Unlock()
		path := "/" + kind + "/" + r.PathValue("id")
		found := a.objects[path]
		if !known || found == nil || brand != "" && found["brand_id"] != brand {
			answer(w, http.StatusNotFound, map[string]any{"error": "there is no such object"})
			return
		}
		if apply != nil {
			apply(found)
			a.later(func() { a.happen(path) })
		}
		answer(w, status, found)
	}
}

// refusedSSN is the number of a customer who is never who they say.
const refusedSSN = "000-00-0000"

// happen does what comes of an object inside, some time after a request.
func (a *API) happen(path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.objects[path]
	switch kyc, _ := o["kyc"].(map[string]any); {
	case kyc["status"] == "pending" && o["ssn"] == refusedSSN:
		o["kyc"] = map[string]any{"status": "failure"}
	case kyc["status"] == "pending":
		o["kyc"] = map[string]any{"status": "success"}
	case o["status"] == "pending" && o["recurring"] == true:
		o["status"] = "succeeded"
	case o["status"] == "pending":
		o["status"] = "confirmed"
	}
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
